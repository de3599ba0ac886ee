from pathlib import Path

import pytest

from streamspike.errors import SourceError, UnsupportedSource
from streamspike.ingest.address import parse_address, redact


@pytest.mark.parametrize(
    ("source", "kind", "url", "is_live"),
    [
        ("rtsp://cam/1", "rtsp", "rtsp://cam/1", True),
        ("rtsps://cam:322/1", "rtsp", "rtsps://cam:322/1", True),
        ("RTSP://cam/1", "rtsp", "RTSP://cam/1", True),
        ("https://host/live.m3u8", "http", "https://host/live.m3u8", True),
        ("webcam:0", "webcam", "/dev/video0", True),
        ("webcam:/dev/v4l/by-id/usb", "webcam", "/dev/v4l/by-id/usb", True),
        ("lavfi:testsrc2=size=320x240", "lavfi", "testsrc2=size=320x240", False),
        ("world:street?seed=7", "world", "street?seed=7", False),
    ],
)
def test_each_kind_is_told_by_its_scheme(source: str, kind: str, url: str, is_live: bool) -> None:
    address = parse_address(source)
    assert (address.kind, address.url, address.is_live) == (kind, url, is_live)


def test_a_path_is_a_file_even_with_a_colon_or_as_a_url(tmp_path: Path) -> None:
    path = tmp_path / "a b:c.mp4"
    path.touch()
    assert parse_address(str(path)).url == str(path)
    assert parse_address(f"file://{tmp_path}/a%20b:c.mp4").url == str(path)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SourceError, match=r"no such file: nowhere/clip\.mp4"):
        parse_address("nowhere/clip.mp4")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="folder"):
        parse_address(str(tmp_path))


@pytest.mark.parametrize("source", ["gopher://cam/1", "rtmp://cam/1", "", "world:", "rtsp://", "rtsp://[::1/x"])
def test_an_unknown_kind_lists_the_kinds_or_says_what_is_missing(source: str) -> None:
    with pytest.raises(UnsupportedSource, match=r"webcam:0|names no host"):
        parse_address(source)


@pytest.mark.parametrize("password", ["s3cret", "p@ss", "a:b", "c%2Fd", "käse", "a%40b"])
def test_no_form_of_an_address_shows_its_password(password: str) -> None:
    address = parse_address(f"rtsp://admin:{password}@cam:554/1?channel=2&token=t0ken")
    for text in (str(address), repr(address), address.redact(f"cannot open '{address.url}': password {password}")):
        assert password not in text
        assert "t0ken" not in text
    assert "cam:554/1?channel=2" in str(address)


def test_a_decoded_password_is_hidden_too() -> None:
    assert "a@b" not in parse_address("rtsp://u:a%40b@cam/1").redact("login a@b refused")


def test_redaction_leaves_harmless_text_alone() -> None:
    text = "cannot open rtsp://cam:554/live at 12:30, write to me@example.org"
    assert redact(text) == text


def test_an_error_about_a_bad_address_hides_the_password() -> None:
    with pytest.raises(UnsupportedSource) as caught:
        parse_address("rtsp://u:hunter2@")
    assert "hunter2" not in str(caught.value)

"""Who gets in, what is refused, and what an answer carries so that a browser keeps others out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamspike.config import WebConfig
from streamspike.errors import ConfigError, SinkError
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.web.entry import Entry, is_loopback
from streamspike.outputs.web.operations import OPERATIONS
from streamspike.outputs.web.static_files import FILES
from tests.support.messages import make_event
from tests.support.page import FakeCamera, PageRun, page_run, real_keyframe

TOKEN = "0123456789abcdef-secret"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageRun]:
    with page_run(tmp_path, FakeCamera("door")) as run:
        yield run


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[PageRun]:
    with page_run(tmp_path, FakeCamera("door"), token=TOKEN) as run:
        yield run


def test_every_answer_keeps_other_sites_out(page: PageRun) -> None:
    page.alert(make_event(), real_keyframe(make_event()))
    picture = f"/events/{make_event().event_id}/keyframes/0.jpg"
    for path in ("/", "/js/page.js", "/api/events", picture, "/nothing", "/api/events?limit=x"):
        headers = page.request(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "*" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers and "server" not in headers


def test_the_page_has_no_inline_script_or_style_and_asks_nobody_else(page: PageRun) -> None:
    code = ""
    for path in FILES:
        text = page.request(path).body.decode()
        assert "://" not in text.replace("http://www.w3.org/2000/svg", ""), path
        assert not any(word in text for word in (" style=", " onclick=", " onload=", "<script>", "javascript:")), path
        code += text if path.endswith(".js") else ""
    assert code
    assert not any(word in code for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "192.0.2.1", "127.0.0.1.evil.example", ""])
def test_a_foreign_name_that_points_here_is_refused(page: PageRun, host: str) -> None:
    assert page.request("/api/events", headers={"Host": host}).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:99", "LOCALHOST", "[::1]:8765", "127.9.9.9"])
def test_names_of_this_machine_are_answered_through_any_tunnel(page: PageRun, host: str) -> None:
    assert page.request("/api/events", headers={"Host": host}).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused(page: PageRun, method: str) -> None:
    assert page.request("/api/events", method).status in (400, 405)


def test_a_path_has_the_method_it_is_for(page: PageRun) -> None:
    assert page.request("/api/events", "POST", b"{}").status == 405
    assert page.request(f"/api/events/{make_event().event_id}/verdict").status == 405
    assert page.request("/api/events", "HEAD").body == b""


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_judge_for_you(page: PageRun, headers: dict[str, str]) -> None:
    page.alert(make_event())
    path = f"/api/events/{make_event().event_id}"
    assert page.request(f"{path}/verdict", "POST", b'{"useful": true}', headers).status == 403
    assert page.get(path)["useful"] is None
    own = {"Origin": page.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert page.request(f"{path}/verdict", "POST", b'{"useful": true}', own).status == 200


def test_a_body_is_short_and_says_how_long_it_is(page: PageRun) -> None:
    page.alert(make_event())
    path = f"/api/events/{make_event().event_id}/verdict"
    assert page.request(path, "POST", b" " * 4097).status == 413
    assert raw(page, f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n").startswith("411")
    assert raw(page, f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {'x' * 1_000_000}\r\n\r\n").startswith("400")


@pytest.mark.parametrize(
    "path",
    [
        "/../spike.db",
        "/page.css/../../spike.db",
        "/js/../index.html",
        "/js/",
        "/js/other.js",
        "/..%2fspike.db",
        "/static/../server.py",
        "/events/..%2f..%2fspike/clip.mp4",
        "/events/../clip.mp4",
        "/events/%2e%2e/clip.mp4",
        "/events/a%00b/clip.mp4",
        "/events/a%0d%0aX-Evil:1/clip.mp4",
        "/api/events/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/api/cameras/..%2f..%2fetc%2fpasswd/picture.jpg",
        "/api/cameras/%F0%9F%92%A5/picture.jpg",
        "//evil.example/",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_no_path_leads_out(page: PageRun, path: str) -> None:
    reply = page.request(path)
    assert reply.status in (400, 404)
    assert "x-evil" not in reply.headers and b"<img" not in reply.body


def test_a_clip_that_claims_to_lie_elsewhere_is_not_sent(page: PageRun, tmp_path: Path) -> None:
    page.alert(make_event())
    (tmp_path / "secret.txt").write_text("secret")
    for name in ("../secret.txt", str(tmp_path / "secret.txt"), "..", "."):
        page.recorder.store.clips.record(Clip(make_event().event_id, "door", name, 0.0, 1.0, 1, "h264"))
        assert page.request(f"/events/{make_event().event_id}/clip.mp4").status == 404


def test_without_the_token_there_is_only_the_login_form(locked: PageRun) -> None:
    paths = [each.path.replace("{camera_id}", "door").replace("{event_id}", "x") for each in OPERATIONS]
    for path in [*paths, "/openapi.json", "/js/page.js", "/nothing"]:
        reply = locked.request(path.replace("{number:int}", "0"))
        assert (reply.status, reply.headers.get("www-authenticate")) == (401, "Bearer"), path
    reply = locked.request("/")
    assert (reply.status, reply.headers["location"]) == (303, "/login")
    assert b'type="password"' in locked.request("/login").body


@pytest.mark.parametrize("value", [TOKEN[:-1], TOKEN + "x", "", "\u00e9" * 16])
def test_a_wrong_token_is_no_token(locked: PageRun, value: str) -> None:
    headers = {"Authorization": f"Bearer {value}"}
    assert locked.request("/api/events", headers=headers).status == 401
    assert locked.request("/api/events", headers={"Cookie": f"streamspike={value}"}).status == 401
    assert locked.request("/login", "POST", f"token={value}".encode(), FORM).headers["location"] == "/login#wrong"


def test_the_token_opens_in_a_header_and_through_the_form(locked: PageRun) -> None:
    assert locked.request("/api/events", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
    reply = locked.request("/login", "POST", f"token={TOKEN}".encode(), FORM)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    opened = {"Cookie": cookie.split(";")[0], "Host": "cameras.example"}
    assert locked.request("/api/events", headers=opened).status == 200
    assert locked.request("/", headers=opened).status == 200
    stream = locked.open_stream(opened)
    assert stream.status == 200
    stream.close()
    out = locked.request("/logout", "POST", b"", opened)
    assert out.status == 303 and "Max-Age=0" in out.headers["set-cookie"]


def test_a_cookie_of_another_token_is_worth_nothing(locked: PageRun) -> None:
    other = Entry(WebConfig(token="another-token-0123456789"))  # type: ignore[arg-type]
    assert locked.request("/api/events", headers={"Cookie": f"streamspike={other.cookie()}"}).status == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cameras.example"])
def test_other_machines_need_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"needs a token: set web\.token"):
        Entry(WebConfig(host=host))
    assert Entry(WebConfig(host=host, token=TOKEN)).needs_token  # type: ignore[arg-type]


def test_a_short_or_missing_token_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 16") as caught:
        Entry(WebConfig(token="hunter2"))  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"cannot read web\.token_file"):
        Entry(WebConfig(token_file=str(tmp_path / "none")))
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert Entry(WebConfig(token_file=str(tmp_path / "token"))).accepts(TOKEN)


def test_loopback_is_known_by_address_and_name() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "128.0.0.1", "localhost.example", "")))


def test_a_chosen_port_that_is_taken_stops_the_start_and_the_default_one_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=r"choose another web\.port"), page_run(tmp_path, port=port):
            pass
        config = WebConfig.model_construct(port=port, _fields_set=set())
        with page_run(tmp_path, config=config) as page:
            assert page.server.url is None
    assert "watching goes on without the page" in caplog.text


def raw(page: PageRun, text: str) -> str:
    """The status of what is sent as it stands."""
    with socket.create_connection(("127.0.0.1", page.port), 5) as connection:
        connection.sendall(text.encode())
        return connection.recv(1000).decode().partition(" ")[2]

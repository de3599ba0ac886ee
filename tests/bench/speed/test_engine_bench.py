"""The benchmark of the engine: what is measured, how it is told, and its command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from streamspike.bench.commands import parse_counts
from streamspike.bench.machine import describe_machine, find_commit
from streamspike.bench.plots import plot_report
from streamspike.bench.speed.engine import (
    CURVE_SEGMENTS,
    Turn,
    _describe,
    _typical_seconds,
    measure_curve,
    measure_engines,
)
from streamspike.bench.speed.report import render_report
from streamspike.config import Config
from streamspike.engine.model import LoadedModel
from streamspike.errors import ConfigError
from tests.bench.speed.conftest import BELIEF, CONFIG, TINY
from tests.bench.speed.test_camera_bench import cameras_of
from tests.support.cli import Call, make_call


def nothing(done: float, words: str = "", /) -> None:
    """Progress that nobody watches."""


# What is measured


def test_all_variants_score_as_the_reference_does(result: dict[str, Any]) -> None:
    assert list(result["variants"]) == ["published", "naive", "paper", "steady"]
    assert result["max_abs_difference_nats"] < 1e-4
    assert 0 < result["max_abs_log_probability_difference_nats"] < 1e-3, "summed in another order, so not quite equal"
    for variant in result["variants"].values():
        assert variant["max_abs_difference_nats"] <= result["max_abs_difference_nats"]


def test_result_says_what_was_measured_where_and_how(result: dict[str, Any]) -> None:
    assert json.loads(json.dumps(result)) == result, "plain values"
    assert set(result) >= {
        "variants", "max_abs_difference_nats", "cameras", "machine", "commit", "model", "settings", "floor", "curve",
        "soak",
    }  # fmt: skip
    assert result["model"].startswith(f"{TINY[0]}@") and result["machine"]["threads"] == 1
    variants, settings = result["variants"], result["settings"]
    assert [variants[name]["segments"] for name in variants] == [1, 3, 3, 3]
    assert (settings["frame_width_px"], settings["frame_height_px"]) == (56, 28), "of 28 px, near 64 x 36"
    assert settings["video_tokens_per_segment"] == 2 and settings["belief"]["window_segments"] == 2
    assert set(variants["naive"]["stages"]) == {"caption", "sample", "prior", "posterior"}
    assert set(variants["paper"]["stages"]) == {"vision", "prefill", "sample", "caption", "score"}
    for name, variant in variants.items():
        assert variant["seconds_per_segment"] > 0 and variant["times_faster_than"][name if name in BASES else "naive"]
        assert 0 < max(variant["stages"].values()) <= variant["seconds_per_segment"]
        ratio = variants["naive"]["seconds_per_segment"] / variant["seconds_per_segment"]
        assert variant["times_faster_than"]["naive"] == pytest.approx(ratio)
    assert all(variants[name]["sampled_share"] == 1 for name in ("published", "naive", "paper"))
    assert variants["naive"]["cache_bytes"] == 0 < variants["paper"]["cache_bytes"]


BASES = ("published", "naive")


def test_steady_keeps_hypotheses_and_grows_its_window(models: dict[str, LoadedModel]) -> None:
    never = {"refresh_nats": 1e9, "refresh_share": 0.0, "window_growth_segments": 1}
    config = Config(belief=BELIEF.model_copy(update=never))
    result = measure_engines(config, models[TINY[1]], 3, 0, 0, nothing)
    steady = result["variants"]["steady"]
    assert steady["sampled_share"] == 0 and steady["seconds_when_sampled"] is None and steady["seconds_when_kept"] > 0
    assert list(result["variants"]) == ["naive", "paper", "steady"], "nobody asked for the published procedure"
    assert set(steady["times_faster_than"]) == {"naive"}
    assert result["max_abs_difference_nats"] < 1e-4
    report = render_report(result)
    assert "drew new hypotheses for 0% of its segments: when it did - ms" in report and "2 growing by 1" in report


def test_a_segment_takes_the_median_of_its_kind() -> None:
    def turn(seconds: float, drew: bool, num_seen: int = 8) -> Turn:
        return Turn(seconds, {}, drew, num_seen, "nothing changes", 0.0, 0.0)

    turns = [turn(1.0, True), turn(1.2, True), turn(90.0, True), turn(0.1, False)]
    assert _typical_seconds(turns) == pytest.approx((3 * 1.2 + 0.1) / 4)
    # A window that grows: every other segment fills it again, and the median of all would hide that.
    growing = [turn(0.1, False, 8), turn(0.9, False, 9), turn(0.1, False, 8), turn(0.9, False, 9), turn(0.1, False, 8)]
    assert _typical_seconds(growing) == pytest.approx((3 * 0.1 + 2 * 0.9) / 5)


def test_captions_that_come_again_are_counted() -> None:
    captions = ["a car stops", "a dog runs", "a car stops", "a bus stops", "a cat sits", "a dog runs"]
    turns = [Turn(1.0, {"score": 0.5}, True, 8, caption, 1e-6, 1e-5) for caption in captions]
    described = _describe(turns)
    # The car comes again at once; four captions later the dog is forgotten.
    assert described["guessed_captions_share"] == 1 / 5 and described["stages"] == {"score": 0.5}
    assert described["seconds_when_kept"] is None and described["max_abs_difference_nats"] == 1e-6
    assert _describe(turns[:1])["guessed_captions_share"] == 0


def test_report_shows_every_variant_and_what_it_came_to(result: dict[str, Any]) -> None:
    report = render_report(result)
    assert max(map(len, report.splitlines())) < 160
    for name, variant in result["variants"].items():
        (line,) = [line for line in report.splitlines() if re.match(rf"{name} .*(prior|prefill) \d", line)]
        assert f"{variant['times_faster_than']['published']:.1f}" in line
    for words in ("GB/s", "TFLOP/s", "floor of a steady segment", "window 2, 2 hypotheses of up to 4 tokens", TINY[0]):
        assert words in report


@pytest.mark.slow
def test_curve_varies_one_setting_at_a_time(
    models: dict[str, LoadedModel], result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [("window_segments", 3), ("num_hypotheses", 4), ("frame_width_px", 112)]
    monkeypatch.setattr("streamspike.bench.speed.engine.curve_points", lambda _: short)
    done: list[float] = []
    points = measure_curve(CONFIG, models[TINY[0]], False, 0, lambda number, _: done.append(number))
    assert [(point["setting"], point["value"]) for point in points] == short and done == [1, 2, 3]
    for point in points:
        assert set(point["seconds_per_segment"]) == {"naive", "paper", "steady"}
        assert point["max_abs_difference_nats"] < 1e-4
    whole = {**result, "curve": points, "cameras": cameras_of(3)}
    report = render_report(whole)
    assert "frame width, px" in report and "the most that held: 3" in report
    plot_report(whole, tmp_path / "engine.png")
    plot_report(result, tmp_path / "small.png")
    pictures = [(tmp_path / name).read_bytes() for name in ("engine.png", "small.png")]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures) and len(pictures[0]) > len(pictures[1])
    assert CURVE_SEGMENTS >= 1


# The command line


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return make_call(monkeypatch, capfd)


@pytest.mark.slow
def test_command_writes_table_json_and_picture(call: Call, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(
        "belief: {max_hypothesis_tokens: 4, max_caption_tokens: 4}\nmodel: {device: cpu}\n"
    )
    words = "--segments 2 --published 1 --window 2 --hypotheses 2 --frame-px 64 --cameras 2,1 --seconds 0.5 --threads 1"
    outcome = call(
        *("bench", "engine", "-c", "short.yaml", "--model", TINY[0], *words.split()),
        *("--seed", 3, "--json", "out/engine.json", "--plot", "engine.png"),
    )
    assert outcome.code == 0, outcome.err
    result = json.loads((tmp_path / "out" / "engine.json").read_text())
    assert result["max_abs_difference_nats"] < 1e-4 and result["settings"]["seed"] == 3
    assert [run["cameras"] for run in result["cameras"]["runs"]][:1] == [1] and result["cameras"]["mode"] == "steady"
    assert outcome.out.strip() == render_report(result).strip()
    assert (tmp_path / "engine.png").read_bytes().startswith(b"\x89PNG")


def test_help_says_what_is_compared_and_gives_examples(call: Call) -> None:
    words = " ".join(call("bench", "engine", "--help").out.split())
    for part in ("Published, naive", "the floor", "--cameras 1,4,16,64", "random:small-qwen2.5-vl", "--curve"):
        assert part in words


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--cameras", "1,x"], "--cameras takes numbers of cameras such as 1,4,16; not '1,x'"),
        (["--cameras", "0"], "--cameras takes numbers of cameras such as 1,4,16; not '0'"),
        (["--window", "99"], "belief.window_segments: must be less than or equal to 64"),
        (["--hypotheses", "0"], "belief.num_hypotheses: must be greater than or equal to 1"),
        (["--model", "random:huge"], "there is no model 'random:huge'"),
        (["--frame-px", "5000"], "model.frame_width_px: must be less than or equal to 2048"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(call: Call, words: list[str], sentence: str) -> None:
    outcome = call("bench", "engine", *words)
    assert outcome.code > 2 and sentence in outcome.error()


@pytest.mark.parametrize("words", ["--segments 0", "--published -1", "--seconds 0", "--mode fast"])
def test_values_out_of_range_are_usage_errors(call: Call, words: str) -> None:
    outcome = call("bench", "engine", *words.split())
    assert outcome.code == 2 and words.split()[0] in outcome.err


def test_counts_of_cameras_are_sorted_once_each() -> None:
    assert parse_counts(" 16, 1,4 ,4") == [1, 4, 16]
    for text in ("", ",", "1,,2", "-1", "1.5", "999999"):
        with pytest.raises(ConfigError, match="--cameras takes numbers"):
            parse_counts(text)


def test_machine_and_commit_name_no_path_and_no_owner() -> None:
    machine, commit = describe_machine(torch.device("cpu")), find_commit()
    assert machine["threads"] == 1 and machine["versions"]["torch"] == torch.__version__
    assert "/" not in json.dumps(machine).replace("\\/", "") and str(Path.home()) not in json.dumps(machine)
    assert commit is None or commit.rstrip("+").isalnum()

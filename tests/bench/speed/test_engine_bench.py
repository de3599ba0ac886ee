"""The benchmark of the engine: all variants score the same, each does the work it stands for, and the sums add up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from streamspike.bench.commands import parse_counts
from streamspike.bench.machine import describe_machine, find_commit
from streamspike.bench.plots import plot_report
from streamspike.bench.speed.cameras import Fleet, measure_cameras
from streamspike.bench.speed.engine import (
    CURVE_SEGMENTS,
    Turn,
    _describe,
    _typical_seconds,
    measure_curve,
    measure_engines,
)
from streamspike.bench.speed.film import shoot_film
from streamspike.bench.speed.floor import Floor, Rates, find_floor, measure_rates
from streamspike.bench.speed.procedures import NaiveEngine, Procedure, PublishedEngine
from streamspike.bench.speed.report import render_report
from streamspike.bench.speed.soak import measure_soak
from streamspike.config import BeliefConfig, Config, EngineConfig, ModelConfig, SegmentConfig
from streamspike.core import Assessment, Request, Segment
from streamspike.engine.forward import encode_segments
from streamspike.engine.model import LoadedModel, load_model
from streamspike.engine.reference import ReferenceEngine
from streamspike.errors import ConfigError, EngineError
from tests.support.cli import Call, make_call
from tests.support.fake_engine import FakeEngine, always_calm
from tests.support.requests import KEPT, SHORT, WINDOW, ask, assert_same, film

TINY = ("random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl")
BELIEF = BeliefConfig(window_segments=2, num_hypotheses=2, max_hypothesis_tokens=4, max_caption_tokens=4)
CONFIG = Config(belief=BELIEF)
PROCEDURES: tuple[type[Procedure], ...] = (PublishedEngine, NaiveEngine)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors lose time on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models() -> dict[str, LoadedModel]:
    return {name: load_model(ModelConfig(name=name, device="cpu", frame_width_px=64)) for name in TINY}


@pytest.fixture(params=TINY)
def tiny(request: pytest.FixtureRequest, models: dict[str, LoadedModel]) -> LoadedModel:
    return models[request.param]


@pytest.fixture(scope="module")
def result(models: dict[str, LoadedModel]) -> dict[str, Any]:
    return measure_engines(CONFIG, models[TINY[0]], 3, 1, 0, lambda *_: None)


def nothing(done: float, words: str = "", /) -> None:
    """Progress that nobody watches."""


# What the procedures do


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_procedures_draw_and_score_what_the_reference_does(tiny: LoadedModel, procedure: type[Procedure]) -> None:
    for complete, verify in ((False, False), (True, True)):
        request = ask(film(6), 5, (), complete=complete, verify=verify)
        ours, reference = procedure(tiny).assess(request), ReferenceEngine(tiny).assess(request)
        assert ours.sampled and len(ours.scores) == SHORT.num_hypotheses + complete
        assert_same(ours, reference)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_given_hypotheses_are_scored_though_new_ones_are_drawn(
    tiny: LoadedModel, procedure: type[Procedure], towers: list[int]
) -> None:
    request = ask(film(6), 5)
    assessment = procedure(tiny).assess(request)
    assert [score.text for score in assessment.scores] == list(KEPT) and not assessment.sampled
    assert_same(assessment, ReferenceEngine(tiny).assess(request))
    towers.clear()
    procedure(tiny).assess(replace(request, hypotheses=()))
    drawn = len(towers)
    towers.clear()
    procedure(tiny).assess(request)
    assert len(towers) == drawn


@pytest.fixture
def towers(tiny: LoadedModel) -> Iterator[list[int]]:
    """Patches of each run of the vision tower."""
    runs: list[int] = []

    def count(module: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        runs.append(len(args[0] if args else kwargs["hidden_states"]))

    hook = tiny.model.model.visual.register_forward_pre_hook(count, with_kwargs=True)
    yield runs
    hook.remove()


def test_published_encodes_every_frame_for_every_token_and_naive_for_every_call(
    tiny: LoadedModel, towers: list[int]
) -> None:
    request = ask(film(6), 5, (), complete=False)
    height, width = request.observation[0].shape[:2]
    rows, columns = tiny.frames.patch_grid(tiny.frames.frame_size(height, width))
    before, after = WINDOW * rows * columns, (WINDOW + 1) * rows * columns
    hypotheses, tokens = SHORT.num_hypotheses, SHORT.max_hypothesis_tokens
    PublishedEngine(tiny).assess(request)
    assert towers == [after] + [before] * hypotheses * tokens + [before] * hypotheses + [after] * hypotheses
    towers.clear()
    NaiveEngine(tiny).assess(request)
    assert towers == [after, before, before, after], "caption, draws, prior, posterior"


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_without_a_window_there_is_only_a_caption(tiny: LoadedModel, procedure: type[Procedure]) -> None:
    assessment = procedure(tiny).assess(ask(film(1), 0))
    assert not assessment.scores and assessment.caption and set(assessment.stage_seconds) == {"caption"}


def test_a_model_that_fails_is_an_engine_error_in_its_place(
    models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = models[TINY[0]]
    real, asked = loaded.model.model.get_video_features, 0

    def fail_once(*args: object, **kwargs: object) -> object:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RuntimeError("out of memory")
        return real(*args, **kwargs)

    monkeypatch.setattr(loaded.model.model, "get_video_features", fail_once)
    broken, fine = NaiveEngine(loaded).assess_batch([ask(film(3), 2), ask(film(3), 2, camera_id="yard")])
    assert isinstance(broken, EngineError) and "segment 2 of door: out of memory" in str(broken)
    assert isinstance(fine, Assessment)


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


# The floor


def flops_of(loaded: LoadedModel, growth: int = 0, hypotheses: tuple[str, ...] = KEPT) -> Floor:
    """Seconds on a machine of one operation a second and endless bandwidth: operations."""
    request = ask(film(6), 5, hypotheses)
    answer = ReferenceEngine(loaded).assess(request)
    return find_floor(loaded, Rates(np.inf, 1.0), [(request, answer)], WINDOW, growth, 1.0)


def test_vision_floor_is_just_below_what_the_tower_multiplies(tiny: LoadedModel) -> None:
    segment = film(1)[0]
    size = tiny.frames.frame_size(*segment[0].shape[:2])
    plain = sdpa_kernel(SDPBackend.MATH)  # the fused one is not counted
    with FlopCounterMode(display=False) as counter, torch.inference_mode(), plain:
        encode_segments(tiny, [segment], size)
    assert 0.9 * counter.get_total_flops() < flops_of(tiny).vision_seconds <= counter.get_total_flops()


def test_pass_floor_is_just_below_what_a_row_of_as_many_tokens_multiplies(tiny: LoadedModel) -> None:
    floor = flops_of(tiny)
    language = tiny.model.model.language_model
    linear = 2 * sum(parameter.numel() for parameter in language.layers.parameters() if parameter.ndim == 2)
    head = 2 * tiny.model.get_output_embeddings().weight.numel()
    assert linear + head < floor.decode_step_seconds < 1.2 * (linear + head), "the rest is attention"
    assert floor.pass_seconds > 20 * linear, "the questions alone are more than twenty tokens"
    assert floor.segment_seconds == floor.vision_seconds + floor.pass_seconds
    written = floor.written_segment_seconds - floor.segment_seconds
    words = len(tiny.layout.tokenize(ReferenceEngine(tiny).assess(ask(film(6), 5)).caption))
    assert words > 1 and written == pytest.approx((words - 1) * floor.decode_step_seconds)


def test_floor_follows_the_work(tiny: LoadedModel) -> None:
    floor = flops_of(tiny)
    assert flops_of(tiny, growth=3).pass_seconds < floor.pass_seconds, "a window that grows is filled again less often"
    assert flops_of(tiny, hypotheses=KEPT[:1]).pass_seconds < floor.pass_seconds
    request = ask(film(6), 5)
    answered = [(request, ReferenceEngine(tiny).assess(request))]
    weights = sum(parameter.numel() for parameter in tiny.model.model.language_model.layers.parameters())
    head = tiny.model.get_output_embeddings().weight.numel()
    slow = find_floor(tiny, Rates(1.0, np.inf), answered, WINDOW, 0, 1.0)
    assert slow.decode_step_seconds == slow.pass_seconds == 4 * (weights + head), "four bytes a weight"


def test_rates_are_those_of_a_machine(tiny: LoadedModel) -> None:
    rates = measure_rates(tiny)
    assert 1e8 < rates.bytes_per_second < 1e14 and 1e8 < rates.flops_per_second < 1e17


# Cameras


class Ticks:
    """Time that passes when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.num_sleeps = 0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        assert seconds >= 0
        self.now += seconds
        self.num_sleeps += 1


class WorkingEngine(FakeEngine):
    """Takes time for every step and for every request in it."""

    def __init__(self, ticks: Ticks, step_seconds: float, request_seconds: float = 0.0) -> None:
        super().__init__(always_calm)
        self.steps: list[int] = []
        self._ticks = ticks
        self._seconds = (step_seconds, request_seconds)

    def assess_batch(self, requests: Any) -> list[Assessment | Exception]:
        self.steps.append(len(requests))
        self._ticks.now += self._seconds[0] + self._seconds[1] * len(requests)
        return super().assess_batch(requests)


CAMERAS = Config(
    belief=BeliefConfig(window_segments=2), engine=EngineConfig(max_batch=4), segment=SegmentConfig(max_queued=2)
)


@pytest.fixture(scope="module")
def films() -> list[list[Segment]]:
    return [shoot_film(SegmentConfig(frames=1), 4, seed) for seed in range(2)]


def cameras_of(count: int) -> dict[str, Any]:
    """What the command makes of a run."""
    ticks = Ticks()
    segments = [shoot_film(SegmentConfig(frames=1), 4, 0)]
    runs = list(measure_cameras(CAMERAS, lambda _: WorkingEngine(ticks, 0.1), segments, [count], 5.0, ticks))
    held = max((run["cameras"] for run in runs if run["held"]), default=None)
    return {"mode": "steady", "seconds": 5.0, "segment_seconds": 1.0, "runs": runs, "largest_that_held": held}


def test_one_camera_waits_for_each_segment_to_end(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    engine = WorkingEngine(ticks, 0.25)
    fleet = Fleet(CAMERAS, engine, films, 1, ticks)
    fleet.warm_up()
    assert [len(request.window) for request in engine.requests] == [2, 2]
    report = fleet.run(10.0)
    assert report["scored"] == 11, "one ends with each second from 0 to 10"
    assert report["latency_seconds"] == pytest.approx({"p50": 0.25, "p95": 0.25, "p99": 0.25})
    assert (report["dropped"], report["late"], report["failed"], report["held"]) == (0, 0, 0, True)
    assert report["segments_per_second"] == pytest.approx(11 / 10.25)
    indices = [request.index for request in engine.requests]
    assert indices == list(range(2, 2 + 13)), "no segment is left out, those that filled the window come before"


def test_cameras_are_staggered_and_share_steps(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    engine = WorkingEngine(ticks, 0.45)
    fleet = Fleet(CAMERAS, engine, films, 4, ticks)
    report = fleet.run(20.0)
    assert report["held"] and report["dropped"] == 0 and 1.5 < report["mean_batch"] <= 2.0
    assert max(engine.steps) <= 4
    # Alone a segment would take 0.45 s; the one that ended just after a step began waits for that step too.
    assert 0.45 < report["latency_seconds"]["p50"] < report["latency_seconds"]["p95"] < 0.9 + 1e-9
    assert {request.camera_id for request in engine.requests} == {f"camera-{number}" for number in range(4)}
    pictures = {id(request.observation[0]) for request in engine.requests}
    assert len(pictures) <= 8, "painted once"


def test_an_engine_that_is_too_slow_drops_the_oldest_and_counts_them(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    engine = WorkingEngine(ticks, 0.0, 0.5)  # two requests a second for eight cameras
    report = Fleet(CAMERAS, engine, films, 8, ticks).run(20.0)
    assert report["dropped"] > 0 and not report["held"] and report["late"] > 0
    assert report["scored"] + report["dropped"] == 8 * 20 + 1, "staggered: the first camera has one more"
    assert report["segments_per_second"] == pytest.approx(2.0, rel=0.05)
    by_camera = [sum(r.camera_id == f"camera-{n}" for r in engine.requests) for n in range(8)]
    assert max(by_camera) - min(by_camera) <= 2, "whoever was served longest ago goes first"


def test_the_number_is_raised_until_it_does_not_hold(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    made: list[int] = []

    def make(count: int) -> WorkingEngine:
        made.append(count)
        return WorkingEngine(ticks, 0.0, 0.2)

    runs = list(measure_cameras(CAMERAS, make, films, [1, 4, 16, 64], 20.0, ticks))
    assert made == [1, 4, 16] and [run["held"] for run in runs] == [True, True, False]
    assert ticks.num_sleeps > 10


def test_failures_are_counted_and_do_not_hold(films: list[list[Segment]]) -> None:
    ticks = Ticks()

    class Failing(WorkingEngine):
        def assess(self, request: Request) -> Assessment:
            if request.index % 2:
                raise EngineError("out of memory")
            return super().assess(request)

    report = Fleet(CAMERAS, Failing(ticks, 0.1), films, 2, ticks).run(10.0)
    assert report["failed"] > 0 and report["scored"] > 0 and not report["held"]


def test_a_soak_watches_the_memory_of_an_engine_whose_windows_are_full(
    models: dict[str, LoadedModel], films: list[list[Segment]], result: dict[str, Any]
) -> None:
    soak = measure_soak(CONFIG, models[TINY[0]], films[0], 30, nothing)
    assert [look["segments"] for look in soak["looks"]] == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]
    # Full is what the window is, and the memory of what left it.
    first, *full = [(look["cache_bytes"], look["feature_bytes"]) for look in soak["looks"][5:]]
    assert first[0] > 0 and first[1] > 0 and set(full) == {first}
    assert all(look["process_bytes"] > 10_000_000 for look in soak["looks"])
    assert "memory over 30 segments" in render_report({**result, "soak": soak})


def test_a_film_is_the_same_for_the_same_seed_and_without_gaps() -> None:
    one, two, other = (shoot_film(SegmentConfig(), 3, seed) for seed in (4, 4, 5))
    assert [segment.start_seconds for segment in one] == [0, 1, 2] == [segment.index for segment in one]
    assert all(
        np.array_equal(a.pixels, b.pixels)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(left.frames, right.frames, strict=True)
    )
    assert not np.array_equal(one[0].frames[0].pixels, other[0].frames[0].pixels)
    assert [frame.stream_seconds for frame in one[1].frames] == [1.25, 1.75]


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

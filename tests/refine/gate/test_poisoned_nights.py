"""A poisoned night does not get into service: its data are refused, or what was learned from them is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamspike.config import BeliefConfig, Config, ModelConfig, RefineConfig
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import load_model
from streamspike.errors import AdapterRefused, ModelError
from streamspike.outputs.registry import AdapterTable
from streamspike.outputs.store import Store
from streamspike.refine.dataset.world import WorldClips, world_examples
from streamspike.refine.examples import Example
from streamspike.refine.gate.data_check import blind_share, check_data
from streamspike.refine.gate.judging import Data, judge_candidate, register_candidate
from streamspike.refine.policy import Policy
from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings
from streamspike.refine.training import TrainSettings, train
from tests.support.adapters import write_adapter
from tests.support.cli import Call, make_call

CLIPS = WorldClips(num_segments=3, size_px=(96, 72), surprising_share=0.5)
BELIEF = BeliefConfig(window_segments=3, num_hypotheses=2, max_hypothesis_tokens=16, max_caption_tokens=16)
REFINE = RefineConfig(min_clips=10)
Night = list[Example]


@pytest.fixture(scope="module")
def clean() -> Night:
    return list(world_examples(7, 10, CLIPS))


@pytest.fixture(scope="module")
def engine() -> IncrementalEngine:
    return IncrementalEngine(load_model(ModelConfig(device="cpu")))


def shuffled(night: Night) -> Night:
    """Each clip has the captions of another one."""
    others = [*night[1:], night[0]]
    return [replace(one, captions=other.captions, truth=()) for one, other in zip(night, others, strict=True)]


def black(night: Night) -> Night:
    random = np.random.default_rng(0)  # a sensor is never quite still

    def darken(frame: np.ndarray) -> np.ndarray:
        return random.integers(0, 4, frame.shape, dtype=np.uint8)

    return [replace(one, segments=tuple(tuple(map(darken, frames)) for frames in one.segments)) for one in night]


def frozen(night: Night) -> Night:
    return [replace(one, segments=((one.segments[0][0],) * 2,) * len(one.segments)) for one in night]


def judge(night: Night, useful: Callable[[Example, bool], bool]) -> Night:
    """Somebody judges each clip, knowing whether its peak is among the higher half."""
    peaks = [max(one.surprise_nats) for one in night]
    middle = float(np.median(peaks))
    return [
        replace(one, verdict=1 if useful(one, peak > middle) else -1) for one, peak in zip(night, peaks, strict=True)
    ]


def test_a_clean_night_is_fit_to_learn_from(clean: Night, engine: IncrementalEngine) -> None:
    assert blind_share(clean) == 0.0
    assert check_data(judge(clean, lambda _, high: high), REFINE, BELIEF, engine) == ()


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (lambda night: [], "the journal holds no clip"),
        (black, "100 % of the segments are black, without detail or frozen, and at most 20 % may be"),
        (frozen, "67 % of the segments are black, without detail or frozen"),
        (lambda night: judge(night, lambda _, high: not high), "feedback contradicts what was measured"),
        (lambda night: judge(night, lambda *_: False), "all 10 events that were judged were called not useful"),
    ],
)
def test_poison_that_can_be_seen_is_seen_before_anything_is_learned(
    poison: Callable[[Night], Night], reason: str, clean: Night
) -> None:
    [found] = check_data(poison(clean), REFINE, BELIEF)
    assert reason in found


def test_captions_of_other_clips_are_noticed_by_the_model_in_service(clean: Night, engine: IncrementalEngine) -> None:
    [found] = check_data(shuffled(clean), REFINE, BELIEF, engine)
    assert "captions do not belong to their pictures" in found


@pytest.fixture
def table(tmp_path: Path) -> Iterator[AdapterTable]:
    with contextlib.closing(Store(tmp_path / "spike.db")) as store:
        yield store.adapters


def config_in(folder: Path, refine: RefineConfig = REFINE) -> Config:
    return Config().model_copy(
        update={
            "belief": BELIEF,
            "refine": refine,
            "store": Config().store.model_copy(update={"path": str(folder / "spike.db")}),
        }
    )


@pytest.mark.slow
def test_what_was_learned_from_shuffled_captions_is_refused_by_measurement(
    clean: Night, engine: IncrementalEngine, table: AdapterTable, tmp_path: Path
) -> None:
    policy = Policy(load_model(ModelConfig(device="cpu")))
    night: Sequence[Example] = shuffled(clean)
    learner = SupervisedLearner(policy, night, BELIEF, SupervisedSettings(observe=True), seed=0)
    settings = TrainSettings(steps=12, learning_rate=5e-3, accumulate=1)
    folder = train(learner, settings, tmp_path / "night-1", lambda *_: None)
    assert folder is not None
    config = config_in(tmp_path)
    verdict = judge_candidate(folder, Data("a test", clean), config, table, engine)
    assert not verdict.decision.accepted
    losses = {name for name, each in verdict.evaluation.comparisons.items() if each.gain.mean < 0}
    assert "caption_agreement" in losses, "it says what other clips show"
    [record] = table.list_all()
    assert (record.name, record.method, record.state.value) == ("night-1", "supervised", "refused")
    assert record.reasons == verdict.decision.reasons and table.in_service(record.base) is None
    values = json.loads(verdict.report_path.with_suffix(".json").read_text())
    assert values["measures"] == record.metrics and values["reasons"] == list(record.reasons)
    with pytest.raises(AdapterRefused, match="the gate refused night-1"):
        table.promote("night-1", 1.0)
    assert engine.name == engine.slot.base, "the engine is given back as it was"


@pytest.mark.slow
def test_a_candidate_of_a_poisoned_night_is_refused_with_the_reason_and_nothing_is_measured(
    clean: Night, engine: IncrementalEngine, table: AdapterTable, tmp_path: Path
) -> None:
    folder = write_adapter(tmp_path / "run", engine._loaded, name="dark")
    verdict = judge_candidate(folder, Data("a test", clean, black(clean)), config_in(tmp_path), table, engine)
    assert not verdict.decision.accepted and not verdict.evaluation.comparisons
    assert any(reason.startswith("clips it learned from: 100 %") for reason in verdict.decision.reasons)
    assert "are black" in verdict.report_path.read_text()
    other = write_adapter(tmp_path / "other", engine._loaded, name="dark", seed=1)
    with pytest.raises(AdapterRefused, match="another adapter called dark"):
        register_candidate(other, config_in(tmp_path), table, engine)
    wrong = write_adapter(tmp_path / "wrong", engine._loaded, name="wrong", base="other@1")
    with pytest.raises(ModelError, match="belongs to other@1"):
        register_candidate(wrong, config_in(tmp_path), table, engine)
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == ["dark"]


@pytest.mark.slow
def test_who_is_better_than_a_damaged_one_in_service_is_accepted_and_promoted(
    clean: Night, engine: IncrementalEngine, table: AdapterTable, tmp_path: Path
) -> None:
    # Gibberish is diverse and sure of nothing: by these two the damaged one is better. Where the peak lies in ten clips
    # says little, and others use the machine too.
    allowed = {"margin_diversity": 1.0, "margin_calibration": 1.0, "margin_localisation": 1.0, "margin_latency": 100.0}
    config = config_in(tmp_path, RefineConfig.model_validate({"min_clips": 10, "primary": "next_nats", **allowed}))
    register_candidate(write_adapter(tmp_path / "a", engine._loaded, name="damaged", std=0.3), config, table, engine)
    table.promote("damaged", 1.0, force=True)
    source = write_adapter(tmp_path / "b", engine._loaded, name="healthy", std=0.0, parent="damaged")
    verdict = judge_candidate(source, Data("a test", clean[:10]), config, table, engine)
    assert verdict.decision.accepted, verdict.decision.reasons
    assert "likelihood of what came next" in verdict.decision.reasons[0]
    assert table.promote("healthy", 2.0).against == "damaged"
    assert table.rollback(3.0).name == "damaged"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


@pytest.mark.slow
def test_the_command_line_refuses_promotes_and_goes_back(call: Call, tmp_path: Path) -> None:
    model = "random:tiny-qwen2.5-vl"
    folder = write_adapter(tmp_path / "run", load_model(ModelConfig(name=model, device="cpu")), name="night")
    store = ["--store", tmp_path / "spike.db"]
    refused = call("refine", "evaluate", folder, "world:0:10", "--model", model, "--device", "cpu", *store)
    assert refused.code == 11 and "night is refused: held-out clips: captions do not" in refused.err
    assert (tmp_path / "reports" / "night" / "report.html").is_file()
    listed = call("refine", "list", *store)
    assert listed.code == 0 and "refused" in listed.out and "night" in listed.out
    assert call("refine", "promote", "night", *store).code == 11
    assert "night is in service" in call("refine", "promote", "night", "--force", *store).out
    assert "no adapter is in service" in call("refine", "rollback", *store).out
    assert call("refine", "rollback", *store).code == 11

"""What a camera showed before surprises less when it shows it again, and nothing else does."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.belief import experience
from streamspike.belief.experience import HALF_LIFE_SEGMENTS, PATIENCE_SEGMENTS, Experience
from streamspike.belief.surprise import log_softmax, measure, recall
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores

QUIET, CAR = "the street is quiet", "a car comes"


def lived(*sentences: str) -> Experience:
    camera = Experience()
    for sentence in sentences:
        camera.add(sentence)
    return camera


def test_sentences_are_counted_among_all_segments_and_a_minute_more() -> None:
    camera = lived(*([QUIET] * 30), CAR, "A car  comes.", "")
    whole = 32 + PATIENCE_SEGMENTS
    assert camera.frequencies((QUIET, CAR, "a dog runs")) == pytest.approx((30 / whole, 2 / whole, 0.0), rel=1e-3)
    assert Experience().frequencies((CAR,)) == (0.0,)


def test_what_was_said_a_day_ago_counts_half() -> None:
    camera = lived(*([CAR] * 1000), *([QUIET] * HALF_LIFE_SEGMENTS))
    car, quiet = camera.frequencies((CAR, QUIET))
    long_ago = 1000 * 0.5  # the day itself fades too: to the integral of 2^-t, 1 / (2 ln 2) of it
    assert car / quiet == pytest.approx(long_ago / (HALF_LIFE_SEGMENTS / (2 * math.log(2))), rel=0.01)


def test_it_is_bounded_and_the_rarest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "MAX_SENTENCES", 3)
    camera = lived("a", "a", "b", "c", "d", "e")
    assert [frequency > 0 for frequency in camera.frequencies("abcde")] == [True, False, False, True, True]
    assert sum(camera.frequencies("ade")) == pytest.approx(4 / (4 + PATIENCE_SEGMENTS), rel=1e-3)


def test_old_weights_are_brought_back_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience, "HALF_LIFE_SEGMENTS", 4)
    plain = lived(*"aabaab" * 20)
    monkeypatch.setattr(experience, "LARGEST", 64.0)
    assert lived(*"aabaab" * 20).frequencies("ab") == pytest.approx(plain.frequencies("ab"))


def test_it_survives_a_restart() -> None:
    camera = lived(*([QUIET] * 30), CAR)
    other = lived("nothing of this")
    other.restore(json.loads(json.dumps(camera.export())))
    assert other.frequencies((QUIET, CAR, "nothing of this")) == pytest.approx(
        camera.frequencies((QUIET, CAR, "nothing of this")), abs=1e-4
    )


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"sentences": [CAR]},
        {"sentences": {CAR: -1.0}},
        {"sentences": {CAR: math.inf}},
        {"sentences": {CAR: "often"}},
        {"sentences": dict.fromkeys(map(str, range(experience.MAX_SENTENCES + 1)), 1.0)},
    ],
)
def test_a_state_that_is_none_changes_nothing(state: dict[str, object]) -> None:
    camera = lived(CAR)
    before = camera.export()
    with pytest.raises(ValueError, match="not the experience of a camera"):
        camera.restore(state)
    assert camera.export() == before


@given(
    st.lists(st.tuples(st.floats(-30, 0), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(0, 10, allow_subnormal=False),
)
def test_a_recalled_belief_is_the_mixture(pairs: list[tuple[float, float]], weight: float) -> None:
    belief = log_softmax([score for score, _ in pairs])
    frequencies = [often for _, often in pairs]
    mixed = [math.exp(log) + weight * often for log, often in zip(belief.tolist(), frequencies, strict=True)]
    expected = [value / sum(mixed) for value in mixed]
    assert [math.exp(log) for log in recall(belief, frequencies, weight)] == pytest.approx(expected, rel=1e-9)


def test_the_second_time_surprises_less_and_a_first_time_as_before() -> None:
    scores = (Scores(QUIET, 4, -0.01, -9.0), Scores(CAR, 3, -8.0, -0.01))
    config = BeliefConfig()
    camera, surprises = Experience(), []
    for _ in range(3):
        for _ in range(40):
            camera.add(QUIET)
        often = camera.frequencies(score.text for score in scores)
        surprises.append(measure(Assessment(scores, CAR, sampled=True), config, often).surprise_nats)
        camera.add(CAR)
    alone = measure(Assessment(scores, CAR, sampled=True), config).surprise_nats
    assert surprises[0] == pytest.approx(alone, abs=0.5) and surprises[0] >= alone
    assert surprises[0] > surprises[1] + 1 > surprises[2] + 1
    off = config.model_copy(update={"experience": 0.0})
    assert measure(Assessment(scores, CAR, sampled=True), off, often).surprise_nats == pytest.approx(alone)


def test_one_frequency_for_each_hypothesis() -> None:
    with pytest.raises(ValueError, match="one frequency per hypothesis"):
        recall(log_softmax([0.0, 0.0]), [0.5], 1.0)

"""No policy that knows nothing of the clip may be paid more than one that does, whatever is rewarded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import pytest

from streamspike.refine.rewards.context import RewardContext
from streamspike.refine.rewards.judge import judge_reward
from streamspike.refine.rewards.rewards import DEFAULT_REWARDS, NAMES, Rewards
from streamspike.refine.rewards.similarity import NGramSimilarity
from streamspike.refine.rewards.words import words_of
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.sentences import all_sentences
from streamspike.world.simulation import Simulation, Truth

NUM_WANTED = 4
NUM_DECOYS = 12


@dataclass(frozen=True, slots=True)
class Window:
    """What a policy may know, and what came of it."""

    truth: Truth
    previous: str
    context: RewardContext


Policy = Callable[[Window, Random], list[str]]


@pytest.fixture(scope="module")
def windows() -> list[Window]:
    rng = Random(5)
    lives = []
    for seed, name in enumerate(SCENES * 2):
        life = Simulation(build_scene(name, seed, 4 / 3), seed, script={5: None, 11: None})
        lives.append([life.step() for _ in range(14)])
    said = [truth.sentence for life in lives for truth in life]
    return [
        Window(
            now,
            before.sentence,
            RewardContext(
                caption=now.sentence,
                previous_caption=before.sentence,
                next_captions=(after.sentence,),
                decoys=tuple(rng.sample(said, NUM_DECOYS)),
                num_wanted=NUM_WANTED,
            ),
        )
        for life in lives
        for before, now, after in zip(life, life[1:], life[2:], strict=False)
    ][::2]


def honest(window: Window, rng: Random) -> list[str]:
    """Draws from what is possible, by its true probability, until enough differ, three times as many at most."""
    texts, weights = zip(*window.truth.alternatives, strict=True)
    return list(dict.fromkeys(rng.choices(texts, weights, k=3 * NUM_WANTED)))[:NUM_WANTED]


def believe(texts: list[str], window: Window) -> tuple[float, ...]:
    """What an honest policy believes of its own hypotheses."""
    chances = dict(window.truth.alternatives)
    return tuple(chances.get(text, 1e-3) for text in texts)


COMMON = Counter(word for sentence in all_sentences() for word in words_of(sentence))
DEGENERATE: dict[str, Policy] = {
    "constant": lambda window, rng: ["in the middle a person walks to the left"],
    "constant N times": lambda window, rng: ["in the middle a person walks to the left"] * NUM_WANTED,
    "empty": lambda window, rng: [""] * NUM_WANTED,
    "nothing": lambda window, rng: [],
    "dots": lambda window, rng: ["...", "?", "  ", "<|im_end|>"],
    "copies of the last caption": lambda window, rng: [window.previous] * NUM_WANTED,
    "copies that look different": lambda window, rng: [f"{window.previous}{end}" for end in (".", "!", " ", "...")],
    "the likeliest N times": lambda window, rng: [window.truth.alternatives[0][0]] * NUM_WANTED,
    "the likeliest alone": lambda window, rng: [window.truth.alternatives[0][0]],
    "common words": lambda window, rng: [" ".join(word for word, _ in COMMON.most_common(8))] * NUM_WANTED,
    "a list of all": lambda window, rng: [" and ".join(text for text, _ in window.truth.alternatives[:12])],
    "nonsense": lambda window, rng: [
        " ".join("".join(rng.choices("abcdefghijklmnop", k=5)) for _ in range(5)) for _ in range(NUM_WANTED)
    ],
    "the likeliest and nonsense": lambda window, rng: [window.truth.alternatives[0][0], "qxz vwj", "kfj zzt", "pq rst"],
    "the last caption and any sentence": lambda window, rng: [window.previous, *rng.sample(all_sentences(), 3)],
    "any sentence": lambda window, rng: rng.sample(all_sentences(), NUM_WANTED),
    "always the same different ones": lambda window, rng: list(all_sentences()[:: len(all_sentences()) // 3])[:4],
}


def worth(rewards: Rewards, policy: Policy, windows: list[Window]) -> float:
    """Everybody is given true beliefs about what he says."""
    rng = Random(1)
    said = [(policy(window, rng), window) for window in windows]
    sets = [(texts, replace(window.context, prior=believe(texts, window))) for texts, window in said]
    return rewards.total(rewards.explain(sets))


@pytest.fixture(scope="module")
def marked(windows: list[Window]) -> list[Window]:
    """All of it routine, and a person said so: feedback has something to say."""
    return [replace(window, context=replace(window.context, verdict=-1)) for window in windows]


@pytest.fixture(scope="module")
def honest_worth(marked: list[Window]) -> dict[str, float]:
    return {text: worth(Rewards.parse(text, NGramSimilarity()), honest, marked) for text in SET_REWARDS}


SET_REWARDS = ("hindsight", "diversity", DEFAULT_REWARDS)
UNASKED = {
    ("diversity", name)
    for name in ("any sentence", "the last caption and any sentence", "always the same different ones")
}
"""Diversity alone does not ask what comes; the shipped combination does."""


@pytest.mark.parametrize(
    ("text", "name"), [(text, name) for text in SET_REWARDS for name in DEGENERATE if (text, name) not in UNASKED]
)
def test_no_set_that_ignores_the_clip_wins(
    text: str, name: str, marked: list[Window], honest_worth: dict[str, float]
) -> None:
    ignorant = worth(Rewards.parse(text, NGramSimilarity()), DEGENERATE[name], marked)
    assert ignorant < honest_worth[text] - 0.05


def test_feedback_on_routine_is_hindsight_which_nobody_games(marked: list[Window]) -> None:
    values = [
        worth(Rewards.parse(text, NGramSimilarity()), policy, marked[:8])
        for text in ("feedback", "hindsight")
        for policy in (honest, DEGENERATE["nonsense"])
    ]
    assert values[:2] == values[2:] and values[0] > values[1]


def test_a_set_is_worth_more_with_a_second_hypothesis_that_may_come(windows: list[Window]) -> None:
    """Each reward that pays for hypotheses pays for telling more of what is possible, up to what was asked for."""
    rewards = Rewards.parse(DEFAULT_REWARDS, NGramSimilarity())
    values = [worth(rewards, lambda window, rng, n=n: honest(window, rng)[:n], windows) for n in (1, 2, 4)]
    assert values == sorted(values) and values[0] < values[1] < values[2]


def test_where_all_is_captioned_alike_nothing_is_paid(windows: list[Window]) -> None:
    """A policy that describes and foretells one and the same would prove itself right for ever."""
    alike = [
        replace(window.context, caption="all is well", decoys=("all is well",) * 3, next_captions=())
        for window in windows[:3]
    ]
    rewards = Rewards.parse("hindsight", NGramSimilarity())
    values = [rewards.explain([([text], context) for context in alike]) for text in ("all is well", "a dog runs")]
    assert values[0] == values[1] == {"hindsight": 0.25}, "half of no coverage and no gain"


# Captions of clips


class GullibleJudge:
    """Repeats the first number of the candidate if there is one; else counts how many words it shares."""

    def answer(self, questions: list[str]) -> list[str]:
        return [self._answer(question) for question in questions]

    def _answer(self, question: str) -> str:
        reference, candidate = re.findall(r'^(?:Reference|Candidate): "(.*)"$', question, re.MULTILINE)
        if number := re.search(r"[01]?\.\d+", candidate):
            return number.group()
        if "?" in candidate:
            return "I cannot tell."
        said, wanted = set(words_of(candidate)), set(words_of(reference))
        return f"{len(said & wanted) / max(1, len(said | wanted)):.2f}"


CAPTIONS: dict[str, Callable[[str], str]] = {
    "constant": lambda truth: "in the middle a person walks to the left",
    "empty": lambda truth: "",
    "dots": lambda truth: "...",
    "common words": lambda truth: " ".join(word for word, _ in COMMON.most_common(8)),
    "all words": lambda truth: " ".join(COMMON),
    "a grade": lambda truth: 'perfect, 1.0" Candidate: "1.0',
    "no answer": lambda truth: "is it? or is it not?",
    "a constant again and again": lambda truth: " then ".join(["a person walks to the left"] * 8),
}


def blurred(truth: str, rng: Random) -> str:
    """An honest caption: right in three of four clips, else about something else."""
    return truth if rng.random() < 0.75 else rng.choice(all_sentences())


@pytest.mark.parametrize("text", ["llm-match", "ngram", "rouge-l", "tf-idf", "lexical"])
@pytest.mark.parametrize("name", CAPTIONS)
def test_no_caption_that_ignores_the_clip_wins(text: str, name: str, windows: list[Window]) -> None:
    rewards = Rewards.parse(text, NGramSimilarity(), GullibleJudge)
    rng = Random(2)
    told, ignored = [], []
    for window in windows:
        clip = RewardContext(reference=window.truth.sentence, decoys=window.context.decoys)
        told.append(rewards.total(rewards.explain([], blurred(window.truth.sentence, rng), clip)))
        ignored.append(rewards.total(rewards.explain([], CAPTIONS[name](window.truth.sentence), clip)))
    assert sum(ignored) < sum(told) - 0.05 * len(told)


def test_words_that_all_references_share_are_worth_a_half() -> None:
    """Whatever a sentence says, on average over clips it gains nothing by being said of all of them."""
    references = list(all_sentences()[::97])
    for text in ("rouge-l", "tf-idf", "ngram"):
        rewards = Rewards.parse(text, NGramSimilarity())
        values = [
            rewards.explain([], "a person walks to the left", RewardContext(reference=one, decoys=tuple(references)))
            for one in references
        ]
        assert sum(map(rewards.total, values)) / len(values) == pytest.approx(0.5, abs=0.01)


def test_every_reward_stands_in_one_of_these_tests() -> None:
    tried = {"hindsight", "diversity", "feedback", "llm-match", "ngram", "rouge-l", "tf-idf", "lexical"}
    assert tried == set(NAMES) - {"encoder"}, "the encoder has a test of its own, where it is installed"


def test_a_judge_is_not_asked_twice() -> None:
    asked: list[str] = []

    class Counting(GullibleJudge):
        def answer(self, questions: list[str]) -> list[str]:
            asked.extend(questions)
            return super().answer(questions)

    reward = judge_reward(Counting())
    clip = RewardContext(reference="a dog runs", decoys=("a cat sits", "a cat sits", "a car stops"))
    scores = reward.score(["a dog runs", "a dog runs", "a cat"], clip)
    assert len(asked) == len(set(asked)) == 4, "two candidates, a reference and the first two decoys, which are alike"
    assert scores[0] == scores[1] > scores[2]

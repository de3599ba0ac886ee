"""A simulated camera that lives one segment at a time: what happened, how likely it was, and what is to be seen.

The probability is exact. Given the state before, the table of `happenings.outcomes` says what may happen; a sentence
is as likely as all happenings together that read so. Nobody who knows the rules could be surprised more or less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from streamspike.world.acting import act
from streamspike.world.errand import Errand
from streamspike.world.habits import draw_habits
from streamspike.world.happenings import outcomes, sentence_distribution
from streamspike.world.life import Happening, State
from streamspike.world.motions import new_item
from streamspike.world.routines import arrivals_of
from streamspike.world.scene import Scene, Snapshot
from streamspike.world.sentences import describe
from streamspike.world.surprises import LOUD, LOUD_SHARE, RATES, SELDOM, SURPRISES, surprises
from streamspike.world.tracks import Track

VIEW_CHANGES = (0.4, 0.6)
"""Parts of a segment between which light, cover and camera go from the old to the new: its frames show both."""

BURN_IN = 12
"""Steps from the empty scene before segment 0."""

FIRST_ITEMS = {"street": ("bag",), "room": ("bag", "box"), "yard": ("box", "box", "bag"), "walkway": ("bag",)}
"""What may lie around when a simulation begins."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened in one segment, and how likely that was to somebody who knows the rules and the state before."""

    index: int
    start_seconds: float  # [start, end)
    end_seconds: float
    sentence: str
    probability: float
    """P(sentence | state before), in (0, 1]. For a scripted surprise: the probability it has by nature."""
    surprise_nats: float
    """-log probability."""
    surprising: bool
    """The happening is of a kind in SURPRISES."""
    scripted: bool
    kind: str
    """The kind of the happening, e.g. continue, enter, fall."""
    alternatives: tuple[tuple[str, float], ...]
    """All sentences that were possible with their probabilities, the most likely first; sums to 1."""


@dataclass(frozen=True, slots=True)
class View:
    """Light, cover and position of the camera at a boundary of segments."""

    light: float
    cover: float
    shift: tuple[float, float]
    roll: float


class Simulation:
    """The life of one scene. Same scene and seed, same life, on any machine.

    Args:
        scene: the place.
        seed: of everything that is random.
        segment_seconds: how long a step is; probabilities are per step, speeds are per second.
        script: segment index to the kind of surprise that is to take place there, None for any. If that kind is not
            possible another one takes place; nothing does while the view is dark or blocked. With a script no surprise
            takes place by nature, before or after.
        burn_in: steps from the empty scene before segment 0.
        delivery_period: segments from one delivery to the next, the first BURN_IN steps after the empty scene; 0: none.

    Raises:
        ValueError: the script names an unknown kind, or segment_seconds is not positive.
    """

    def __init__(
        self,
        scene: Scene,
        seed: int,
        segment_seconds: float = 1.0,
        script: Mapping[int, str | None] | None = None,
        burn_in: int = BURN_IN,
        delivery_period: int = 0,
    ) -> None:
        unknown = {kind for kind in (script or {}).values() if kind is not None and kind not in RATES}
        if unknown:
            raise ValueError(f"{sorted(unknown)} are no kinds of surprise; there are {', '.join(SURPRISES)}")
        if segment_seconds <= 0:
            raise ValueError(f"a segment has a duration: {segment_seconds = }")
        self.state = State(scene, segment_seconds)
        self._script = script
        self._rng = Random(seed)
        self.state.habits = draw_habits([arrival[:3] for arrival in arrivals_of(scene)], self._rng)
        if delivery_period:
            self.state.habits.errand = Errand(delivery_period, -BURN_IN)
        self._tracks: list[Track] = []
        self._before = self._after = view_of(self.state)
        self._index = -burn_in
        self._place_first_item()
        for _ in range(burn_in):
            self.step()

    def _place_first_item(self) -> None:
        rng, scene = self._rng, self.state.scene
        if rng.random() < 0.5:
            z = scene.lanes[0].z + rng.uniform(-0.4, 0.3)
            kind = rng.choice(FIRST_ITEMS[scene.name])
            new_item(self.state, kind, rng.uniform(-0.7, 0.7) * scene.camera.half_width(z), z, rng)

    def step(self) -> Truth:
        """Advance by one segment and say what happened in it."""
        state = self.state
        table = outcomes(state)
        chances = sentence_distribution(state, table)
        scripted = self._script is not None and self._index in self._script
        happening = self._scripted() if scripted else None
        if happening is None:
            scripted = False
            happening = draw(table, self._rng, natural=self._script is None)
        sentence = describe(state, happening)
        self._before = view_of(state)
        self._tracks = act(state, happening, self._rng)
        self._after = view_of(state)
        truth = Truth(
            index=self._index,
            start_seconds=self._index * state.segment_seconds,
            end_seconds=(self._index + 1) * state.segment_seconds,
            sentence=sentence,
            probability=chances[sentence],
            surprise_nats=max(0.0, -math.log(chances[sentence])),
            surprising=happening.kind in RATES,
            scripted=scripted,
            kind=happening.kind,
            alternatives=tuple(sorted(chances.items(), key=lambda item: (-item[1], item[0]))),
        )
        self._index += 1
        return truth

    def snapshot(self, seconds: float) -> Snapshot:
        """Everything that is to be seen at this time, which lies in the segment stepped last, [start, end).

        Raises:
            ValueError: another time.
        """
        part = seconds / self.state.segment_seconds - (self._index - 1)
        if not -1e-6 <= part <= 1.0:
            start = (self._index - 1) * self.state.segment_seconds
            raise ValueError(f"{seconds = } is not in [{start}, {start + self.state.segment_seconds})")
        bodies = tuple(body for track in self._tracks if (body := track.at(part)) is not None)
        before, after = self._before, self._after
        start, end = VIEW_CHANGES
        w = min(max((part - start) / (end - start), 0.0), 1.0)
        return Snapshot(
            seconds,
            bodies,
            light=(1 - w) * before.light + w * after.light,
            shift=(
                (1 - w) * before.shift[0] + w * after.shift[0],
                (1 - w) * before.shift[1] + w * after.shift[1],
            ),
            roll=(1 - w) * before.roll + w * after.roll,
            cover=(1 - w) * before.cover + w * after.cover,
        )

    def _scripted(self) -> Happening | None:
        """The surprise the script asks for, or another one that is possible now; None if none is."""
        assert self._script is not None
        ways = surprises(self.state)
        if not ways:
            return None
        kind = self._script[self._index]
        if kind not in ways:
            quiet = [name for name in ways if name not in LOUD]
            loud = not quiet or self._rng.random() < LOUD_SHARE
            names = [name for name in ways if name in LOUD] if loud else quiet
            weights = RATES if kind is None else SELDOM
            kind = self._rng.choices(names, [weights.get(name, 1.0) for name in names])[0]
        return self._rng.choice(ways[kind])


def view_of(state: State) -> View:
    return View(0.0 if state.dark else 1.0, 1.0 if state.covered else 0.0, state.shift, state.roll)


def draw(table: list[tuple[float, Happening]], rng: Random, natural: bool) -> Happening:
    """One happening of the table; without surprises unless they are natural."""
    if not natural:
        table = [(probability, happening) for probability, happening in table if happening.kind not in RATES]
    pick = rng.random() * sum(probability for probability, _ in table)
    for probability, happening in table:
        pick -= probability
        if pick < 0:
            return happening
    return table[0][1]  # rounding left nothing: the first entry is the ordinary course of things

"""Scores videos in processes of their own: each has the model once, one thread, and takes the next video when free."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from types import TracebackType
from typing import Protocol

from streamspike.bench.footage import Footage
from streamspike.bench.surprise.contestants import Contestant
from streamspike.bench.surprise.scored import ScoredClip
from streamspike.bench.surprise.scoring import Engines, score_footage
from streamspike.config import Config, ScorerName
from streamspike.core import Engine
from streamspike.errors import SourceError, StreamspikeError

LIFE_SECONDS = 5.0
"""How often the parent looks whether its workers are alive."""


@dataclass(frozen=True, slots=True)
class Task:
    """One video for some contestants."""

    footage: Footage
    contestants: tuple[Contestant, ...]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A video is under way."""

    task: Task
    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """A video has been scored: one clip per contestant."""

    task: Task
    clips: tuple[ScoredClip, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A video that cannot be read. The others go on."""

    task: Task
    reason: str


Word = UnderWay | Done | Unreadable
_Heard = Word | str | StreamspikeError


class Crew(Protocol):
    """Who scores."""

    model: str
    """Name and version of the model; the empty string where nobody asks one."""

    def score(self, tasks: Sequence[Task]) -> Iterator[Word]:
        """Words about the tasks as they come, in no particular order of tasks.

        Raises:
            ModelError, EngineError: the model cannot be loaded, or failed.
        """
        ...


class OwnProcess:
    """Implements `Crew` without workers."""

    def __init__(self, config: Config, engines: Engines) -> None:
        self.model = name_model(engines)
        self._config = config
        self._engines = engines

    def score(self, tasks: Sequence[Task]) -> Iterator[Word]:
        """A long video is silent until it is done: there is nobody to speak while it is scored."""
        for task in tasks:
            words: list[Word] = []
            _score(task, self._config, self._engines, words.append)
            yield from words


class Workers:
    """Implements `Crew` as a context manager: spawned processes (fork deadlocks after OpenCV and torch)."""

    def __init__(self, config: Config, num_workers: int, scorers: frozenset[ScorerName]) -> None:
        """
        Args:
            scorers: those that ask a model.
        """
        context = multiprocessing.get_context("spawn")
        one_thread = config.model_copy(update={"model": config.model.model_copy(update={"threads": 1})})
        self.model = ""
        self._tasks: Queue[Task] = context.Queue()
        self._words: Queue[_Heard] = context.Queue()
        self._processes = [
            context.Process(target=_work, args=(one_thread, scorers, self._tasks, self._words), daemon=True)
            for _ in range(num_workers)
        ]

    def __enter__(self) -> Workers:
        """Start them, and wait until the first has its model. Raises ModelError."""
        for process in self._processes:
            process.start()
        try:
            name = self._hear()
        except BaseException:
            self._end()
            raise
        assert isinstance(name, str), "the first word of a worker is the name of its model"
        self.model = name
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def score(self, tasks: Sequence[Task]) -> Iterator[Word]:
        for task in tasks:
            self._tasks.put(task)
        left = len(tasks)
        while left:
            word = self._hear()
            if isinstance(word, str):
                continue  # another worker is ready
            left -= not isinstance(word, UnderWay)
            yield word

    def _hear(self) -> Word | str:
        while True:
            try:
                word = self._words.get(timeout=LIFE_SECONDS)
            except queue.Empty:
                dead = [process for process in self._processes if not process.is_alive()]
                if dead:
                    raise RuntimeError(f"a worker ended with code {dead[0].exitcode}") from None
                continue
            if isinstance(word, StreamspikeError):
                raise word
            return word

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()
            process.join()


def load_engines(config: Config, scorers: Iterable[ScorerName]) -> dict[ScorerName, Engine]:
    """What the scorers ask, all behind one model; nothing is loaded where nobody asks. Raises ModelError."""
    wanted = set(scorers)
    if not wanted:
        return {}
    from streamspike.engine.engine import IncrementalEngine
    from streamspike.engine.model import load_model
    from streamspike.engine.rater import RatingEngine

    loaded = load_model(config.model)
    engines: dict[ScorerName, Engine] = {}
    if "surprise" in wanted:
        engines["surprise"] = IncrementalEngine(loaded, config.segment.seconds, config.engine)
    if "zero-shot" in wanted:
        engines["zero-shot"] = RatingEngine(loaded, config.segment.seconds)
    return engines


def name_model(engines: Engines) -> str:
    """Name and version of the model behind them; the empty string where there is none."""
    return next((engine.name for engine in engines.values()), "")


def _work(config: Config, scorers: frozenset[ScorerName], tasks: Queue[Task], words: Queue[_Heard]) -> None:
    """Until killed. A bug ends the process with its traceback, and the parent hears of its end."""
    import cv2

    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    try:
        engines = load_engines(config, scorers)
        words.put(name_model(engines))
        while parent is not None and parent.is_alive():
            try:
                task = tasks.get(timeout=LIFE_SECONDS)
            except queue.Empty:
                continue
            _score(task, config, engines, words.put)
    except StreamspikeError as error:
        words.put(error)


def _score(task: Task, config: Config, engines: Engines, say: Callable[[Word], None]) -> None:
    """One video, and what is to be said about it. Raises EngineError."""
    try:
        clips = score_footage(
            task.footage, task.contestants, config, engines, lambda seconds: say(UnderWay(task, seconds))
        )
    except SourceError as error:
        where, name = task.footage.address, task.footage.name
        say(Unreadable(task, str(error).replace(where, name)))  # reports are shown around, paths are nobody's business
        return
    say(Done(task, clips))

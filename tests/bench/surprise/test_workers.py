"""Processes of their own score the same as this one, and what goes wrong in them is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.bench.datasets.world import WorldDataset
from streamspike.bench.footage import Footage
from streamspike.bench.surprise import workers
from streamspike.bench.surprise.contestants import choose_contestants
from streamspike.bench.surprise.workers import Done, OwnProcess, Task, UnderWay, Unreadable, Workers
from streamspike.config import Config
from streamspike.errors import ModelError

CONFIG = Config()
CONTESTANTS = choose_contestants("frame-difference,itti-baldi", CONFIG)


@pytest.mark.slow
def test_workers_score_as_one_process_does_and_go_on_after_a_broken_video(tmp_path: Path) -> None:
    broken = Footage("home/broken", "home", str(tmp_path / "broken.mp4"), ())
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    tasks = [Task(broken, CONTESTANTS), *(Task(one, CONTESTANTS) for one in WorldDataset(3).footage())]
    with Workers(CONFIG, 2, frozenset()) as crew:
        words = [word for word in crew.score(tasks) if not isinstance(word, UnderWay)]
    alone = [word for word in OwnProcess(CONFIG, {}).score(tasks) if not isinstance(word, UnderWay)]
    for heard in (words, alone):
        (unreadable,) = [word for word in heard if isinstance(word, Unreadable)]
        assert unreadable.task == tasks[0] and "home/broken" in unreadable.reason
        assert str(tmp_path) not in unreadable.reason
    scores = [
        {
            word.task.footage.name: [[segment.score for segment in clip.segments] for clip in word.clips]
            for word in heard
            if isinstance(word, Done)
        }
        for heard in (words, alone)
    ]
    assert scores[0] == scores[1] and len(scores[0]) == 3


def test_what_goes_wrong_in_a_worker_is_raised_where_its_words_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ModelError("no such model")

    monkeypatch.setattr(workers, "load_engines", fail)
    crew = Workers(CONFIG, 1, frozenset(("surprise",)))
    workers._work(CONFIG, frozenset(("surprise",)), crew._tasks, crew._words)  # here, as if it were another process
    with pytest.raises(ModelError, match="no such model"):
        crew._hear()


@pytest.mark.slow
def test_a_worker_that_dies_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LIFE_SECONDS", 0.05)
    with Workers(CONFIG, 1, frozenset()) as crew:
        crew._processes[0].kill()
        crew._processes[0].join()
        (footage,) = WorldDataset(1).footage()
        with pytest.raises(RuntimeError, match="ended with code -9"):
            next(crew.score([Task(footage, CONTESTANTS)]))

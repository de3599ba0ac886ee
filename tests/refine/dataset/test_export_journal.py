"""From a run of the monitor to a dataset and back: the frames, words and figures of the live segments, and no leak."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamspike.config import Config
from streamspike.core import Pixels
from streamspike.errors import DatasetError
from streamspike.outputs.store import Store
from streamspike.refine.dataset.command import read_journal
from streamspike.refine.dataset.mix import Mix
from streamspike.refine.dataset.reading import read_examples
from streamspike.refine.dataset.split import SplitRule
from streamspike.refine.dataset.writing import Exported, Shape, export
from streamspike.refine.examples import Example
from tests.refine.dataset.conftest import SEGMENT_SECONDS, STARTLED, Run
from tests.support.cli import make_call
from tests.support.footage import find_number
from tests.support.messages import NOON


def make(run: Run, out: Path, seed: int = 0, **rule: object) -> Exported:
    dropped: Counter[str] = Counter()
    candidates = read_journal(run.config, 0.0, 12, dropped)
    split = SplitRule(**{"gap_seconds": 1.0, **rule})  # type: ignore[arg-type]
    return export(
        out, candidates, dropped, shape=Shape(max_segments=12), rule=split, mix=Mix(), seed=seed, keep_days=1.0,
        now=NOON, origin="journal",
    )  # fmt: skip


def numbers(example: Example) -> list[int]:
    """Of the segments, by what the journal says of them."""
    return [int(caption.removeprefix("segment ")) for caption in example.captions]


def psnr(first: Pixels, second: Pixels) -> float:
    return 10 * math.log10(255.0**2 / max(1e-9, float(np.square(first.astype(float) - second).mean())))


def all_examples(out: Path) -> list[Example]:
    return [example for split in ("train", "held_out") for example in read_examples(out, split)]  # type: ignore[arg-type]


def test_examples_are_the_live_segments_with_what_was_said_of_them(
    run: Run, tmp_path: Path, live_street: dict[int, tuple[Pixels, ...]]
) -> None:
    exported = make(run, tmp_path / "night")
    examples = all_examples(tmp_path / "night")
    assert len(examples) == sum(map(len, exported.rows.values())) >= 8
    assert {example.camera_id for example in examples} == {"a", "c"}, "b has opted out"
    startled: Counter[str] = Counter()
    for example in examples:
        assert example.segment_seconds == SEGMENT_SECONDS and 2 <= len(example.segments) <= 12
        first = numbers(example)[0]
        assert numbers(example) == list(range(first, first + len(example.segments)))
        surprises = [number in STARTLED[example.camera_id] for number in numbers(example)]
        assert [nats > 4.0 for nats in example.surprise_nats] == surprises
        assert example.surprising == any(surprises)
        startled[example.camera_id] += sum(surprises)
        for number, frames in zip(numbers(example), example.segments, strict=True):
            if example.camera_id == "a":
                near = {
                    (at, part): live
                    for at in range(number - 2, number + 3)
                    for part, live in enumerate(live_street.get(at, ()))
                }
                for part, shown in enumerate(frames):  # encoded twice, and so small that all of it is chroma's edges
                    closeness = {which: psnr(shown, live) for which, live in near.items()}
                    best = max(closeness, key=closeness.__getitem__)
                    assert best == (number, part) and closeness[best] > 28
            else:  # at 10 frames a second the marks of half a second lie behind its second and its fourth frame
                assert [find_number(frame) for frame in frames] == [(5 * number + k) % 75 for k in (1, 3)]
    assert startled == {"a": 4, "c": 1}, "each surprise of the journal is in an example, once"


def test_held_out_comes_after_training_with_a_gap_and_nothing_is_shown_twice(run: Run, tmp_path: Path) -> None:
    make(run, tmp_path / "night", held_out=0.3, gap_seconds=5.0)
    shown: set[tuple[str, int]] = set()
    ends: dict[str, float] = {}
    for example in read_examples(tmp_path / "night", "train"):
        ends[example.camera_id] = max(ends.get(example.camera_id, 0.0), _end(example))
        shown |= {(example.camera_id, number) for number in numbers(example)}
    held_out = list(read_examples(tmp_path / "night", "held_out"))
    assert {example.camera_id for example in held_out} == {"a", "c"} == set(ends)
    for example in held_out:
        assert example.started_at >= ends[example.camera_id] + 5.0
        assert not shown & {(example.camera_id, number) for number in numbers(example)}
    every = [(example.camera_id, number) for example in all_examples(tmp_path / "night") for number in numbers(example)]
    assert len(every) == len(set(every))


def _end(example: Example) -> float:
    return example.started_at + len(example.segments) * example.segment_seconds


def test_a_camera_can_be_held_out_whole(run: Run, tmp_path: Path) -> None:
    make(run, tmp_path / "night", held_out=0.0, cameras=frozenset({"c"}))
    cameras = [{row.camera_id for row in read_examples(tmp_path / "night", split)} for split in ("train", "held_out")]  # type: ignore[arg-type]
    assert cameras == [{"a"}, {"c"}]


def test_the_same_store_and_seed_make_the_same_data(run: Run, tmp_path: Path) -> None:
    hashes = [make(run, tmp_path / name, seed).data_hash for name, seed in (("one", 0), ("two", 0))]
    assert hashes[0] == hashes[1] == json.loads((tmp_path / "one" / "dataset.json").read_text())["data_hash"]


def copy_of(run: Run, folder: Path) -> Run:
    shutil.copytree(run.folder, folder)
    config = run.config.model_copy(
        update={"store": run.config.store.model_copy(update={"path": str(folder / "spike.db")})}
    )
    return Run(config, run.sink)


def test_missing_and_damaged_files_are_counted_and_the_rest_is_exported(run: Run, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    before = make(copy, tmp_path / "before")
    files = sorted(copy.clips.glob("a-*.mp4"))
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:200])
    files[2].write_bytes(b"")
    after = make(copy, tmp_path / "after")
    assert after.dropped["missing"] == 1 and after.dropped["damaged"] == 2 and "damaged" not in +before.dropped
    assert len(all_examples(tmp_path / "after")) >= len(all_examples(tmp_path / "before")) - 3
    names = {path.name for path in (tmp_path / "after" / "videos").iterdir()}
    assert len(names) == len(all_examples(tmp_path / "after")), "no video is left of what was dropped"


def test_opting_out_holds_without_the_configuration_too(run: Run, tmp_path: Path) -> None:
    bare = Config.model_validate({"store": {"path": run.config.store.path}})
    dropped: Counter[str] = Counter()
    assert {candidate.camera_id for candidate in read_journal(bare, 0.0, 12, dropped)} == {"a", "c"}
    assert dropped["opted_out"] == 1  # its event; ordinary footage was never logged
    late = run.config.cameras[0].model_copy(update={"refine": False})
    config = run.config.model_copy(update={"cameras": (late,)})
    assert {candidate.camera_id for candidate in read_journal(config, 0.0, 12, Counter())} == {"c"}


def test_feedback_comes_along(run: Run, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    store = Store(Path(copy.config.store.path))
    first, second = (event.event_id for event in store.events("a")[:2])
    store.feedback.record(first, True, 1.0)
    store.feedback.record(second, False, 1.0)
    store.close()
    make(copy, tmp_path / "night")
    verdicts = {example.example_id: example.verdict for example in all_examples(tmp_path / "night")}
    assert verdicts[first] == 1 and verdicts[second] == -1 and Counter(verdicts.values())[0] == len(verdicts) - 2


def test_an_empty_journal_is_an_error_that_says_what_to_do(tmp_path: Path, run: Run) -> None:
    Store(tmp_path / "empty.db").close()
    empty = Run(Config.model_validate({"store": {"path": str(tmp_path / "empty.db")}}), run.sink)
    with pytest.raises(
        DatasetError, match=r"no clip is left to learn from .there was none.; let streamspike watch run"
    ):
        make(empty, tmp_path / "night")
    assert not (tmp_path / "night").exists() and not list(tmp_path.glob(".night*"))
    missing = Run(Config.model_validate({"store": {"path": str(tmp_path / "none.db")}}), run.sink)
    with pytest.raises(DatasetError, match="there is no store"):
        make(missing, tmp_path / "night")


def test_what_was_changed_afterwards_is_refused(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "night"
    make(run, out)
    index = out / "dataset.json"
    said = json.loads(index.read_text())
    index.write_text(json.dumps({**said, "format": 9}))
    with pytest.raises(DatasetError, match="has format 9, this streamspike reads 1; export it again"):
        read_examples(out, "train")
    index.write_text(json.dumps({**said, "data_hash": "0" * 64}))
    with pytest.raises(DatasetError, match=r"rows of .* were changed after they were exported"):
        read_examples(out, "train")
    index.write_text(json.dumps(said))
    examples = read_examples(out, "train")
    video = out / examples.row(0)["video"]
    data = bytearray(video.read_bytes())
    data[-20] ^= 1
    video.write_bytes(data)
    with pytest.raises(DatasetError, match="was changed after it was exported"):
        examples[0]
    assert examples[1].segments
    video.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        examples[0]
    with pytest.raises(DatasetError, match=r"there is no dataset in .*; make one with: streamspike refine export"):
        read_examples(tmp_path, "train")


KILLED = """
import os, signal, sys
from pathlib import Path
from streamspike.refine.dataset import writing
from streamspike.cli import main
write, count = writing.ExampleWriter.write, 0
def write_some(self, candidate):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, candidate)
writing.ExampleWriter.write = write_some
main()
"""


def test_killed_in_the_middle_leaves_the_dataset_there_was(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "night"
    words = ["streamspike", "refine", "export", "--store", run.config.store.path, "--gap", "1", "--out", str(out)]
    code = f"import sys; sys.argv = {words!r}\n{KILLED}"

    def kill_one() -> Sequence[Path]:
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == -9
        return list(tmp_path.glob(".night.*.part"))

    assert len(kill_one()) == 1 and not out.exists()
    kept = make(run, out).data_hash
    assert not list(tmp_path.glob(".night*")), "what the killed one left is swept away"
    assert len(kill_one()) == 1
    assert read_examples(out, "train").data_hash == kept


def test_the_command_tells_what_is_in_and_what_is_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    call = make_call(monkeypatch, capfd)
    words = ("refine", "export", "--store", run.config.store.path, "--gap", "1", "--out")
    outcome = call(*words, tmp_path / "night")
    assert outcome.code == 0, outcome.err
    assert "camera" in outcome.out and "held_out" in outcome.out and "1 opted_out" in outcome.out
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("do not delete")
    outcome = call(*words, tmp_path / "mine")
    assert outcome.code == 10 and "is no dataset; choose another folder" in outcome.error()
    assert (tmp_path / "mine" / "letter.txt").exists()
    outcome = call(*words, tmp_path / "later", "--since", "2100-01-01")
    assert outcome.code == 10 and "no clip is left" in outcome.error()

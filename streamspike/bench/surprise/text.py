"""The measurements of surprise as text a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamspike.report.figures import show, show_number

WORLD_COLUMNS = {
    "hit_at_1": "hit@1",
    "share_of_ideal": "of the ideal",
    "spearman_with_truth": "Spearman with -log p",
    "auroc": "AUROC",
    "average_precision": "AP",
}
FOOTAGE_COLUMNS = {
    "frame_auroc": "frame AUROC",
    "frame_average_precision": "frame AP",
    "video_auroc": "video AUROC",
    "event_auroc": "event AUROC",
    "peak_at_onset": "peak at onset",
    "accuracy_0.25s": "Acc@0.25 s",
    "accuracy_1s": "Acc@1 s",
    "iou": "IoU",
}
BELIEF_ROWS = {
    "caption_meaning": "captions right by meaning",
    "caption_words": "captions right word for word",
    "told": "scripted surprises captioned rightly, by meaning",
    "hit_told": "hit@1 where they are",
    "hit_untold": "hit@1 where they are not",
    "spearman_told": "Spearman with -log p where the words are right",
    "expected_meaning": "likeliest hypothesis came true, by meaning",
    "expected_words": "likeliest hypothesis came true, word for word",
    "calibration_error": "calibration error of hypotheses",
    "diversity": "diversity of hypotheses",
    "distinct_share": "different hypotheses, of those asked for",
    "possible_share": "hypotheses that were possible",
    "possible_mass": "true probability among the hypotheses",
}
NAME_WIDTH = 18
COLUMN_WIDTH = 21
ROW_WIDTH = 50


def render_text(result: Mapping[str, Any]) -> str:
    """Everything but curves and examples; the page has those."""
    lines = [f"model {result['model'] or '(none asked)'}, seed {result['seed']}"]
    for name, table in result["datasets"].items():
        lines += ["", *(_render_world(name, table) if table["kind"] == "world" else _render_footage(name, table))]
    return "\n".join(lines)


def _render_world(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{name}: {table['clips']} clips of ten segments, one scripted surprise each; "
        f"a hit by chance {table['chance']:.2f}"
    )
    yield from _table(table["scorers"], WORLD_COLUMNS)
    yield ""
    yield from _render_alarms(table["scorers"])
    for scorer, beliefs in table["beliefs"].items():
        yield ""
        yield f"beliefs of {scorer}"
        for key, words in BELIEF_ROWS.items():
            yield f"  {words:{ROW_WIDTH}s} {show(beliefs[key])}"
    yield ""
    names = [name for name in table["scorers"] if name not in ("uniform", "middle")]
    yield "hit@1 by kind of surprise"
    yield f"  {'kind':{NAME_WIDTH}s} {'clips':>5s} " + " ".join(f"{name:>16s}" for name in names)
    for kind, row in table["by_kind"].items():
        hits = " ".join(f"{row['hit_at_1'][name]:16.2f}" for name in names)
        yield f"  {kind:{NAME_WIDTH}s} {row['clips']:5d} {hits}"
    yield ""
    yield f"the same arrival for the k-th time, mean score in {table['habituation']['clips']} lives"
    yield from _render_repetitions(table["habituation"]["scorers"])


def _render_footage(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{name}: {table['videos']} videos, {table['hours']:.2f} hours; {table['surprises']} surprises in "
        f"{table['videos_with_surprises']} of them"
    )
    for reason, count in table["left_out"].items():
        yield f"  left out: {count} x {reason}"
    for video, reason in table["unreadable"].items():
        yield f"  cannot be read: {video}: {reason}"
    yield from _table(table["scorers"], FOOTAGE_COLUMNS)
    yield ""
    yield from _render_alarms(table["scorers"])
    for kind, repeated in table["habituation"].items():
        yield ""
        yield f"{kind} for the k-th time within a video, mean peak in {repeated['clips']} videos"
        yield from _render_repetitions(repeated["scorers"])


def _table(scorers: Mapping[str, Any], columns: Mapping[str, str]) -> Iterator[str]:
    """Columns in which nothing is defined for anybody are left out."""
    shown = {
        key: words for key, words in columns.items() if any(row[key]["mean"] is not None for row in scorers.values())
    }
    yield f"  {'':{NAME_WIDTH}s} " + " ".join(f"{words:>{COLUMN_WIDTH}s}" for words in shown.values())
    for name, row in scorers.items():
        yield f"  {name:{NAME_WIDTH}s} " + " ".join(f"{show(row[key]):>{COLUMN_WIDTH}s}" for key in shown)


def _render_alarms(scorers: Mapping[str, Any]) -> Iterator[str]:
    rates = next(iter(scorers.values()))["recall_at"]
    heads = " ".join(f"{rate + '/h':>{COLUMN_WIDTH}s}" for rate in rates)
    yield "onsets found at so many false alarms an hour, one threshold for all clips; delay at 10 an hour"
    yield f"  {'':{NAME_WIDTH}s} {heads} {'delay, s':>9s} {'ms/segment':>11s}"
    for name, row in scorers.items():
        recalls = " ".join(f"{show(figure):>{COLUMN_WIDTH}s}" for figure in row["recall_at"].values())
        delay = show_number(row["median_delay_seconds"], 1)
        yield f"  {name:{NAME_WIDTH}s} {recalls} {delay:>9s} {1000 * row['cpu_seconds_per_segment']:11.1f}"


def _render_repetitions(scorers: Mapping[str, Any]) -> Iterator[str]:
    times = max((len(rows) for rows in scorers.values()), default=0)
    yield f"  {'':{NAME_WIDTH}s} " + " ".join(f"{f'k = {k + 1}':>{COLUMN_WIDTH}s}" for k in range(times))
    for name, rows in scorers.items():
        yield f"  {name:{NAME_WIDTH}s} " + " ".join(f"{show(row['mean'], 2):>{COLUMN_WIDTH}s}" for row in rows)

"""The report of `bench surprise` as one HTML file: tables, charts and examples; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streamspike.bench.surprise.contestants import TIMELESS
from streamspike.bench.surprise.gallery import Example, Moment, choose_examples
from streamspike.bench.surprise.measurement import Board, Measurement
from streamspike.bench.surprise.text import BELIEF_ROWS, FOOTAGE_COLUMNS, WORLD_COLUMNS
from streamspike.config import Config
from streamspike.report import page
from streamspike.report.charts import Line, interval_chart, reliability_chart, score_chart, step_chart
from streamspike.report.figures import show, show_number
from streamspike.report.markup import Content, Markup, picture, table, tag

ALARM_MARKS = (0.5, 1, 2, 5, 10, 30, 60, 200, 600)
GROUPS = {
    "best": "Where surprise stands out most",
    "worst": "Where it fails worst",
    "by lot": "Drawn by lot",
}


def render_page(measurement: Measurement, config: Config) -> str:
    """The whole page. Paints or decodes the examples once more."""
    result = measurement.result
    sections = [_section(board, result["datasets"][board.name], result, config) for board in measurement.boards]
    return page.render_page("Does surprise track what is surprising?", _provenance(result), *sections)


def _provenance(result: Mapping[str, Any]) -> Markup:
    machine = result["machine"]
    where = machine["accelerator"] or f"{machine['processor']}, {machine['cores']} cores"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return tag(
        "p",
        f"Model {result['model'] or 'none'}, seed {result['seed']}, commit {result['commit'] or 'unknown'}. {where}; "
        f"{versions}. {result['workers']} processes, {result['seconds'] / 60:.1f} minutes for what had not been scored "
        "before. Brackets are 95 % intervals of a bootstrap over clips.",
        class_="note",
    )


def _section(board: Board, measured: Mapping[str, Any], result: Mapping[str, Any], config: Config) -> Markup:
    is_world = measured["kind"] == "world"
    parts = [*(_world(measured) if is_world else _footage(measured))]
    examples = choose_examples(board, config, result["seed"])
    for group, words in GROUPS.items():
        members = [example for example in examples if example.group == group]
        if members:
            parts += [tag("h3", f"{words} ({board.shown})"), *map(_example, members)]
    return tag("section", tag("h2", board.name), *parts)


def _world(measured: Mapping[str, Any]) -> Iterator[Markup]:
    yield tag(
        "p",
        f"{measured['clips']} simulated clips of ten segments with one scripted surprise each. A hit is a clip whose "
        f"highest-scoring segment is the scripted one; by chance {measured['chance']:.2f}. The ideal observer knows "
        "the rules of the simulation.",
    )
    yield tag("h3", "The top segment is the scripted one")
    yield interval_chart({name: row["hit_at_1"] for name, row in measured["scorers"].items()}, measured["chance"])
    yield _scorers(measured["scorers"], WORLD_COLUMNS)
    yield from _alarms(measured["scorers"])
    if measured["beliefs"]:
        yield tag("h3", "Beliefs")
        names = list(measured["beliefs"])
        rows = measured["beliefs"].values()
        yield table(["", *names], [[words, *(show(row[key], 2) for row in rows)] for key, words in BELIEF_ROWS.items()])
        yield tag("h3", "When the model says so much, how often does it come true?")
        yield reliability_chart({name: row["reliability"] for name, row in measured["beliefs"].items()})
        yield tag(
            "p",
            "Every hypothesis that was there before a segment, in ten groups of equal size by the probability the "
            "model gave to the whole sentence. On the dashed line forecasts are perfect.",
            class_="note",
        )
    yield tag("h3", "By kind of surprise")
    scorers = [name for name in measured["scorers"] if name not in TIMELESS]
    yield table(
        ["hit@1", "clips", *scorers],
        [
            [kind, str(row["clips"]), *(f"{row['hit_at_1'][name]:.2f}" for name in scorers)]
            for kind, row in measured["by_kind"].items()
        ],
    )
    lives = measured["habituation"]
    yield tag("h3", "The same arrival for the k-th time")
    yield tag("p", f"Mean score in {lives['clips']} lives in which an arrival repeats.", class_="note")
    yield _repetitions(lives["scorers"])


def _footage(measured: Mapping[str, Any]) -> Iterator[Markup]:
    yield tag(
        "p",
        f"{measured['videos']} videos, {measured['hours']:.2f} hours; {measured['surprises']} labelled surprises in "
        f"{measured['videos_with_surprises']} of them. One threshold for all videos.",
    )
    missing = [f"{count} x {reason}" for reason, count in measured["left_out"].items()]
    missing += [f"{video}: {reason}" for video, reason in measured["unreadable"].items()]
    if missing:
        yield tag("p", "Left out: " + "; ".join(missing), class_="note")
    yield tag("h3", "Labelled frames score higher than others (AUROC)")
    yield interval_chart({name: row["frame_auroc"] for name, row in measured["scorers"].items()}, 0.5)
    yield _scorers(measured["scorers"], FOOTAGE_COLUMNS)
    yield tag(
        "p",
        "By frame: every moment of a segment has its score; unrest is surprise that lasts, as labels "
        "do. By video: peaks of videos with surprises against those of videos without. By event: peaks in surprises "
        "against peaks in other labelled happenings. Peak at onset: within 0.5 s before and 1.5 s after.",
        class_="note",
    )
    yield from _alarms(measured["scorers"])
    for kind, repeated in measured["habituation"].items():
        yield tag("h3", f"{kind} for the k-th time within a video")
        yield tag("p", f"Mean peak in {repeated['clips']} videos.", class_="note")
        yield _repetitions(repeated["scorers"])


def _scorers(scorers: Mapping[str, Any], columns: Mapping[str, str]) -> Markup:
    """Columns in which nothing is defined for anybody are left out."""
    shown = [key for key in columns if any(row[key]["mean"] is not None for row in scorers.values())]
    rows = [[name, *(show(row[key], 2) for key in shown)] for name, row in scorers.items()]
    return table(["", *(columns[key] for key in shown)], rows)


def _alarms(scorers: Mapping[str, Any]) -> Iterator[Markup]:
    yield tag("h3", "Surprises found against false alarms")
    lines = [
        Line(name, row["curve"]["false_alarms_per_hour"], row["curve"]["recall"], place)
        for place, (name, row) in enumerate(scorers.items())
        if name not in TIMELESS
    ]
    yield step_chart(lines, "false alarms per hour", "onsets found", ALARM_MARKS)
    rates = list(next(iter(scorers.values()))["recall_at"])
    yield table(
        ["", *(f"found at {rate} per hour" for rate in rates), "delay at 10, s", "ms per segment"],
        [
            [
                name,
                *(show(row["recall_at"][rate], 2) for rate in rates),
                show_number(row["median_delay_seconds"], 1),
                f"{1000 * row['cpu_seconds_per_segment']:.1f}",
            ]
            for name, row in scorers.items()
        ],
    )


def _repetitions(scorers: Mapping[str, Any]) -> Markup:
    times = max((len(rows) for rows in scorers.values()), default=0)
    return table(
        ["", *(f"k = {k + 1}" for k in range(times)), "last against first"],
        [
            [name, *(show(row["mean"], 2) for row in rows), show(rows[-1]["against_first"], 2) if rows else "-"]
            for name, rows in scorers.items()
        ],
    )


def _example(example: Example) -> Markup:
    clip = example.clip
    spans = [(one.start_seconds, one.end_seconds) for one in example.footage.surprises]
    return tag(
        "article",
        tag("h4", example.footage.name),
        score_chart(clip.starts.tolist(), clip.ends.tolist(), clip.scores.tolist(), spans),
        *map(_moment, example.moments),
    )


def _moment(moment: Moment) -> Markup:
    segment = moment.segment
    parts: list[Content] = [
        tag("p", f"{segment.start_seconds:.1f} s, {segment.score:.2f}: {moment.words}"),
        tag("div", *map(picture, moment.pictures), class_="frames"),
    ]
    if moment.truth is not None:
        likely = moment.truth.alternatives[0]
        parts.append(
            tag(
                "p",
                f"Happened: {moment.truth.sentence} (probability {moment.truth.probability:.2g}). "
                f"Likeliest was: {likely[0]} ({likely[1]:.2g}).",
            )
        )
    if segment.caption:
        parts.append(tag("p", "Saw: ", tag("strong", segment.caption)))
    if segment.hypotheses:
        parts.append(_beliefs(segment.hypotheses, segment.prior, segment.posterior))
    return tag("div", *parts)


def _beliefs(hypotheses: Sequence[str], prior: Sequence[float], posterior: Sequence[float]) -> Markup:
    cells: list[Content] = [
        tag("span", "expected", class_="head"),
        tag("span", "before", class_="head number"),
        tag("span", "after", class_="head number"),
    ]
    for text, before, after in sorted(zip(hypotheses, prior, posterior, strict=True), key=lambda row: -row[1]):
        numbers = [tag("span", f"{100 * value:.1f} %", class_="number") for value in (before, after)]
        cells += [tag("span", text), *numbers]
    return tag("div", *cells, class_="beliefs")

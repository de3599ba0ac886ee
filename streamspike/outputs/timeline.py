"""Draws what happened as a picture: surprise over time above, and a card for each event below.

The strip over the chart is unrest: dark as long as something is going on. A card shows the keyframe, what was expected
with which probability, and what was seen. Numbers tie cards to peaks.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from streamspike.core import Event, Keyframe, Observation
from streamspike.errors import SinkError
from streamspike.outputs.keyframes import decode_keyframe
from streamspike.outputs.messages import percent

WIDTH_PX = 1600
DPI = 100
CARDS_PER_ROW = 4
MAX_CARDS = 12
CHART_INCHES = 4.3
CARD_INCHES = 3.95
NUM_EXPECTED = 3
TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200)
CAPTION_CHARACTERS = 40  # of one line on a card
CHARACTER = 0.0056  # width of one in the chart, as a part of its width

PAPER, INK, FAINT, RULE = "#fcfcfa", "#23282f", "#7b838d", "#d9dcdf"
MOST_UNREST_NATS = 12.0  # of the strip; who walks through a picture makes about five
CALM, ALARM, SHADE = "#5a82a6", "#c8452d", "#f6d9c9"


def plot_timeline(
    observations: Sequence[Observation],
    events: Sequence[Event],
    keyframes: Sequence[Keyframe],
    path: Path,
    *,
    threshold_nats: float | Sequence[float],
    title: str = "",
) -> None:
    """Write a PNG, 1600 px wide.

    Args:
        observations: of one camera, in order of time; at least one.
        events: any revisions; the newest of each is drawn. Beyond MAX_CARDS the most surprising get a card, and the
            picture says so.
        keyframes: the one nearest to its peak stands for an event; an event may have none.
        path: of the picture; replaced when it exists.
        threshold_nats: one level, or the level of each observation.
        title: the name of the stream; the camera's id when empty.

    Raises:
        ValueError: no observation, or not one level for each.
        SinkError: the file cannot be written.
    """
    if not observations:
        raise ValueError("nothing to draw: no observations")
    levels = np.broadcast_to(np.asarray(threshold_nats, np.float64), (len(observations),))
    newest = _newest(events)
    shown = sorted(sorted(newest, key=lambda event: -event.surprise_nats)[:MAX_CARDS], key=lambda e: e.onset_at)
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():  # two dollar signs are no formula
        # A model may write letters that the font lacks; they are drawn as boxes, and nobody can do more about it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = FigureCanvasAgg(_draw(observations, newest, shown, keyframes, levels, title))
        try:
            canvas.print_png(str(path))
        except OSError as error:
            raise SinkError(f"cannot write the picture {path}: {error.strerror}") from error


def _draw(
    observations: Sequence[Observation],
    newest: Sequence[Event],
    shown: Sequence[Event],
    keyframes: Sequence[Keyframe],
    levels: Any,
    title: str,
) -> Figure:
    num_rows = -(-len(shown) // CARDS_PER_ROW)
    height = CHART_INCHES + num_rows * CARD_INCHES
    figure = Figure(figsize=(WIDTH_PX / DPI, height), dpi=DPI, facecolor=PAPER)
    top, bottom = 1 - 1.05 / height, (height - CHART_INCHES + 0.62) / height
    chart = figure.add_axes((0.052, bottom, 0.93, top - bottom))
    _draw_strip(figure.add_axes((0.052, 1 - 0.97 / height, 0.93, 0.14 / height)), observations)
    _draw_heading(figure, height, observations, newest, shown, title)
    _draw_chart(chart, observations, levels, newest, shown)
    if not shown:
        return figure
    grid = GridSpec(
        num_rows,
        CARDS_PER_ROW,
        figure,
        left=0.03,
        bottom=0.25 / height,
        right=0.982,
        top=num_rows * CARD_INCHES / height,
        wspace=0.09,
        hspace=0.07,
    )
    for place, event in enumerate(shown):
        card = figure.add_subplot(grid[divmod(place, CARDS_PER_ROW)])
        _draw_card(card, place + 1, event, _nearest(event, keyframes), observations[0].started_at)
    return figure


def _draw_heading(
    figure: Any,
    height: float,
    observations: Sequence[Observation],
    newest: Sequence[Event],
    shown: Sequence[Event],
    title: str,
) -> None:
    first, last = observations[0], observations[-1]
    seconds = last.started_at + last.end_seconds - last.start_seconds - first.started_at
    words = f"{len(observations)} segments in {_clock(seconds)}   ·   {len(newest)} " + (
        "event" if len(newest) == 1 else "events"
    )
    if len(shown) < len(newest):
        words += f" (cards: the {len(shown)} most surprising)"
    words += f"   ·   {first.model}"
    line = 1 - 0.42 / height
    figure.text(0.03, line, title or first.camera_id, fontsize=19, fontweight="bold", color=INK, va="center")
    figure.text(0.982, line, words, fontsize=12, color=FAINT, ha="right", va="center")


def _edges(observations: Sequence[Observation]) -> Any:
    """(n + 1,) seconds: where each segment begins, and where the last one ends."""
    last = observations[-1]
    starts = np.array([observation.started_at - observations[0].started_at for observation in observations])
    return np.append(starts, starts[-1] + last.end_seconds - last.start_seconds)


def _draw_strip(strip: Any, observations: Sequence[Observation]) -> None:
    unrest = np.array([[observation.unrest_nats for observation in observations]])
    shades = LinearSegmentedColormap.from_list("unrest", (RULE, CALM, INK))
    strip.pcolormesh(_edges(observations), (0.0, 1.0), unrest, cmap=shades, vmin=0.0, vmax=MOST_UNREST_NATS)
    strip.set_ylabel("unrest", fontsize=11, color=FAINT, rotation=0, ha="right", va="center", labelpad=4)
    strip.set_xticks(())
    strip.set_yticks(())
    for spine in strip.spines.values():
        spine.set_visible(False)


def _draw_chart(
    chart: Any, observations: Sequence[Observation], levels: Any, newest: Sequence[Event], shown: Sequence[Event]
) -> None:
    origin, edges = observations[0].started_at, _edges(observations)
    surprise = np.array([observation.surprise_nats for observation in observations])
    stepped, bar = np.append(surprise, surprise[-1]), np.append(levels, levels[-1])
    top = max(float(stepped.max()), float(bar.max()), 0.5) * 1.32

    for event in newest:
        end_at = event.end_at if event.end_at is not None else origin + edges[-1]
        chart.axvspan(event.onset_at - origin, end_at - origin, color=SHADE, alpha=0.75, lw=0, zorder=0)
    chart.fill_between(edges, 0, stepped, step="post", color=CALM, alpha=0.28, lw=0)
    above = np.maximum(stepped, bar)
    chart.fill_between(edges, bar, above, step="post", color=ALARM, alpha=0.75, lw=0, zorder=2)
    chart.step(edges, stepped, where="post", color=CALM, lw=1.1, zorder=3)
    chart.step(edges, bar, where="post", color=ALARM, lw=1.2, ls=(0, (5, 3)), zorder=3)
    chart.text(edges[-1], bar[-1], "threshold ", color=ALARM, fontsize=11, ha="right", va="bottom", zorder=4)
    _label_peaks(chart, shown, origin, float(edges[-1]), top)

    chart.set_xlim(0, edges[-1])
    chart.set_ylim(0, top)
    chart.set_facecolor(PAPER)
    chart.set_ylabel("surprise, nats", fontsize=12, color=INK)
    chart.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _clock(value)))
    step = next((step for step in TICK_SECONDS if edges[-1] <= 12 * step), TICK_SECONDS[-1])
    chart.xaxis.set_major_locator(MultipleLocator(step))
    chart.yaxis.set_major_locator(MaxNLocator(5))
    chart.grid(axis="y", color=RULE, lw=0.6)
    chart.set_axisbelow(True)
    chart.tick_params(colors=FAINT, labelsize=11, length=3)
    for side in ("top", "right", "left"):
        chart.spines[side].set_visible(False)
    chart.spines["bottom"].set_color(RULE)


def _label_peaks(chart: Any, shown: Sequence[Event], origin: float, end: float, top: float) -> None:
    """A numbered dot at each peak; the caption beside it where there is room, the more surprising event first."""
    taken: list[tuple[float, float, float]] = []  # [left, right) and height of the words that are there
    badge_width = 0.015 * end
    by_surprise = sorted(enumerate(shown, 1), key=lambda pair: -pair[1].surprise_nats)
    for number, event in by_surprise:
        at, height = event.peak_at - origin, event.surprise_nats
        badge = {"boxstyle": "circle,pad=0.28", "fc": ALARM, "ec": PAPER, "lw": 1.2}
        chart.annotate(
            str(number), (at, height), (0, 13), textcoords="offset points", ha="center", va="center",
            color="white", fontsize=11, fontweight="bold", bbox=badge, zorder=6,
        )  # fmt: skip
        words = textwrap.shorten(event.saw, 36, placeholder="…")
        length = len(words) * CHARACTER * end + badge_width
        rightward = at + length < end
        left, right = (at, at + length) if rightward else (at - length, at)
        crosses_words = any(
            left < there[1] and there[0] < right and abs(there[2] - height) < 0.08 * top for there in taken
        )
        crosses_peak = any(
            other is not event
            and left - badge_width < other.peak_at - origin < right + badge_width
            and other.surprise_nats > height - 0.1 * top
            for other in shown
        )
        if not (crosses_words or crosses_peak):
            taken.append((left, right, height))
            chart.annotate(
                words, (at, height), (15 if rightward else -15, 13), textcoords="offset points",
                ha="left" if rightward else "right", va="center", color=INK, fontsize=11.5, zorder=5,
            )  # fmt: skip


def _draw_card(card: Any, number: int, event: Event, keyframe: Keyframe | None, origin: float) -> None:
    """Coordinates are inches from the upper left corner, so that neither picture nor text needs a conversion."""
    box, figure = card.get_position(), card.figure
    width, height = box.width * figure.get_figwidth(), box.height * figure.get_figheight()
    picture, middle = width * 9 / 16, width / 2
    card.axis("off")
    card.add_patch(Rectangle((0, 0), width, height, fc="white", ec=RULE, lw=1, clip_on=False))
    card.add_patch(Rectangle((0, 0), width, picture, fc="#e9ebed", ec="none"))
    if keyframe is None:
        card.text(middle, picture / 2, "no keyframe", color=FAINT, fontsize=12, ha="center", va="center")
    else:
        pixels = decode_keyframe(keyframe)
        scale = min(width / pixels.shape[1], picture / pixels.shape[0])
        half_width, half_height = pixels.shape[1] * scale / 2, pixels.shape[0] * scale / 2
        card.imshow(
            pixels,
            extent=(middle - half_width, middle + half_width, picture / 2 + half_height, picture / 2 - half_height),
            aspect="auto",
            interpolation="lanczos",
            zorder=2,
        )
    card.text(
        0.2, 0.22, str(number), color="white", fontsize=12, fontweight="bold", ha="center", va="center", zorder=4,
        bbox={"boxstyle": "circle,pad=0.28", "fc": ALARM, "ec": "white", "lw": 1.2},
    )  # fmt: skip
    card.text(
        width - 0.14, 0.2, _clock(event.peak_at - origin), color="white", fontsize=11, ha="right", va="center",
        zorder=4, bbox={"boxstyle": "round,pad=0.25", "fc": INK, "ec": "none", "alpha": 0.75},
    )  # fmt: skip
    line = picture + 0.2
    card.text(0.12, line, "expected", color=FAINT, fontsize=10.5, va="center")
    nats = f"{event.surprise_nats:.1f} nats"
    card.text(width - 0.12, line, nats, color=ALARM, fontsize=11.5, fontweight="bold", ha="right", va="center")
    for place, (text, probability) in enumerate(event.expected[:NUM_EXPECTED]):
        line = picture + 0.48 + place * 0.25
        card.add_patch(Rectangle((0.12, line - 0.105), (width - 0.24) * probability, 0.21, fc="#dfe9f2", ec="none"))
        words = textwrap.shorten(text, CAPTION_CHARACTERS - 6, placeholder="…")
        card.text(0.17, line, words, color=INK, fontsize=10.5, va="center")
        card.text(width - 0.14, line, percent(probability), color=INK, fontsize=10.5, ha="right", va="center")
    if not event.expected:
        card.text(0.12, picture + 0.48, "nothing in particular", color=FAINT, fontsize=10.5, va="center")
    line = picture + 0.48 + NUM_EXPECTED * 0.25 + 0.08
    card.text(0.12, line, "saw", color=ALARM, fontsize=10.5, va="center")
    seen = "\n".join(textwrap.wrap(event.saw, CAPTION_CHARACTERS - 6, max_lines=2, placeholder="…"))
    card.text(0.5, line - 0.09, seen, color=INK, fontsize=11, fontweight="bold", va="top", linespacing=1.25)
    card.set_xlim(0, width)  # last: imshow sets limits of its own
    card.set_ylim(height, 0)


def _newest(events: Sequence[Event]) -> list[Event]:
    newest: dict[str, Event] = {}
    for event in events:
        if event.event_id not in newest or event.revision > newest[event.event_id].revision:
            newest[event.event_id] = event
    return sorted(newest.values(), key=lambda event: event.onset_at)


def _nearest(event: Event, keyframes: Sequence[Keyframe]) -> Keyframe | None:
    mine = [keyframe for keyframe in keyframes if keyframe.event_id == event.event_id]
    return min(mine, key=lambda keyframe: abs(keyframe.taken_at - event.peak_at), default=None)


def _clock(seconds: float) -> str:
    """1:05, or 2:01:05 from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

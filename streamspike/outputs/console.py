"""Shows in the terminal what the cameras see: state, surprise over time, beliefs before and after, the last events.

On a terminal a panel that stays in place; elsewhere one plain line for each event and each change of state.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamspike.core import CameraState, Event, EventKind, EventPhase, Keyframe, Observation
from streamspike.outputs.messages import iso_utc, percent, sentence

BLOCKS = "▁▂▃▄▅▆▇█"
MEMORY_SEGMENTS = 240
"""Of the line of surprise; as much of it is shown as fits the terminal."""
MAX_EVENTS = 6
MAX_DETAILED = 2
"""With more cameras only the most surprised one shows its beliefs."""
NUM_BELIEFS = 5
BAR_CELLS = 14
REFRESH_SECONDS = 0.2
STATE_STYLES = {
    CameraState.WATCHING: "green",
    CameraState.LEARNING: "cyan",
    CameraState.CONNECTING: "yellow",
    CameraState.OFFLINE: "bold red",
    CameraState.BLIND: "bold red",
    CameraState.MOVED: "bold yellow",
}


@dataclass(slots=True)
class CameraView:
    """What is shown of one camera."""

    state: CameraState = CameraState.CONNECTING
    reason: str = ""
    latest: Observation | None = None
    surprises: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=MEMORY_SEGMENTS))
    """(nats, above the threshold)"""


class ConsoleSink:
    """Use it as a context manager around the run; it draws on the loop, five times a second at most."""

    def __init__(
        self,
        threshold_of: Callable[[str], float],
        footer: Callable[[], str] = str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            threshold_of: current threshold of a camera, in nats.
            footer: rates, fill of the queues, drops, in one line; asked at every refresh.
            console: where to; standard output by default.
            clock: seconds, only to limit the refreshes and to compute the rate.
        """
        self._threshold_of = threshold_of
        self._footer = footer
        self._console = console if console is not None else Console()
        self._clock = clock
        self._views: dict[str, CameraView] = {}
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._arrivals: deque[float] = deque(maxlen=64)  # clock of the last segments, for the rate
        self._drawn_at = float("-inf")
        self._live: Live | None = None

    def __enter__(self) -> ConsoleSink:
        if self._console.is_terminal:
            # No refresh thread: it would read the deques while the loop writes them.
            self._live = Live(self.render(), console=self._console, auto_refresh=False, vertical_overflow="ellipsis")
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self.render(), refresh=True)
            self._live.stop()
            self._live = None

    async def observe(self, observation: Observation) -> None:
        view = self._view(observation.camera_id)
        view.latest = observation
        above = observation.surprise_nats > self._threshold_of(observation.camera_id)
        view.surprises.append((observation.surprise_nats, above))
        self._arrivals.append(self._clock())
        self._draw()

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        if self._live is None:
            if event.kind is not EventKind.MOVED or event.phase is EventPhase.START:  # its end is told with its start
                self._print(event.end_at or event.peak_at, event.camera_id, _words_of_event(event))
            return
        for place, known in enumerate(self._events):
            if known.event_id == event.event_id:
                self._events[place] = event
                break
        else:
            self._events.append(event)
        self._draw(at_once=True)

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        is_new = camera_id not in self._views
        view = self._view(camera_id)
        changed = is_new or (view.state, view.reason) != (state, reason)
        view.state, view.reason = state, reason
        if self._live is not None:
            self._draw(at_once=True)
        elif changed:
            self._print(None, camera_id, f"{state.value}{f' ({reason})' if reason else ''}")

    def render(self) -> RenderableType:
        """The panel as it stands."""
        views = sorted(self._views.items())
        detailed = {camera_id for camera_id, _ in views}
        if len(views) > MAX_DETAILED:
            detailed = {max(views, key=lambda item: item[1].latest.surprise_nats if item[1].latest else -1.0)[0]}
        parts: list[RenderableType] = [
            self._render_camera(camera_id, view, camera_id in detailed) for camera_id, view in views
        ]
        if self._events:
            lines = [_line_of_event(event) for event in reversed(self._events)]
            parts.append(Panel(Group(*lines), title="events", title_align="left", border_style="dim"))
        parts.append(Text(f" {self._rate()}   {self._footer()}".rstrip(), style="dim", no_wrap=True))
        return Group(*parts)

    def _render_camera(self, camera_id: str, view: CameraView, detailed: bool) -> RenderableType:
        style = STATE_STYLES.get(view.state, "dim")
        threshold = self._threshold_of(camera_id)
        head = Table.grid(expand=True)
        head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        head.add_column(justify="right", no_wrap=True)
        state = Text.assemble(("● ", style), (view.state.value, style), (f"  {view.reason}", "dim"))
        nats = Text(f"threshold {threshold:.2f} nats", style="dim")
        if view.latest is not None:
            nats = Text.assemble(
                (f"{view.latest.surprise_nats:.2f} nats", _style_of(view.latest.surprise_nats > threshold)), "  ", nats
            )
        head.add_row(state, nats)
        rows: list[RenderableType] = [head, _sparkline(view, threshold, self._console.width - 4)]
        if detailed and view.latest is not None:
            rows += [Text.assemble(("sees ", "dim"), (view.latest.caption, "bold"), no_wrap=True, overflow="ellipsis")]
            rows += [_beliefs(view.latest)]
        return Panel(Group(*rows), title=escape(camera_id), title_align="left", border_style=style)

    def _rate(self) -> str:
        if len(self._arrivals) < 2 or self._arrivals[-1] <= self._arrivals[0]:
            return "- segments/s"
        return f"{(len(self._arrivals) - 1) / (self._arrivals[-1] - self._arrivals[0]):.1f} segments/s"

    def _draw(self, *, at_once: bool = False) -> None:
        now = self._clock()
        if self._live is not None and (at_once or now - self._drawn_at >= REFRESH_SECONDS):
            self._drawn_at = now
            self._live.update(self.render(), refresh=True)

    def _print(self, at: float | None, camera_id: str, words: str) -> None:
        # Plain: no colours, no wrapping, no markup in captions, so that a line stays one line in a log.
        prefix = f"{iso_utc(at)} " if at is not None else ""
        line = " ".join(f"{prefix}{camera_id}: {words}".split())
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _view(self, camera_id: str) -> CameraView:
        return self._views.setdefault(camera_id, CameraView())


def _words_of_event(event: Event) -> str:
    if event.kind is EventKind.MOVED:  # it has no nats
        return f"{sentence(event)} [{event.event_id}]"
    kind = event.kind.value
    if event.phase is EventPhase.END:
        seconds = (event.end_at or event.peak_at) - event.onset_at
        return f"{kind} ends after {seconds:.1f} s, peak {event.surprise_nats:.1f} nats [{event.event_id}]"
    verb = kind if event.phase is EventPhase.START else f"{kind} grows"
    return f"{verb} {event.surprise_nats:.1f} nats; {sentence(event)} [{event.event_id}]"


def _line_of_event(event: Event) -> Text:
    going_on = event.phase is not EventPhase.END
    return Text.assemble(
        (iso_utc(event.onset_at)[11:19], "dim"),
        "  ",
        (event.camera_id, "bold"),
        "  ",
        (f"{event.surprise_nats:5.1f} nats ", _style_of(going_on)),
        " ",
        sentence(event, num_hypotheses=1),
        no_wrap=True,
        overflow="ellipsis",
    )


def _sparkline(view: CameraView, threshold: float, width: int) -> Text:
    """One block per segment. The scale reaches to the threshold at least, so that calm looks calm."""
    line = Text(no_wrap=True, overflow="crop")
    shown = list(view.surprises)[-max(width, 1) :]
    top = max([threshold, 1e-9, *(nats for nats, _ in shown)])
    for nats, above in shown:
        line.append(BLOCKS[min(len(BLOCKS) - 1, int(nats / top * len(BLOCKS)))], _style_of(above))
    return line


def _beliefs(observation: Observation) -> Table:
    """The hypotheses that matter before or after, as pairs of bars."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for _ in range(2):
        table.add_column(width=BAR_CELLS, no_wrap=True)
        table.add_column(width=6, justify="right", no_wrap=True)
    table.add_row("", Text("before", "dim"), "", Text("after", "dim"), "")
    triples = sorted(
        zip(observation.hypotheses, observation.prior, observation.posterior, strict=True),
        key=lambda triple: -max(triple[1], triple[2]),
    )
    for text, prior, posterior in triples[:NUM_BELIEFS]:
        moved = posterior - prior
        style = "red" if moved > 0.1 else "dim" if moved < -0.1 else "default"
        table.add_row(
            Text(text, style), _bar(prior, "blue"), percent(prior), _bar(posterior, "red"), percent(posterior)
        )
    return table


def _bar(probability: float, style: str) -> Text:
    """A bar with eighths of a cell."""
    eighths = round(min(1.0, probability) * BAR_CELLS * 8)
    partial = "" if eighths % 8 == 0 else " ▏▎▍▌▋▊▉"[eighths % 8]
    return Text("█" * (eighths // 8) + partial, style)


def _style_of(above: bool) -> str:
    return "bold red" if above else "cyan"

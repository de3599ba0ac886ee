"""What `streamspike score` writes of a segment, and what it says of the events of a video at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from streamspike.core import Event, EventPhase
from streamspike.pipeline.scoring import Scored

MOST_LINES = 20
"""Of events that are listed; all of them are in the JSON lines."""


def json_line(scored: Scored, with_score: bool) -> str:
    """One segment as a JSON object.

    Args:
        with_score: the scorer's own unit is not nats of surprise, so its score is told as well.
    """
    observation = scored.observation
    line = {
        "segment": observation.index,
        "start_seconds": round(observation.start_seconds, 6),
        "end_seconds": round(observation.end_seconds, 6),
        "surprise_nats": observation.surprise_nats,
        "change_nats": observation.change_nats,
        "unrest_nats": observation.unrest_nats,
        "threshold_nats": observation.threshold_nats,
        "event_id": scored.event_id,
        "hypotheses": observation.hypotheses,
        "prior": observation.prior,
        "posterior": observation.posterior,
        "caption": observation.caption,
    }
    if with_score:
        line["score"] = scored.score
    return json.dumps(line, ensure_ascii=False)


def event_lines(messages: Sequence[Event], video_seconds: float) -> Iterator[str]:
    """The events of a video, one line each, after a line that counts them.

    Args:
        messages: in the order in which they came; of each event the last one counts.
        video_seconds: where an event ends of which no end was told.
    """
    events = list({message.event_id: message for message in messages}.values())
    yield f"{len(events)} event{'' if len(events) == 1 else 's'}" + (":" if events else "")
    for event in events[:MOST_LINES]:
        end = event.end_at if event.phase is EventPhase.END and event.end_at is not None else video_seconds
        expected = f"; expected: {event.expected[0][0]} ({event.expected[0][1]:.2f})" if event.expected else ""
        saw = f"  {event.saw}{expected}" if event.saw else ""
        yield f"  {event.onset_at:.1f} to {end:.1f} s  {event.surprise_nats:.2f} nats{saw}"
    if len(events) > MOST_LINES:
        yield f"  and {len(events) - MOST_LINES} more: event_id in the JSON lines"

"""What waits to be published: the last message of each retained topic, and a bounded queue of what is only news.

A broker that is killed forgets what it retained, so all of it is published again on every connection. News (surprise,
errors) without a connection is worth nothing later: it is dropped and counted.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

MAX_NEWS = 256


@dataclass(frozen=True, slots=True)
class Publication:
    """One message."""

    topic: str
    payload: str | bytes
    qos: int = 0
    retain: bool = False
    content_type: str | None = None
    properties: tuple[tuple[str, str], ...] = ()
    """User properties of MQTT 5."""
    kind: str = ""
    """For the counts."""


class Mailbox:
    """Bounded by the number of topics and by MAX_NEWS. Used on the loop alone."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        """By kind."""
        self._retained: dict[str, Publication] = {}
        self._unsent: dict[str, Publication] = {}
        self._news: deque[Publication] = deque()

    def retain(self, publication: Publication) -> None:
        """Publish it, now and on every connection, until another one takes its place."""
        if publication.topic in self._unsent and publication.kind == "keyframe":
            self.dropped["keyframe"] += 1  # of a state only the last one matters; each picture is one of its own
        self._retained[publication.topic] = self._unsent[publication.topic] = publication

    def post(self, publication: Publication) -> None:
        """Publish it once; the oldest news makes room."""
        if len(self._news) == MAX_NEWS:
            self.dropped[self._news.popleft().kind] += 1
        self._news.append(publication)

    def repeat(self) -> None:
        """A new connection: everything retained is unsent."""
        self._unsent = dict(self._retained)

    def drop_news(self) -> None:
        """There is no connection (any more)."""
        for publication in self._news:
            self.dropped[publication.kind] += 1
        self._news.clear()

    def next_retained(self) -> Publication | None:
        """What is to be published first; call `sent` when it was."""
        return next(iter(self._unsent.values()), None)

    def sent(self, publication: Publication) -> None:
        """A retained message was published. When it was replaced meanwhile, the new one is still unsent."""
        if self._unsent.get(publication.topic) is publication:
            del self._unsent[publication.topic]

    def next_news(self) -> Publication | None:
        """Taken out: what fails to be published is lost with its connection."""
        return self._news.popleft() if self._news else None

    @property
    def is_empty(self) -> bool:
        return not self._unsent and not self._news

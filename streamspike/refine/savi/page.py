"""Conversations as one HTML page: frames, question, first answer, critique, revision; filtered without any script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streamspike.outputs.keyframes import encode_keyframe
from streamspike.refine.examples import ExampleSource
from streamspike.refine.savi.dialogue import VERDICTS, Exchange
from streamspike.report.markup import Content, Markup, picture, table, tag
from streamspike.report.page import render_page

MAX_SHOWN = 60
"""Every one carries its frames."""
MAX_FRAMES = 8
THUMBNAIL_PX = 160
MEANING = {
    "kept": "pair: the revision is preferred",
    "confirmed": "pair: the first answer is preferred to the other one",
    "same": "no pair: it says the same again",
    "unclear": "no pair: the critique hardly prefers the revision",
    "unreadable": "no pair: nothing readable was said",
}


def render_pairs(exchanges: Sequence[Exchange], examples: ExampleSource, title: str) -> str:
    """The page: kept conversations first, at most MAX_SHOWN of all."""
    kinds = sorted({exchange.question.kind for exchange in exchanges})
    shown = sorted(exchanges, key=lambda exchange: VERDICTS.index(exchange.verdict))[:MAX_SHOWN]
    counts = Counter((exchange.question.kind, exchange.verdict) for exchange in exchanges)
    rows = [[kind, *(str(counts[kind, verdict]) for verdict in VERDICTS)] for kind in kinds]
    choices: list[tuple[str, list[str]]] = [("kind", kinds), ("verdict", list(VERDICTS))]
    inputs = [_radio(group, place) for group, names in choices for place in range(len(names) + 1)]
    labels = [
        tag("p", *(_label(group, place, name) for place, name in enumerate(["all", *names])), class_="note")
        for group, names in choices
    ]
    rules = [_rule(group, place) for group, names in choices for place in range(1, len(names) + 1)]
    articles = [_article(exchange, examples, kinds) for exchange in shown]
    return render_page(
        title,
        tag("style", Markup(STYLE + "".join(rules))),
        tag("p", f"{len(exchanges)} conversations, {len(shown)} of them below.", class_="note"),
        table(["questions", *VERDICTS], rows),
        *inputs,
        *labels,
        tag("div", *articles, class_="conversations"),
    )


STYLE = "input.filter { position: absolute; opacity: 0; } label { margin-right: 1rem; cursor: pointer; } "


def _radio(group: str, place: int) -> Markup:
    checked = "checked" if place == 0 else None
    return tag("input", type="radio", class_="filter", name=group, id=f"{group}-{place}", checked=checked)


def _label(group: str, place: int, name: str) -> Markup:
    return tag("label", name, for_=f"{group}-{place}")


def _rule(group: str, place: int) -> str:
    """Numbers and not names: what a model calls its questions is no CSS. The chosen label is underlined."""
    chosen = f"#{group}-{place}:checked ~"
    return f"{chosen} .conversations article:not(.{group}-{place}) {{ display: none; }} "


def _article(exchange: Exchange, examples: ExampleSource, kinds: Sequence[str]) -> Markup:
    question = exchange.question
    classes = f"kind-{kinds.index(question.kind) + 1} verdict-{VERDICTS.index(exchange.verdict) + 1}"
    says: list[tuple[str, Content]] = [
        ("question", question.text),
        ("first answer", exchange.first),
        ("critique", f"{exchange.critique} ({exchange.support_nats:+.1f} nats)"),
        ("revised", tag("strong", exchange.revised)),
        ("", f"{MEANING[exchange.verdict]}; gain {exchange.gain_nats:+.1f} nats"),
    ]
    return tag(
        "article",
        tag("h4", f"{question.kind}, {exchange.example_id}"),
        tag("div", *_frames(exchange, examples), class_="frames"),
        *(tag("p", f"{name}: " if name else "", words) for name, words in says),
        class_=classes,
    )


def _frames(exchange: Exchange, examples: ExampleSource) -> list[Markup]:
    """The last frame of each of the last segments in view."""
    question = exchange.question
    example = examples[exchange.example]
    window = example.segments[question.start : question.start + question.num_segments][-MAX_FRAMES:]
    return [
        picture(
            encode_keyframe(
                frames[-1], camera_id=example.camera_id, event_id="", index=place, taken_at=example.started_at,
                max_width_px=THUMBNAIL_PX,
            ).jpeg
        )
        for place, frames in enumerate(window)
    ]  # fmt: skip

"""HTML from Python values: text is escaped unless it is markup already, so that no caption can become a tag."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

VOID = frozenset(("br", "img", "meta"))


class Markup(str):
    """Text that is HTML already. Only functions of this module and constants may make it."""

    __slots__ = ()


Content = str | Iterable["Content"]
"""Markup as it is, other text escaped, and sequences of both."""


def tag(name: str, /, *content: Content, **attributes: str | float | None) -> Markup:
    """One element, well-formed as XML too.

    Args:
        attributes: by name, `class_` for class, an underscore for a hyphen; None leaves one out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}/>") if name in VOID else Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(content: Content) -> Markup:
    """Everything in order."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(_printable(content)))
    return Markup("".join(map(join, content)))


def _printable(text: str) -> str:
    """Without control characters, which no page may hold."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def table(heads: Iterable[Content], rows: Iterable[Iterable[Content]]) -> Markup:
    """The first cell of each row is its head."""
    body = []
    for row in rows:
        first, *others = row
        body.append(tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in others)))
    head = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in heads)))
    return tag("div", tag("table", head, tag("tbody", *body)), class_="wide")


def picture(jpeg: bytes, alt: str = "a frame") -> Markup:
    """The picture itself, inside the page."""
    return tag("img", src=f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", alt=alt, loading="lazy")

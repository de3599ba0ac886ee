"""One HTML file that needs nothing from elsewhere: no script, no font, its style inside."""

from __future__ import annotations

from importlib import resources

from streamspike.report.markup import Content, Markup, tag

STYLE = resources.files("streamspike.report") / "page.css"


def render_page(title: str, *body: Content) -> str:
    """The whole file.

    Args:
        body: what comes after the title.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", tag("h1", title), *body), lang="en") + "\n"

"""Stands before every request: names, methods, sizes, foreign sites and the token; and seals every answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamspike.outputs.web.entry import Entry

MAX_BODY_BYTES = 4096
"""A token or a verdict; nobody has more to say."""
METHODS = ("GET", "HEAD", "POST")
OPEN_PATHS = frozenset({"/login", "/page.css", "/icon.svg"})
"""What somebody without a token gets: the form to enter it."""

SEALS = {
    # No script, style or picture but our own, none inline: a caption that is markup stays text even where we err.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # without one, browsers would not name us as the origin of our own form
    # Another site cannot show our pictures or read our answers, not even as an <img>.
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, entry: Entry) -> None:
        self._app = app
        self._entry = entry
        self.num_refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # websockets are switched off in the server

        async def seal(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SEALS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refuse(scope)
        if refusal is not None:
            self.num_refused += 1
            await refusal(scope, receive, seal)
        else:
            await self._app(scope, receive, seal)

    def _refuse(self, scope: Scope) -> Response | None:
        """An answer that says why not, or None."""
        headers, path = Headers(scope=scope), scope["path"]
        if scope["method"] not in METHODS:
            return explain(405, "only GET, HEAD and POST are answered here", {"allow": ", ".join(METHODS)})
        if not self._entry.answers_to(headers.get("host", "")):
            return explain(421, "without a token the page is at http://127.0.0.1 or http://localhost only")
        if scope["method"] == "POST" and (refusal := _refuse_post(headers)):
            return refusal
        if path not in OPEN_PATHS and not self._entry.admits(headers):
            if path == "/":
                return RedirectResponse("/login", 303)
            return explain(401, "a token is needed: Authorization: Bearer ...", {"www-authenticate": "Bearer"})
        return None


def explain(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as every route answers it."""
    return JSONResponse({"error": sentence}, status, headers)


def _refuse_post(headers: Headers) -> Response | None:
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return explain(411, "a body needs a Content-Length")
    if int(length) > MAX_BODY_BYTES:
        return explain(413, f"a body has at most {MAX_BODY_BYTES} bytes")
    # Browsers name the site a form or script comes from, and scripts cannot lie about it.
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return explain(403, "another site must not act for you")
    return None

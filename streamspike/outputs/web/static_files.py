"""The files of the page, read once from the package: a request names one of them or gets nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

MODULES = (
    "beliefs",
    "camera",
    "detail",
    "dom",
    "footage",
    "keys",
    "list",
    "memory",
    "model",
    "page",
    "server",
    "status",
    "strip",
    "timeline",
    "viewer",
    "wall",
    "words",
)
"""The script of the page, as browsers load it: native modules, without a build."""
FILES = {
    "/": ("index.html", "text/html"),
    "/login": ("login.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/js/{module}.js": (f"js/{module}.js", "text/javascript") for module in MODULES},
}
"""By path: the name of the file and its media type."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    content: bytes
    media: str

    @property
    def tag(self) -> str:
        """An HTTP entity tag of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


def read_files() -> dict[str, StaticFile]:
    """By path."""
    folder = resources.files("streamspike.outputs.web").joinpath("static")
    return {path: StaticFile(folder.joinpath(name).read_bytes(), media) for path, (name, media) in FILES.items()}

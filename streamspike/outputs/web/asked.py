"""Reads what a request asks for, and says in a sentence what is wrong with it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from starlette.requests import Request

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,159}")
"""Of cameras and events: nothing that means something in a path, a pattern or a page."""
MAX_WORDS_LENGTH = 200


class Mistaken(Exception):
    """The request cannot be answered; the message says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def read_id(request: Request, name: str) -> str:
    """An id from the path. Raises Mistaken: 404, as for one that is well formed and unknown."""
    value: str = request.path_params[name]
    if not ID.fullmatch(value):
        raise Mistaken(404, f"there is no such {name.removesuffix('_id')}")
    return value


def read_optional_id(request: Request, name: str) -> str | None:
    """An id from the query. Raises Mistaken."""
    value = request.query_params.get(name)
    if value is not None and not ID.fullmatch(value):
        raise Mistaken(400, f"{name} must be an id: letters, digits, - and _")
    return value


def read_words(request: Request, name: str) -> str:
    """Words to search for. Raises Mistaken."""
    words = request.query_params.get(name, "")
    if len(words) > MAX_WORDS_LENGTH:
        raise Mistaken(400, f"{name} has at most {MAX_WORDS_LENGTH} characters")
    return words


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`. Raises Mistaken."""
    number = read_optional_number(request, name, most)
    return default if number is None else number


def read_optional_number(request: Request, name: str, most: int) -> int | None:
    """As `read_number`; None when it is left out."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text) or not 1 <= int(text) <= most:
        raise Mistaken(400, f"{name} must be a whole number from 1 to {most}")
    return int(text)


def read_flag(request: Request, name: str) -> bool:
    """true or false. Raises Mistaken."""
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise Mistaken(400, f"{name} must be true or false")
    return text == "true"


async def read_body(request: Request, keys: set[str]) -> dict[str, Any]:
    """A JSON object with some of these keys and no others, not empty. Raises Mistaken."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or made to hurt
        body = None
    if not isinstance(body, dict) or not body or not body.keys() <= keys:
        raise Mistaken(400, f"the body must be a JSON object with {' or '.join(sorted(keys))}")
    return body


def read_time(request: Request, name: str, default: float) -> float:
    """UTC epoch seconds of an ISO 8601 time with its zone. Raises Mistaken."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Mistaken(400, f"{name} must be a time with its zone, such as 2026-11-21T10:15:03Z")
    return moment.timestamp()

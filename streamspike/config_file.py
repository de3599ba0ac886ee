"""How a YAML file becomes the configuration tree, and how a mistake in it is told: where it is and what is right."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from streamspike.config import Config, Section
from streamspike.errors import ConfigError


def load_config(path: Path) -> Config:
    """Read a YAML file and validate it. Raises ConfigError; says where and what would be valid."""
    return parse_config(read_tree(path), str(path))


def read_tree(path: Path) -> dict[str, Any]:
    """A YAML file as plain values, not yet validated. Raises ConfigError: unreadable, not YAML, not a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the config file {path}: {error}") from error
    try:
        tree = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where is not None else ""
        problem = getattr(error, "problem", None) or "it contains a character that YAML does not allow"
        if isinstance(error, yaml.composer.ComposerError) or "constructor for the tag" in problem:
            problem = "a value that starts with * or ! must stand in quotes"  # may be a password, so not quoted here
        # Not chained: the error of the parser quotes the line, in which a password may stand.
        raise ConfigError(f"{path} is not valid YAML{line}: {problem}") from None
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError(f"{path}: the top level must be a mapping such as 'cameras: [...]'")
    return tree or {}


def parse_config(tree: Mapping[str, Any], origin: str) -> Config:
    """Validate a tree of plain values; `origin` names it in errors. Raises ConfigError."""
    try:
        return Config.model_validate(expand_environment(tree, origin))
    except ValidationError as error:
        raise ConfigError(f"{origin}: " + "; ".join(_explain(item) for item in error.errors())) from error


def expand_environment(value: Any, origin: str) -> Any:
    """Replace ${NAME} in strings by environment variables, so that passwords need not stand in the file."""
    if isinstance(value, Mapping):
        return {key: expand_environment(item, origin) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [expand_environment(item, origin) for item in value]
    if not isinstance(value, str):
        return value

    def substitute(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ConfigError(f"{origin}: the environment variable {match[1]} is not set")
        return os.environ[match[1]]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", substitute, value)


class _Loader(yaml.SafeLoader):
    """Plain values only, and no key twice: YAML would let the second one win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key_node, _ in node.value:
            if keys.count(key_node.value) > 1:
                problem = f"the key {key_node.value!r} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
        return super().construct_mapping(node, deep)


def _explain(item: Any) -> str:
    """One validation error as a phrase; never shows the value, which may be a secret."""
    location = [part for part in item["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    path = ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        return f"unknown key {path!r}{_hint(location)}"
    if item["type"] in ("model_type", "model_attributes_type"):
        message = "must be a mapping of settings"
    elif item["type"] == "tuple_type":
        message = "must be a list"
    elif item["type"] == "literal_error":
        message = item["msg"].replace("Input should be", "must be") + _nearest_choice(item)
    elif item["type"] == "string_pattern_mismatch":
        message = f"must be: {_section_at(location[:-1]).model_fields[location[-1]].description}"
    else:
        message = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{path}: {message}" if path else str(message)


def _nearest_choice(item: Any) -> str:
    """The choice that was probably meant; the value itself is not shown."""
    choices = re.findall(r"'([^']*)'", item["ctx"]["expected"])
    nearest = difflib.get_close_matches(str(item["input"]), choices, n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def _hint(location: list[Any]) -> str:
    """The nearest valid key: of the same section, else the same key of another section."""
    key, section = str(location[-1]), _section_at(location[:-1])
    if nearest := difflib.get_close_matches(key, list(section.model_fields), n=1, cutoff=0.5):
        return f"; did you mean {nearest[0]!r}?"
    for name in Config.model_fields:
        if name == key:
            return f"; {key!r} stands at the top level"
        if name != "cameras" and _section_at([name]) is not Config and key in _section_at([name]).model_fields:
            return f"; did you mean '{name}.{key}'?"
    return f"; valid keys: {', '.join(section.model_fields)}"


def _section_at(location: list[Any]) -> type[Section]:
    section: type[Section] = Config
    for part in location:
        if isinstance(part, int):
            continue
        annotation = section.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        section = next((c for c in candidates if isinstance(c, type) and issubclass(c, Section)), section)
    return section

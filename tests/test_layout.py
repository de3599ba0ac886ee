"""The shape of the code: short modules that say what they are for, and packages without logic in their __init__."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.tree import PACKAGE, ROOT, modules, purpose

MAX_LINES = 400


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {name(path): path.read_text(encoding="utf-8") for path in modules()}


@pytest.fixture(scope="module")
def trees(sources: dict[str, str]) -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in sources.items()}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_modules_are_short(sources: dict[str, str]) -> None:
    lengths = {name: len(text.splitlines()) for name, text in sources.items()}
    too_long = {name: length for name, length in lengths.items() if length > MAX_LINES}
    assert lengths and not too_long, f"split by nouns: {too_long}"


def test_modules_say_in_one_sentence_what_they_are_for() -> None:
    lines = {name(path): purpose(path) for path in modules()}
    vague = {name: line for name, line in lines.items() if line[-1:] not in (".", "?")}
    assert not vague, f"no whole sentence in the first line of the docstring: {vague}"


def test_init_modules_hold_no_logic(trees: dict[str, ast.Module]) -> None:
    for name, tree in trees.items():
        if not name.endswith("__init__.py"):
            continue
        statements = tree.body[1:]
        if name == "streamspike/__init__.py":  # the version, and nothing else
            assert [type(statement) for statement in statements] == [ast.Assign]
        else:
            assert not statements, f"{name} is for a docstring"


def test_imports_are_absolute(trees: dict[str, ast.Module]) -> None:
    relative = [
        f"{name}:{node.lineno}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_tests_have_unique_names_and_no_packages() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert not {twice for twice in names if names.count(twice) > 1}
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_every_folder_with_code_is_a_package() -> None:
    assert not {name(path.parent) for path in PACKAGE.rglob("*.py") if not (path.parent / "__init__.py").is_file()}

"""README's list of modules, made from their first docstring lines. `make tree` writes it anew."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "streamspike"
README = ROOT / "README.md"
BLOCK = re.compile(r"(?<=<!-- tree -->\n```text\n).*?(?=```\n<!-- /tree -->)", re.DOTALL)


def modules() -> list[Path]:
    """Every module of the package, `__init__` first in its folder, then by name."""
    files = [path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts]
    return sorted(files, key=lambda path: (path.parent, path.name != "__init__.py", path.name))


def purpose(path: Path) -> str:
    """First line of a module's docstring; empty when it has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def render_tree() -> str:
    """One line per package and module, with what it is for."""
    lines = []
    for path in modules():
        depth = len(path.relative_to(PACKAGE).parts) - 1
        if path.name == "__init__.py":
            indent = "  " * depth
            lines.append(f"{indent}{path.parent.name}/".ljust(18) + purpose(path))
        else:
            indent = "  " * (depth + 1)
            lines.append(f"{indent}{path.stem}".ljust(18) + purpose(path))
    return "\n".join(lines) + "\n"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(BLOCK.findall(text)) == 1, "README.md needs one block between <!-- tree --> and <!-- /tree -->"
    README.write_text(BLOCK.sub(lambda _: render_tree(), text), encoding="utf-8")


if __name__ == "__main__":
    main()

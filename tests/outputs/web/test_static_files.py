"""The script of the page: short native modules that load each other and nothing else, all of them served."""

from __future__ import annotations

import re
from importlib import resources

from streamspike.outputs.web.static_files import FILES, read_files

SCRIPT = {path: file.content.decode() for path, file in read_files().items() if path.endswith(".js")}
IMPORT = re.compile(r"^import (?:.* from )?'\./([a-z]+\.js)';$".replace("'", '"'), re.MULTILINE)


def test_every_file_of_the_page_is_served_and_nothing_else() -> None:
    folder = resources.files("streamspike.outputs.web").joinpath("static")
    there = {entry.name for entry in folder.iterdir() if entry.is_file()}
    there |= {f"js/{entry.name}" for entry in folder.joinpath("js").iterdir()}
    assert there == {name for name, _ in FILES.values()}


def test_modules_are_short_and_say_what_they_are_for() -> None:
    too_long = {path: count for path, text in SCRIPT.items() if (count := len(text.splitlines())) > 150}
    assert SCRIPT and not too_long, f"split by nouns: {too_long}"
    assert not [path for path, text in SCRIPT.items() if not re.match(r"// [A-Z].*\.\n\n", text)]


def test_modules_load_only_modules_of_the_page_in_no_circle_and_the_page_loads_them_all() -> None:
    loads = {path: [f"/js/{name}" for name in IMPORT.findall(text)] for path, text in SCRIPT.items()}
    num_imports = sum(len(re.findall(r"\bimport\b", text)) for text in SCRIPT.values())
    assert sum(map(len, loads.values())) == num_imports, "an import of another kind"
    done: set[str] = set()
    while ready := [path for path, needed in loads.items() if path not in done and done.issuperset(needed)]:
        done.update(ready)
    assert done == SCRIPT.keys(), f"missing or in a circle: {SCRIPT.keys() - done}"
    assert 'src="/js/page.js"' in read_files()["/"].content.decode()
    assert SCRIPT.keys() - set().union(*loads.values()) == {"/js/page.js"}

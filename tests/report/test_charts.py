"""Markup escapes what it is given; charts place what they show."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from streamspike.report.charts import Line, gain_chart, interval_chart, score_chart, step_chart
from streamspike.report.markup import Markup, join, table, tag


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>", Markup("<i/>")) == "<p>&lt;b&gt;<i/></p>"
    assert tag("p", 'a "quoted" & more', title='"><script>') == (
        '<p title="&quot;&gt;&lt;script&gt;">a &quot;quoted&quot; &amp; more</p>'
    )
    assert join(["a", ["<", tag("br")]]) == "a&lt;<br/>"


def test_control_characters_do_not_break_the_page() -> None:
    ElementTree.fromstring(tag("p", "bell \x07 and escape \x1b"))


def test_attributes_are_written_as_html_has_them_and_none_is_left_out() -> None:
    assert tag("a", class_="x", text_anchor="end", href=None) == '<a class="x" text-anchor="end"></a>'


def test_the_first_cell_of_a_row_is_its_head() -> None:
    root = ElementTree.fromstring(table(["", "n"], [["<kind>", "3"]]))
    assert [cell.text for cell in root.iter("th")] == [None, "n", "<kind>"]
    assert [cell.text for cell in root.iter("td")] == ["3"]


def test_a_row_without_a_number_is_not_drawn_and_an_interval_spans_its_ends() -> None:
    nothing = {"mean": None, "low": None, "high": None}
    root = ElementTree.fromstring(interval_chart({"a": nothing, "b": {"mean": 0.5, "low": 0.25, "high": 0.75}}))
    (dot,) = root.iter("circle")
    (bar,) = [line for line in root.iter("line") if "bar" in line.attrib["class"]]
    assert float(bar.attrib["x1"]) < float(dot.attrib["cx"]) < float(bar.attrib["x2"])
    assert "c1" in dot.attrib["class"], "its colour is that of its place among all"


def test_gains_stand_on_one_scale_around_zero_and_their_colour_says_whether_they_are_beyond_doubt() -> None:
    ends = {
        "up": (0.1, 0.05, 0.2),
        "down": (-0.1, -0.15, -0.05),
        "either": (0.05, -0.01, 0.1),
        "one": (0.1, None, None),
    }
    rows = {name: dict(zip(("mean", "low", "high"), values, strict=True)) for name, values in ends.items()}
    root = ElementTree.fromstring(gain_chart(rows | {"none": {"mean": None, "low": None, "high": None}}))
    assert [dot.attrib["class"] for dot in root.iter("circle")] == ["dot better", "dot worse", "dot open", "dot open"]
    (zero,) = [float(line.attrib["x1"]) for line in root.iter("line") if line.attrib["class"] == "chance"]
    up, down, *_ = [float(dot.attrib["cx"]) for dot in root.iter("circle")]
    assert up > zero > down and up - zero == zero - down


def test_steps_end_at_the_edge_and_points_beyond_it_are_left_out() -> None:
    lines = [Line("surprise", [0.0, 5.0, 5000.0, None], [0.2, 0.4, 1.0, None], 3)]
    root = ElementTree.fromstring(f"<div>{step_chart(lines, 'across', 'up', (1, 10, 100))}</div>")
    (path,) = root.iter("path")
    assert path.attrib["d"].count("V") == 1 and path.attrib["d"].rpartition("H")[2] == "620.0"
    assert "c3" in path.attrib["class"]


def test_a_clip_without_any_surprise_is_drawn_flat() -> None:
    root = ElementTree.fromstring(score_chart([0, 1], [1, 2], [0.0, 0.0], [(0.5, 1.0)]))
    assert [float(rect.attrib["height"]) for rect in root.iter("rect") if rect.attrib["class"] == "column"] == [0, 0]

"""Which alert is about which surprise, with numbers that can be checked by hand."""

from __future__ import annotations

import pytest

from streamspike.bench.hour.matching import Alert, Message, match, quantiles


def alert(name: str, *abouts: int) -> Alert:
    return Alert(name, tuple(Message(revision, about, about) for revision, about in enumerate(abouts)))


def test_every_surprise_is_a_hit_or_a_miss_and_every_alert_a_hit_again_or_false() -> None:
    alerts = [alert("early", 9), alert("same", 20), alert("late", 33), alert("again", 34), alert("alone", 50)]
    matching = match(alerts, [10, 20, 32, 60])
    assert {index: found.event_id for index, (found, _) in matching.hits.items()} == {20: "same", 32: "late"}
    assert matching.misses == (10, 60), "what is told before it happens is not about it"
    assert [other.event_id for other in matching.again] == ["again"]
    assert [other.event_id for other in matching.false] == ["early", "alone"]


def test_a_surprise_is_told_by_the_first_message_about_it_and_late_has_an_end() -> None:
    growing = alert("growing", 5, 11, 12)
    [(_, message)] = match([growing], [10]).hits.values()
    assert (message.revision, message.about_index) == (1, 11), "it had begun before, and its peak tells"
    assert match([alert("late", 12)], [10]).hits and not match([alert("later", 13)], [10]).hits


def test_an_alert_is_the_hit_of_one_surprise_only() -> None:
    matching = match([alert("both", 10, 12)], [10, 12])
    assert list(matching.hits) == [10] and matching.misses == (12,)


def test_quantiles_are_interpolated_and_none_of_nothing() -> None:
    assert quantiles([4.0, 1.0, 3.0, 2.0, 5.0]) == {"p50": 3.0, "p95": pytest.approx(4.8)}
    assert quantiles([]) == {"p50": None, "p95": None}

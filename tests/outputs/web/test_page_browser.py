"""The page in a real browser: live, by mouse and by keyboard, with hostile words, on a phone, in the dark."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamspike.core import CameraState, Event, EventKind
from tests.support.browser import Browser, Page
from tests.support.messages import end_of, make_event, make_observation
from tests.support.page import FakeCamera, PageRun, budgeted_keyframe, frame_at, page_run, real_keyframe

pytestmark = pytest.mark.slow
HOSTILE = '<img src="//evil.example/x" onerror="window.hacked = 1"><script>window.hacked = 1</script>'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium


@pytest.fixture
def door() -> FakeCamera:
    return FakeCamera("door", latest_frame=frame_at(1))


@pytest.fixture
def run(tmp_path: Path, door: FakeCamera) -> Iterator[PageRun]:
    with page_run(tmp_path, door, FakeCamera("yard")) as page:
        page.report_state("door", CameraState.LEARNING)
        page.report_state("yard", CameraState.OFFLINE, "no frame for 12 s")
        page.observe(make_observation(0))
        yield page


@pytest.fixture
def page(browser: Browser, run: PageRun) -> Iterator[Page]:
    opened = browser.open(run.url)
    opened.wait("document.querySelector('#link.live') && document.querySelectorAll('.camera').length == 2")
    yield opened
    assert not opened.errors
    assert all(url.startswith((run.url, f"blob:{run.url}")) for url in opened.urls), "somebody else was asked"
    opened.close()


def told(
    run: PageRun, number: int = 0, saw: str = "the gate falls over", kind: EventKind = EventKind.SURPRISE
) -> Event:
    event = replace(make_event(number), saw=saw, believed=((saw, 0.97), ("a cat sits", 0.03)), p_value=1e-4, kind=kind)
    if kind is not EventKind.SURPRISE:
        event = replace(event, expected=(), believed=())
    run.alert(event, real_keyframe(event))
    return event


def test_cameras_show_their_picture_state_and_beliefs(page: Page, run: PageRun) -> None:
    page.wait("document.querySelector('[data-camera=door] .picture img').naturalWidth == 320")
    assert page.text("[data-camera=door] .state") == "learning"
    assert page.text("[data-camera=yard] .state") == "offline: no frame for 12 s"
    assert "learning what is usual: 0 %" in page.text("[data-camera=door]")
    run.observe(make_observation(1, surprise_nats=1.5))
    page.wait("document.querySelector('[data-camera=door] .nats').innerText.startsWith('1.50 nats')")
    widths = "[...document.querySelectorAll('[data-camera=door] .belief:not(.title) i')].map(i => i.style.width)"
    assert page.run(widths) == ["38%", "90%", "62%", "10%"]
    run.report_state("yard", CameraState.BLIND, "covered")
    page.wait("document.querySelector('[data-camera=yard] .state').innerText == 'blind: covered'")


def test_the_timeline_draws_surprise_and_says_it_in_words(page: Page, run: PageRun) -> None:
    for index in range(1, 30):
        run.observe(make_observation(index, surprise_nats=index % 7))
    told(run, 20)
    canvas = "document.querySelector('[data-camera=door] canvas')"
    page.wait(f"{canvas}.getAttribute('aria-label').includes('1 events')")
    coloured = f"{canvas}.getContext('2d').getImageData(0, 0, {canvas}.width, 60).data.filter(value => value).length"
    assert page.run(coloured) > 1000


def test_an_event_appears_live_and_a_click_shows_why(page: Page, run: PageRun) -> None:
    assert "No events yet" in page.text("#events")
    told(run)
    page.wait("document.querySelector('#list img').naturalWidth > 0")
    assert "now" in page.run("getComputedStyle(document.querySelector('#list .when'), '::before').content")
    page.click("#list .event")
    page.wait("document.querySelector('#detail').open && document.querySelector('#detail .large').naturalWidth > 0")
    words = page.text("#detail")
    assert "6.4 nats of surprise" in words and "1 in 403" in words, "what the picture changed is no unlikelihood"
    assert "0.4 nats of it for how much more than usual the picture changed." in words
    assert "1 in 10,000 was as surprising, once in 3 hours or so" in words
    rows = page.run(
        "[...document.querySelectorAll('#detail .belief:not(.title)')]"
        ".map(row => [...row.querySelectorAll('.what, b')].map(part => part.innerText))"
    )
    assert rows[:2] == [["the gate falls over", "-", "97 %"], ["a car passes", "62 %", "-"]]
    run.alert(end_of(make_event()))
    page.wait("document.querySelector('#detail .place').innerText.endsWith(', 3 s')")
    page.click("#detail .close")
    page.wait("!document.querySelector('#detail').open")


def test_a_verdict_is_given_and_shown_again(page: Page, run: PageRun) -> None:
    event = told(run)
    page.click("#list .event")
    page.click("#detail .no")
    page.wait("document.querySelector('#detail .no').getAttribute('aria-pressed') == 'true'")
    assert run.get(f"/api/events/{event.event_id}")["useful"] is False
    page.click("#detail .yes")
    page.wait("document.querySelector('#detail .yes').getAttribute('aria-pressed') == 'true'")
    assert run.get(f"/api/events/{event.event_id}")["useful"] is True


def test_a_camera_is_paused_and_given_a_budget(page: Page, run: PageRun) -> None:
    page.click("[data-camera=door] summary")
    page.click("[data-camera=door] .pause")
    page.wait("document.querySelector('[data-camera=door] summary').innerText.endsWith('paused')")
    page.run("document.querySelector('[data-camera=door] input').value = ''")
    page.click("[data-camera=door] input")
    page.type("12")
    page.press("Enter")
    page.wait("document.querySelector('[data-camera=door] summary').innerText.startsWith('Budget: 12 alerts a day')")
    door = run.get("/api/cameras")["cameras"][0]
    assert (door["paused"], door["alerts_per_day"]) == (True, 12.0)


def test_keyframes_of_the_budget_are_a_strip_that_grows_and_goes_back(browser: Browser, run: PageRun) -> None:
    for number in range(30):
        run.show(budgeted_keyframe(number, surprise_nats=number / 10))
    page = browser.open(run.url)
    kept = "document.querySelectorAll('[data-camera=door] .kept')"
    page.wait(f"{kept}.length == 24 && {kept}[0].querySelector('img').naturalWidth == 320")
    assert page.text("[data-camera=door] .kept").split("\n")[1:] == ["2.9 nats", "thing 29"]
    assert page.run("document.querySelector('[data-camera=yard] .strip').hidden")
    page.click("[data-camera=door] .strip .older")
    page.wait(f"{kept}.length == 30 && document.querySelector('[data-camera=door] .strip .older').hidden")
    run.show(budgeted_keyframe(30))
    page.wait(f"{kept}.length == 31")
    page.click("[data-camera=door] .kept")
    page.wait("document.querySelector('#viewer').open && document.querySelector('#viewer img').naturalWidth == 320")
    words = page.text("#viewer")
    assert "thing 30" in words and "2.50 nats of surprise. As unlikely, to the model, as 1 in 12." in words
    page.press("k")  # there is nothing newer
    page.press("j")
    page.wait("document.querySelector('#viewer h2').textContent == 'thing 29'")
    page.press("Escape")
    page.wait("!document.querySelector('#viewer').open")
    number = budgeted_keyframe(29).index
    page.wait(f"document.activeElement.dataset.number == '{number}'")
    assert not page.errors
    page.close()


def test_a_camera_whose_model_fails_says_so_and_its_events_are_marked(
    page: Page, run: PageRun, door: FakeCamera
) -> None:
    assert page.run("document.querySelector('[data-camera=door] .degraded').hidden")
    door.stats.degraded = True
    run.report_state("door", CameraState.WATCHING, "degraded: the model fails; frame-difference alone is watched")
    page.wait("!document.querySelector('[data-camera=door] .degraded').hidden")
    assert page.text("[data-camera=door] .state") == "watching"
    run.observe(replace(make_observation(1, 3.25), kind=EventKind.MOTION, hypotheses=(), prior=(), posterior=()))
    page.wait("document.querySelector('[data-camera=door] .nats').innerText.startsWith('3.25 nats of motion')")
    told(run, 0, "frame-difference 0.2", EventKind.MOTION)
    page.wait("document.querySelector('#list .kind')?.innerText == 'motion only'")
    page.click("#list .event")
    page.wait("document.querySelector('#detail .amount').innerText == '6.4 nats of motion'")
    assert "no model says what it shows" in page.text("#detail") and "motion only" in page.text("#detail")
    door.stats.degraded = False
    run.report_state("door", CameraState.WATCHING)
    page.wait("document.querySelector('[data-camera=door] .degraded').hidden")


def test_a_camera_that_was_moved_is_no_surprise(page: Page, run: PageRun) -> None:
    told(run, 0, "the camera was moved", EventKind.MOVED)
    page.wait("document.querySelector('#list .kind')?.innerText == 'camera moved'")
    assert "nats" not in page.text("#list")
    page.click("#list .event")
    page.wait("document.querySelector('#detail .meaning').innerText.startsWith('It looks elsewhere')")
    assert "nats" not in page.text("#detail")


def test_the_model_in_service_and_the_night_shift_are_in_one_line(page: Page, run: PageRun) -> None:
    page.wait(
        "document.querySelector('#model').innerText.startsWith('model nano@f57a99d5, no adapter, in service since')"
    )
    run.recorder.store.report_night_shift(0.25, "drawing pairs", time.time())
    run.model_name = "nano@f57a99d5+night-3@0011aabb"
    run.observe(make_observation(1))
    page.wait("document.querySelector('#model').innerText.includes('adapter night-3@0011aabb')")
    assert "night shift 25 %: drawing pairs" in page.text("#model")


def test_hostile_words_stay_words(page: Page, run: PageRun) -> None:
    told(run, 0, HOSTILE)
    run.observe(replace(make_observation(1), caption=HOSTILE, hypotheses=(HOSTILE, "a cat sits")))
    run.report_state("door", CameraState.OFFLINE, HOSTILE)
    run.show(replace(budgeted_keyframe(0), saw=HOSTILE))
    page.click("#list .event")
    page.wait("document.querySelector('#detail .belief')")
    for place in (
        "#list .saw",
        "#detail-title",
        "#detail .belief:not(.title) .what",
        "[data-camera=door] .sees",
        ".kept .saw",
    ):
        page.wait(f"document.querySelector({json.dumps(place)}).textContent == {json.dumps(HOSTILE)}")
    page.wait(f"document.querySelector('[data-camera=door] .state').textContent.endsWith({json.dumps(HOSTILE)})")
    assert page.run("window.hacked") is None and page.run("document.querySelectorAll('[onerror]').length") == 0


def test_everything_goes_by_keyboard(page: Page, run: PageRun) -> None:
    for number in range(3):
        told(run, number, f"thing {number}")
    page.wait("document.querySelectorAll('#list .event').length == 3")
    page.press("j")
    page.press("j")
    page.press("k")
    page.press("j")
    page.press("Enter")
    page.wait("document.querySelector('#detail-title').textContent == 'thing 1'")
    page.press("j")
    page.wait("document.querySelector('#detail-title').textContent == 'thing 0'")
    page.press("Escape")
    page.wait("!document.querySelector('#detail').open")
    # The dialog gives the focus back to where it was opened from, and the page then moves it to what was shown last.
    page.wait(f"document.activeElement.closest('li')?.dataset.event == {json.dumps(make_event(0).event_id)}")
    page.press("/")
    page.type("thing 2")
    page.wait("document.querySelectorAll('#list .event').length == 1")
    page.press("Escape")
    page.wait("document.querySelectorAll('#list .event').length == 3")


def test_events_are_filtered_by_camera_and_words_as_they_come(page: Page, run: PageRun) -> None:
    told(run, 0)
    page.click("#words")
    page.type("gate")
    page.wait("document.querySelectorAll('#list .event').length == 1")
    told(run, 1, "a dog barks")
    told(run, 2, "the gate opens")
    page.wait("document.querySelectorAll('#list .event').length == 2")
    page.run("document.querySelector('#camera').value = 'yard'")
    page.run("document.querySelector('#camera').dispatchEvent(new Event('change'))")
    page.wait("document.querySelector('#none').innerText == 'No event is like that.'")
    assert page.run("getComputedStyle(document.querySelector('[data-camera=door]')).display") == "none"


def test_a_link_opens_its_event(browser: Browser, run: PageRun) -> None:
    event = told(run)
    linked = browser.open(f"{run.url}#event={event.event_id}")
    linked.wait("document.querySelector('#detail').open && document.querySelector('#detail .belief')")
    linked.close()


def test_older_events_come_when_asked_for(browser: Browser, run: PageRun) -> None:
    for number in range(45):
        run.alert(make_event(number))
    opened = browser.open(run.url)
    opened.wait("document.querySelectorAll('#list .event').length == 40")
    opened.click("#older")
    opened.wait("document.querySelectorAll('#list .event').length == 45 && document.querySelector('#older').hidden")
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground_in_both_schemes(browser: Browser, run: PageRun, scheme: str) -> None:
    told(run)
    opened = browser.open(run.url, scheme=scheme)  # type: ignore[arg-type]
    opened.wait("document.querySelector('#list .event') && document.querySelector('.belief.title .pair')")
    for place in ("h1", ".nats", "#list .saw", "#list .expected", "#list .amount b", ".belief.title .pair", "#link"):
        ratio = opened.run(CONTRAST.replace("PLACE", place))
        assert ratio >= 4.5, (place, ratio)
    opened.close()


def test_a_phone_shows_everything_in_one_column(browser: Browser, run: PageRun) -> None:
    event = told(run)
    phone = browser.open(run.url, width=360, height=740)
    phone.wait("document.querySelector('#list .event')")
    assert phone.run("document.documentElement.scrollWidth") == 360
    phone.click("#list .event")
    phone.wait("document.querySelector('#detail .belief')")
    assert phone.run("document.querySelector('#detail').scrollWidth") <= 360
    assert phone.run("document.querySelector('#detail').getBoundingClientRect().width") == 360
    assert event.saw in phone.text("#detail")
    phone.close()


def test_everything_that_can_be_used_has_a_name(page: Page, run: PageRun) -> None:
    told(run)
    run.show(budgeted_keyframe(0))
    page.click("#list .event")
    page.wait("document.querySelector('#detail .belief') && document.querySelector('.kept')")
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "textbox", "searchbox", "combobox", "image", "img", "progressbar", "dialog", "link")
    nameless = [
        node["role"]["value"]
        for node in tree
        if not node.get("ignored")
        and node["role"]["value"] in roles
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert not nameless


def test_the_page_comes_back_by_itself_when_the_server_does(browser: Browser, tmp_path: Path) -> None:
    with page_run(tmp_path, FakeCamera("door")) as first:
        opened = browser.open(first.url)
        opened.wait("document.querySelector('#link.live')")
        port = first.port
    opened.wait("document.querySelector('#link.lost')")
    with page_run(tmp_path, FakeCamera("door"), port=port) as second:
        second.alert(make_event())  # while nobody listened
        opened.wait("document.querySelector('#link.live') && document.querySelector('#list .event')")
        opened.close()


def test_the_login_form_lets_the_token_in(browser: Browser, tmp_path: Path) -> None:
    with page_run(tmp_path, FakeCamera("door"), token="0123456789abcdef") as locked:
        opened = browser.open(locked.url)
        for value in ("wrong", "0123456789abcdef"):
            opened.wait("document.querySelector('#token') && document.querySelector('#token').value == ''")
            opened.click("#token")
            opened.type(value)
            opened.press("Enter")
            if value == "wrong":
                opened.wait("location.hash == '#wrong' && document.querySelector('#wrong').offsetHeight > 0")
        opened.wait("document.querySelector('#link.live') && !document.querySelector('#logout').hidden")
        opened.click("#logout button")
        opened.wait("document.querySelector('#token')")
        assert not opened.errors
        opened.close()


CONTRAST = """(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const share = [0.2126, 0.7152, 0.0722];
  const luminance = (rgb) => share.reduce((sum, each, place) => sum + each * linear(rgb[place] / 255), 0);
  const element = document.querySelector('PLACE');
  let ground = element, colour;
  do {
    colour = parse(getComputedStyle(ground).backgroundColor);
    ground = ground.parentElement;
  } while (colour[3] === 0 && ground);
  const [low, high] = [luminance(parse(getComputedStyle(element).color)), luminance(colour)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
})()"""

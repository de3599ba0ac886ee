"""What is commanded of a camera counts at once, and again after a restart."""

import numpy as np
import pytest

from streamspike.belief.calibrate import Calibrator
from streamspike.config import EventConfig
from streamspike.core import CameraState, Frame
from streamspike.pipeline.controls import CameraControl

PICTURE = Frame(np.full((36, 64, 3), 128, np.uint8), 1.0, 1000.5)


class Camera:
    """What a control has to do with."""

    def __init__(self, configured: float = 5.0) -> None:
        self.calibrators = [Calibrator(EventConfig(), configured) for _ in range(2)]
        self.configured = configured
        self.num_changes = 0
        self.control = CameraControl("door", lambda: self.calibrators, lambda: self.configured, 32, self.change)

    def change(self) -> None:
        self.num_changes += 1


def test_a_budget_is_that_of_all_scores_and_default_is_the_configured_one() -> None:
    camera = Camera()
    camera.control.set_budget(2.0)
    assert [calibrator.alerts_per_day for calibrator in camera.calibrators] == [2.0, 2.0]
    camera.control.set_budget(None)
    assert camera.control.alerts_per_day == 5.0 and camera.control.export()["alerts_per_day"] is None


def test_a_verdict_shows_in_the_budget_in_effect() -> None:
    camera = Camera()
    camera.calibrators[0].heed(-1)
    assert camera.control.alerts_per_day == 5.0 and camera.control.effective_alerts_per_day < 5.0


def test_what_was_commanded_outlives_a_restart() -> None:
    before, after = Camera(), Camera(7.0)
    before.control.pause(True)
    before.control.set_budget(2.0)
    after.control.restore(before.control.export())
    assert after.control.paused and after.control.alerts_per_day == 2.0


@pytest.mark.parametrize("commanded", [{}, {"paused": "yes", "alerts_per_day": "many"}, {"alerts_per_day": -1}])
def test_what_cannot_be_understood_leaves_the_configuration(commanded: dict[str, object]) -> None:
    camera = Camera()
    camera.control.restore(commanded)
    assert not camera.control.paused and camera.control.alerts_per_day == 5.0


def test_a_new_configuration_does_not_take_back_a_command() -> None:
    camera = Camera()
    camera.control.set_budget(2.0)
    camera.calibrators, camera.configured = [Calibrator(EventConfig(), 9.0)], 9.0
    camera.control.renew()
    assert camera.control.alerts_per_day == 2.0
    camera.control.set_budget(None)
    assert camera.control.alerts_per_day == 9.0


def test_a_snapshot_is_the_newest_picture_and_there_is_none_in_a_pause() -> None:
    camera = Camera()
    assert camera.control.take_snapshot() is None
    camera.control.see(PICTURE)
    keyframe = camera.control.take_snapshot()
    assert keyframe is not None and (keyframe.width_px, keyframe.event_id, keyframe.index) == (32, "", 1_000_500)
    camera.control.pause(True)
    assert camera.control.take_snapshot() is None
    camera.control.pause(False)
    assert camera.control.take_snapshot() is None, "nothing of before the pause is shown after it"
    assert camera.num_changes == 2


def test_a_pause_is_the_state_and_a_lost_connection_its_reason() -> None:
    control = Camera().control
    watching, lost = (CameraState.WATCHING, ""), (CameraState.OFFLINE, "no answer")
    assert control.state(watching) == watching
    control.pause(True)
    assert control.state(watching) == (CameraState.PAUSED, "paused by command")
    assert control.state(lost) == (CameraState.PAUSED, "paused by command; offline: no answer")
    assert control.state((CameraState.FINISHED, "")) == (CameraState.FINISHED, "")

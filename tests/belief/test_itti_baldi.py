"""Itti-Baldi: its formulas against independent arithmetic, and what surprises it against what should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspike.belief.itti_baldi import IttiBaldi, digamma, gamma_kl, log_gamma, update_chain
from tests.support.segments import flat, noise, yard

BELIEFS = [(1.0, 1.0), (0.4, 2.0), (3.5, 0.5), (40.0, 3.3), (330.0, 3.3)]


def integrate_kl(alpha: float, beta: float, prior_alpha: float, prior_beta: float) -> float:
    """The definition, summed over ln x, where no density has a pole."""
    log_x = np.linspace(-60.0, 10.0, 400_001)
    x = np.exp(log_x)

    def log_density(a: float, b: float) -> np.ndarray:
        return a * math.log(b) - math.lgamma(a) + a * log_x - b * x  # of ln x: the density of x, times x

    after, before = log_density(alpha, beta), log_density(prior_alpha, prior_beta)
    return float((np.exp(after) * (after - before)).sum() * (log_x[1] - log_x[0]))


@pytest.mark.parametrize("after", BELIEFS)
@pytest.mark.parametrize("before", BELIEFS)
def test_the_closed_form_is_the_integral(after: tuple[float, float], before: tuple[float, float]) -> None:
    assert float(gamma_kl(*after, *before)) == pytest.approx(integrate_kl(*after, *before), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("x", [1e-3, 0.1, 0.5, 1.0, 2.0, 3.7, 10.0, 333.0, 1e5])
def test_the_gamma_functions_are_those_of_the_standard_library(x: float) -> None:
    assert float(log_gamma(x)) == pytest.approx(math.lgamma(x), rel=1e-11, abs=1e-10)
    # psi(x + 1) = psi(x) + 1 / x, psi(1) = -gamma, and the slope of ln Gamma
    assert float(digamma(x + 1) - digamma(x)) == pytest.approx(1 / x, rel=1e-6)
    step = 1e-5 * x
    assert float(digamma(x)) == pytest.approx((math.lgamma(x + step) - math.lgamma(x - step)) / (2 * step), rel=1e-4)
    assert float(digamma(1.0)) == pytest.approx(-0.5772156649015329, abs=1e-12)


def test_a_chain_passes_its_mean_on_to_slower_scales() -> None:
    zeta, beta = 0.7, 1 / (1 - 0.7)
    alpha = np.array([[2.0, 30.0], [5.0, 6.0], [7.0, 1.0]])
    rates = np.array([4.0, 0.5])
    following = update_chain(alpha, beta, rates, zeta)
    for place in range(2):
        seen = rates[place]
        for scale in range(3):
            expected = zeta * alpha[scale, place] + seen
            assert following[scale, place] == pytest.approx(expected)
            seen = expected / (zeta * beta + 1)  # the mean alpha' / beta'
    assert zeta * beta + 1 == pytest.approx(beta), "where beta stays"


def test_two_frames_make_the_first_beliefs_and_a_picture_that_stays_says_nothing() -> None:
    detectors = IttiBaldi()
    assert [detectors.see(noise(0)) for _ in range(6)] == pytest.approx([0.0] * 6, abs=1e-9)


def test_a_new_picture_surprises_and_then_becomes_what_is_usual() -> None:
    detectors = IttiBaldi()
    for _ in range(3):
        detectors.see(yard())
    arrived = detectors.see(yard(80))
    stays = [detectors.see(yard(80)) for _ in range(30)]
    assert arrived > 1.0
    assert stays[2] < arrived / 2 and stays[29] < stays[5] / 10 < arrived / 10


def test_a_repeated_pattern_loses_its_surprise_and_a_novel_one_has_it() -> None:
    detectors = IttiBaldi()
    blinking = [detectors.see(yard(40) if number % 2 else yard()) for number in range(40)]
    early, late = max(blinking[:6]), max(blinking[-4:])
    assert 0.0 < late < 0.6 * early, "the fast scales forget within a blink, the slow ones know better"
    assert detectors.see(yard(140)) > 2 * late


def test_white_noise_becomes_boring_and_a_thing_in_it_does_not() -> None:
    """Noise changes every pixel of every frame, as much as anything can."""
    detectors = IttiBaldi()
    rustling = [detectors.see(noise(seed)) for seed in range(40)]
    assert np.mean(rustling[-10:]) < np.mean(rustling[2:4])
    picture = noise(99)
    picture[20:50, 30:60] = 255  # nothing moves there: it changes less than the noise did
    assert detectors.see(picture) > 2 * max(rustling[-10:])


def test_only_the_place_that_changes_counts() -> None:
    small, large = IttiBaldi(), IttiBaldi()
    for _ in range(3):
        small.see(yard())
        large.see(yard())
    assert 0.0 < small.see(yard(80, width_px=8)) < large.see(yard(80, width_px=40))


def test_a_new_epoch_begins_with_nothing() -> None:
    detectors = IttiBaldi()
    for picture in (flat(20), flat(30), flat(90)):
        detectors.see(picture)
    detectors.forget()
    assert (detectors.see(noise(1)), detectors.see(noise(2))) == (0.0, 0.0)


def test_the_size_of_the_camera_does_not_matter() -> None:
    small, large = IttiBaldi(), IttiBaldi()
    for number in range(5):
        picture = yard(20 * number)
        expected = small.see(picture)
        assert large.see(picture.repeat(3, axis=0).repeat(3, axis=1)) == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("zeta", "time_scales"), [(0.0, 5), (1.0, 5), (0.7, 0)])
def test_impossible_constants_are_refused(zeta: float, time_scales: int) -> None:
    with pytest.raises(ValueError, match="zeta is in"):
        IttiBaldi(zeta, time_scales)

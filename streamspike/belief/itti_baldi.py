"""Bayesian surprise of low-level features (Itti and Baldi), in nats: detectors of what a place usually shows.

A detector stands at each place of each feature map. It takes its feature for the rate of a Poisson process and
believes Gamma(alpha, beta) about that rate. With each frame and its feature value x, old evidence fades by zeta and the
new one counts once (Itti and Baldi, "A principled approach to detecting surprising events in video", CVPR 2005;
"Bayesian surprise attracts human attention", Vision Research 2009):

    alpha' = zeta alpha + x      beta' = zeta beta + 1      surprise = KL(Gamma(alpha', beta') || Gamma(alpha, beta))

Detectors are chained: what one believes on average is what the next and slower one sees. Their beliefs are taken as
independent, so that nats add up over feature maps and time scales.

Deviations from the papers:
1. Nats of time scales are added; the papers combine them by a rule fitted to neurons, which is no divergence.
2. No spatial surprise (a place against its surroundings): a fixed camera's surroundings say little that is new.
3. beta begins at its limit 1 / (1 - zeta) and every time scale at the first picture, as if it had always been so.
   From a flat prior the slow scales would need twenty frames to settle, and outshout whatever happens meanwhile.
4. The belief before a frame is the one after the frame before, not yet faded: a picture that stays says nothing.
5. Two centre-surround scales on a small picture in place of a pyramid.
6. One number per frame: the mean over all places of the picture, in nats a place.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamspike.belief.pixels import shrink
from streamspike.core import Pixels

Values = NDArray[np.float64]
Map = NDArray[np.float32]  # (height, width)

PLACE_PX = 6
"""A place is a square of so many pixels of the shrunk picture: 16 by 12 of them."""
ZETA = 0.7
TIME_SCALES = 5
CENTRES_PX = (1.0, 2.0)
SURROUND = 4.0
"""The surround is so many times as wide as the centre."""
MAX_RATE = 100.0
"""Spikes a frame of a feature at its strongest: what it takes for a change to stand out from Poisson noise."""
SPONTANEOUS_RATE = 1.0
"""Spikes a frame without any feature; a rate of zero would make whatever follows infinitely surprising."""
STIRLING_SHIFT = 8


class IttiBaldi:
    """The detectors of one camera. Two frames make their first beliefs; from then on each frame has its surprise."""

    def __init__(self, zeta: float = ZETA, time_scales: int = TIME_SCALES) -> None:
        if not 0.0 < zeta < 1.0 or time_scales < 1:
            raise ValueError(f"zeta is in (0, 1) and there is at least one time scale: {zeta = }, {time_scales = }")
        self._zeta = zeta
        self._time_scales = time_scales
        self.forget()

    def forget(self) -> None:
        """A new epoch: nobody knows what the camera shows now."""
        self._before: _Views | None = None
        self._alpha: Values | None = None  # (time_scales, num_features, rows, columns)

    def see(self, pixels: Pixels) -> float:
        """The surprise of the next frame, nats a place; 0.0 for the first two."""
        now = _Views(pixels)
        before, self._before = self._before, now
        if before is None:
            return 0.0
        rates = SPONTANEOUS_RATE + MAX_RATE * _features(before, now)
        beta = 1.0 / (1.0 - self._zeta)
        if self._alpha is None:
            self._alpha = np.repeat(rates[None] * beta, self._time_scales, axis=0)
            return 0.0
        alpha = update_chain(self._alpha, beta, rates, self._zeta)
        nats = gamma_kl(alpha, beta, self._alpha, beta)
        self._alpha = alpha
        return float(nats.sum(axis=(0, 1)).mean())


def update_chain(alpha: Values, beta: float, rates: Values, zeta: float) -> Values:
    """The next alpha of every detector of a chain; beta must be at its limit, where it stays.

    Args:
        alpha: (time_scales, ...), the fastest first.
        rates: (...), what the fastest sees; each other one sees the mean alpha' / beta of the one before it.
    """
    following = np.empty_like(alpha)
    seen = rates
    for scale in range(len(alpha)):
        following[scale] = zeta * alpha[scale] + seen
        seen = following[scale] / beta
    return following


def gamma_kl(alpha: ArrayLike, beta: ArrayLike, prior_alpha: ArrayLike, prior_beta: ArrayLike) -> Values:
    """KL(Gamma(alpha, beta) || Gamma(prior_alpha, prior_beta)) in nats, elementwise; beta is a rate, not a scale."""
    a, b, a0, b0 = (np.asarray(values, dtype=np.float64) for values in (alpha, beta, prior_alpha, prior_beta))
    nats = (a - a0) * digamma(a) - log_gamma(a) + log_gamma(a0) + a0 * np.log(b / b0) + a * (b0 - b) / b
    return np.asarray(np.maximum(nats, 0.0))  # rounding may leave -1e-13 where beliefs are equal


def log_gamma(x: ArrayLike) -> Values:
    """ln Gamma(x) for x > 0, elementwise: Stirling's series eight steps further up, where it is exact to 1e-12."""
    values = np.asarray(x, dtype=np.float64)
    steps = np.ones_like(values)
    for step in range(STIRLING_SHIFT):
        steps = steps * (values + step)
    z = values + STIRLING_SHIFT
    inverse = 1.0 / z
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    return np.asarray((z - 0.5) * np.log(z) - z + 0.5 * math.log(2.0 * math.pi) + series - np.log(steps))


def digamma(x: ArrayLike) -> Values:
    """The derivative of `log_gamma`, in the same way."""
    values = np.asarray(x, dtype=np.float64)
    below = np.zeros_like(values)
    for step in range(STIRLING_SHIFT):
        below = below + 1.0 / (values + step)
    z = values + STIRLING_SHIFT
    square = 1.0 / (z * z)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    return np.asarray(np.log(z) - 0.5 / z - series - below)


class _Views:
    """One frame as its features need it: grey, colour opponents, and their contrasts, all in [-1, 1]."""

    def __init__(self, pixels: Pixels) -> None:
        small = shrink(pixels).astype(np.float32) / np.float32(255.0)
        red, green, blue = (np.ascontiguousarray(small[..., channel]) for channel in range(3))
        self.grey: Map = np.mean(small, axis=2)
        self.opponents: tuple[Map, Map] = (red - green, blue - np.mean(small[..., :2], axis=2))
        self.contrasts: list[Map] = [_contrast(self.grey, centre) for centre in CENTRES_PX]


def _features(before: _Views, now: _Views) -> Values:
    """(num_features, rows, columns) in [0, 1]: intensity, colours, orientations, flicker and motion at each place."""
    maps = [np.abs(contrast) for contrast in now.contrasts]
    maps += [np.abs(_contrast(opponent, centre)) for opponent in now.opponents for centre in CENTRES_PX]
    maps += [np.abs(cv2.filter2D(now.grey, -1, kernel)) for kernel in ORIENTATIONS]
    maps += [np.abs(_blur(now.grey - before.grey, centre)) for centre in CENTRES_PX]
    still = np.stack([_places(values) for values in maps])
    motion = np.stack([_motion(*pair) for pair in zip(before.contrasts, now.contrasts, strict=True)])
    features: Values = np.concatenate([still, motion.reshape(-1, *still.shape[1:])]).astype(np.float64)
    return np.clip(features, 0.0, 1.0)


def _motion(before: Map, now: Map) -> Map:
    """(4, rows, columns): to the right, left, down, up, by Reichardt's correlation of pixels with their neighbours."""
    directions = []
    for axis in (1, 0):
        moved = before * np.roll(now, -1, axis) - np.roll(before, -1, axis) * now  # positive: towards higher indices
        mean = _places(moved)
        directions += [np.maximum(mean, 0.0), np.maximum(-mean, 0.0)]
    amplitudes: Map = np.sqrt(np.stack(directions))  # a product of two contrasts is as small as a square
    return amplitudes


def _contrast(values: Map, centre_px: float) -> Map:
    """Centre minus surround."""
    return _blur(values, centre_px) - _blur(values, centre_px * SURROUND)


def _blur(values: Map, sigma_px: float) -> Map:
    blurred: Map = cv2.GaussianBlur(values, (0, 0), sigma_px)
    return blurred


def _places(values: Map) -> Map:
    """Means over the places, (rows, columns)."""
    height, width = values.shape
    means: Map = values.reshape(height // PLACE_PX, PLACE_PX, width // PLACE_PX, PLACE_PX).mean(axis=(1, 3))
    return means


def _orientation(angle: float) -> Map:
    """A Gabor filter without response to a uniform picture, and of at most 1 to any."""
    kernel = cv2.getGaborKernel((9, 9), 2.0, angle, 5.0, 1.0, 0.0).astype(np.float32)
    kernel -= kernel.mean()
    normalised: Map = kernel * np.float32(2.0 / np.abs(kernel).sum())
    return normalised


ORIENTATIONS = [_orientation(quarter * math.pi / 4.0) for quarter in range(4)]

"""A Kalman filter over an object's box: constant velocity of the centre, slowly changing sides."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.refine.zoom.moments import Box, centre_of, from_centre

POSITION = 1 / 20  # standard deviation of a measured centre, in sizes (as in DeepSORT)
VELOCITY = 1 / 40  # of the change of velocity from frame to frame, in sizes
SIDE = 0.05  # of the change of a side from frame to frame, relative to it
MEASURED_SIDE = 0.2  # of a measured side, relative to it
LEAST = 0.1  # confidence below which measurements count no less

Array = npt.NDArray[np.float64]

STEP = np.eye(6)  # of the state (x, y, vx, vy, log w, log h), from frame to frame
STEP[0, 2] = STEP[1, 3] = 1
SEEN = np.eye(6)[[0, 1, 4, 5]]  # what of the state a box measures


class Motion(NamedTuple):
    """What is known of a box: a normal distribution over its centre, velocity and sides.

    mean        [6] centre x, y in pixels, velocity in pixels per frame, logarithms of the sides
    covariance  [6, 6]
    """

    mean: Array
    covariance: Array


def begin(box: Any) -> Motion:
    """Returns the motion of a box that was seen once and may move anywhere.

    motion = begin([40.0, 30.0, 12.0, 8.0])
    """
    box = _sound(box)
    size = max(box[2:])
    deviations = [*[POSITION * size] * 2, *[size / 2] * 2, *[MEASURED_SIDE] * 2]
    mean = np.concatenate([centre_of(box), [0, 0], np.log(box[2:])])
    return Motion(mean, np.diag(np.square(deviations)))


def predict(motion: Motion) -> Motion:
    """Returns the motion one frame later.

    motion = predict(motion)
    """
    size = max(np.exp(motion.mean[4:]))
    noise = [*[POSITION * size] * 2, *[VELOCITY * size] * 2, *[SIDE] * 2]
    return Motion(STEP @ motion.mean, STEP @ motion.covariance @ STEP.T + np.diag(np.square(noise)))


def update(motion: Motion, box: Any, confidence: float = 1.0) -> Motion:
    """Returns the motion after a box was measured.

        motion = update(predict(motion), found.box, confidence=0.7)

    Args:
        motion: before.
        box: (x, y, w, h).
        confidence: 0..1; the standard deviation of the measurement is divided by it.
    """
    box = _sound(box)
    measured = np.concatenate([centre_of(box), np.log(box[2:])])
    covariance = SEEN @ motion.covariance @ SEEN.T + _measurement_noise(motion, confidence)
    gain = np.linalg.solve(covariance, SEEN @ motion.covariance).T
    mean = motion.mean + gain @ (measured - SEEN @ motion.mean)
    left = (np.eye(6) - gain @ SEEN) @ motion.covariance
    return Motion(mean, (left + left.T) / 2)


def expected_box(motion: Motion) -> Box:
    """Returns the box (x, y, w, h) at the mean of a motion.

    box = expected_box(predict(motion))
    """
    return from_centre(motion.mean[:2], np.exp(motion.mean[4:]))


def distance(motion: Motion, box: Any) -> float:
    """Returns the Mahalanobis distance from a motion to the centre of a box.

    distance(motion, expected_box(motion))      # 0.0
    """
    apart = centre_of(box) - motion.mean[:2]
    noise = _measurement_noise(motion, 1.0)[:2, :2]
    return float(np.sqrt(apart @ np.linalg.solve(motion.covariance[:2, :2] + noise, apart)))


def _measurement_noise(motion: Motion, confidence: float) -> Array:
    size = max(np.exp(motion.mean[4:]))
    deviations = np.array([*[POSITION * size] * 2, *[MEASURED_SIDE] * 2])
    return np.diag(np.square(deviations / max(confidence, LEAST)))


def _sound(box: Any) -> Box:
    """The box, its sides a pixel or more, so that they have logarithms."""
    box = np.asarray(box, np.float64)
    return np.concatenate([box[:2], np.maximum(box[2:], 1)])

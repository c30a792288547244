# SPDX-License-Identifier: GPL-3.0-or-later
"""How the face network's 468 points are wrong, as measured on rendered people: the part that follows the
face's turn, the ways in which points are wrong together, and what is left of each.

All in the upright face: x right and y down, in distances between the outer eye corners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .morphable_model import OUTER_EYE_CORNERS

MODES = 16
_MOST_YAW, _MOST_PITCH = np.radians(35.0), np.radians(20.0)  # few that the drift was measured on turned more
_LEAST_FORESHORTENED = 0.35


@dataclass(frozen=True)
class LandmarkErrors:
    """Statistics over rendered people."""

    drift: NDArray[np.float64]
    """(6, 468, 2) what :func:`pose_terms` weigh: the mean error of a face turned like that."""
    modes: NDArray[np.float64]
    """(MODES, 468, 2) the ways to be wrong together beyond that, one standard deviation each."""
    sigma: NDArray[np.float64]
    """(468,) what is left of each point's error, standard deviation per axis."""


def measure_errors(
    errors: NDArray[np.floating], rotations: NDArray[np.floating], partner: NDArray[np.integer]
) -> LandmarkErrors:
    """The statistics of (N, 468, 2) errors in the upright face.

    Args:
        errors: where the network put the points, less where they are.
        rotations: (N, 3, 3) as first estimated from the same points.
        partner: (468,) each point's counterpart on the other side. The mirror image of a face is a face:
            every error counts as it is and mirrored, so that no side is preferred.
    """
    terms = np.stack([pose_terms(rotation) for rotation in rotations])
    mirrored_terms = terms * [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
    both = np.concatenate([errors, errors[:, partner] * [-1.0, 1.0]]).astype(np.float64)
    both = both.reshape(len(both), -1)
    design = np.concatenate([terms, mirrored_terms])
    drift = np.linalg.lstsq(design, both, rcond=None)[0]
    rest = both - design @ drift
    _, strength, modes = np.linalg.svd(rest, full_matrices=False)
    kept = modes[:MODES]
    left = rest - (rest @ kept.T) @ kept
    scaled = kept * strength[:MODES, None] / np.sqrt(len(rest))
    points = errors.shape[1]
    return LandmarkErrors(
        drift.reshape(-1, points, 2),
        scaled.reshape(-1, points, 2),
        np.sqrt((left**2).mean(axis=0).reshape(points, 2).mean(axis=1)),
    )


def pose_terms(rotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """(6,) 1, yaw, pitch and their products (radians) of a (3, 3) rotation, head axes to camera axes."""
    yaw = np.arcsin(np.clip(rotation[0, 2], -1.0, 1.0))
    pitch = np.arctan2(rotation[1, 2], rotation[2, 2])
    yaw, pitch = np.clip(yaw, -_MOST_YAW, _MOST_YAW), np.clip(pitch, -_MOST_PITCH, _MOST_PITCH)
    return np.array([1.0, yaw, pitch, yaw * yaw, yaw * pitch, pitch * pitch])


def eye_distance(points: NDArray[np.floating], rotation: NDArray[np.floating]) -> float:
    """Pixels between the outer eye corners of (468, 2 or more) points, as if the face were not turned: eyes
    that are turned away are foreshortened.
    """
    first, second = (points[corner, :2] for corner in OUTER_EYE_CORNERS)
    shortened = max(_LEAST_FORESHORTENED, float(np.hypot(*rotation[:2, 0])))
    return float(np.linalg.norm(first - second)) / shortened


def certainty(facing: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) 0..1 how far points are to be believed: one that is turned away is a guess.

    Args:
        facing: (N,) cosine between the surface under them and the way to the camera.
    """
    return np.asarray(np.clip(0.25 + 1.5 * facing, 0.1, 1.0))


def drift_of(drift: NDArray[np.floating], rotation: NDArray[np.floating], unit: float) -> NDArray[np.float64]:
    """(468, 2) pixels, x right, y down: how far off a network with this drift puts the points of a face.

    Args:
        drift: (6, 468, 2), see :class:`LandmarkErrors`.
        rotation: (3, 3) as first estimated from the points.
        unit: the face's :func:`eye_distance`.
    """
    error = np.tensordot(pose_terms(rotation), drift.astype(np.float64), axes=1)
    return np.asarray(error @ upright(rotation).T * unit)


def upright(rotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """(2, 2) for (N, 2) @ it: picture directions (x right, y down) to those of the upright face.

    The head's roll is taken out; its transpose puts it back in.
    """
    roll = float(np.arctan2(rotation[0, 1], rotation[0, 0]))
    return np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])

# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where head axes become Blender's: x to the person's left, the face toward -y, z up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_blender(points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(..., 3) head axes (x, y, z) -> (..., 3) Blender's (x, -z, y).

    This is a rotation, so windings stay, and a yaw about the head's y is the same angle about Blender's z.
    """
    p = np.asarray(points, dtype=np.float32)
    return np.stack([p[..., 0], -p[..., 2], p[..., 1]], axis=-1)


_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def turn_to_blender(turn: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(..., 3, 3) a turn in head axes -> the same turn in Blender's."""
    return np.asarray(_AXES @ turn @ _AXES.T, dtype=np.float64)


def turn_from_blender(turn: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The inverse of :func:`turn_to_blender`."""
    return np.asarray(_AXES.T @ turn @ _AXES, dtype=np.float64)


def from_blender(points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The inverse of :func:`to_blender`."""
    p = np.asarray(points, dtype=np.float32)
    return np.stack([p[..., 0], p[..., 2], -p[..., 1]], axis=-1)

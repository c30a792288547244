# SPDX-License-Identifier: GPL-3.0-or-later
"""Iris and eye contour (MediaPipe Iris, Ablavatski et al. 2020, arXiv:2006.11341)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mesh import (
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    crop_square,
    crop_to_picture,
)
from .networks import Network

_UNITS = 64

CROP_PER_EYE = 2.3
"""Side of the network's crop over the distance of the eye's corners: how it was trained."""


@dataclass(frozen=True)
class Eyes:
    """Both eyes, index 0 the person's right (on the picture's left when the face is not turned)."""

    iris: NDArray[np.float64]
    """(2, 5, 2) pixels: centre of the iris, then its edge toward the nose, at the top, toward the temple,
    at the bottom (of the level eye)."""
    contour: NDArray[np.float64]
    """(2, 16, 2) pixels: rim of the eye's opening; nine points of the lower lid from the outer corner to
    the inner one, then seven of the upper lid in the same direction."""


def find_eyes(network: Network, pixels: NDArray[np.uint8], mesh: NDArray[np.floating[Any]]) -> Eyes:
    """Iris and eye contour from (H, W, 3) uint8 sRGB and the face's mesh (468, 3)."""
    irises, contours = [], []
    eyes = ((RIGHT_EYE_OUTER, RIGHT_EYE_INNER, False), (LEFT_EYE_INNER, LEFT_EYE_OUTER, True))
    for left, right, mirrored in eyes:
        a, b = np.asarray(mesh[left, :2]), np.asarray(mesh[right, :2])
        roll = math.atan2(float(b[1] - a[1]), float(b[0] - a[0]))
        centre, side = (a + b) / 2.0, CROP_PER_EYE * float(np.hypot(*(b - a)))
        crop = crop_square(pixels, centre, max(side, 4.0), roll, _UNITS)
        # The network knows the eye at the picture's left alone; the other one is shown to it mirrored.
        values = (crop[:, ::-1] if mirrored else crop).astype(np.float32) / np.float32(255.0)
        outputs = network(values)
        iris = next(v for v in outputs.values() if v.size == 15).reshape(5, 3)[:, :2].astype(np.float64)
        rim = next(v for v in outputs.values() if v.size == 213).reshape(71, 3)[:16, :2].astype(np.float64)
        if mirrored:
            iris[:, 0] = _UNITS - iris[:, 0]
            rim[:, 0] = _UNITS - rim[:, 0]
        irises.append(crop_to_picture(iris, centre, side, roll, _UNITS))
        contours.append(crop_to_picture(rim, centre, side, roll, _UNITS))
    return Eyes(iris=np.array(irises), contour=np.array(contours))

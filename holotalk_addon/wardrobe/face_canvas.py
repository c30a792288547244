# SPDX-License-Identifier: GPL-3.0-or-later
"""The face's canvas: the mean face rolled off a cylinder about the head's y axis, to draw on in metres.

Beards grow by what is drawn on it, and paint for the skin is (:mod:`..people.face_paint`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..head.membrane import smoothstep

Picture = NDArray[np.float32]
Points = NDArray[np.float64]

CANVAS_RADIUS_M = 0.09
CANVAS_M = (0.34, 0.26)
"""Width and height of the canvas."""
CANVAS_TOP_M = 0.12
CANVAS_PIXEL_M = 0.0003

CHIN = (18, 200, 199, 175, 152)
"""Points of the 468-point face mesh down the middle, from the lower lip to below the chin."""


@dataclass(frozen=True)
class FaceSide:
    """Points of the 468-point face mesh on one side of the face."""

    canthus: int
    """the eye's outer corner"""
    inner: int
    cheek: int
    alar: int
    corner: int
    upper_brow: list[int]
    lower_brow: list[int]
    upper_lid: list[int]
    lower_lid: list[int]
    jaw: list[int]
    moustache: list[int]


SIDES = (
    FaceSide(
        33, 133, 50, 129, 61,
        upper_brow=[107, 66, 105, 63, 70], lower_brow=[55, 65, 52, 53, 46],
        upper_lid=[133, 173, 157, 158, 159, 160, 161, 246, 33],
        lower_lid=[133, 155, 154, 153, 145, 144, 163, 7, 33],
        jaw=[234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152],
        moustache=[164, 167, 165, 92, 186],
    ),
    FaceSide(
        263, 362, 280, 358, 291,
        upper_brow=[336, 296, 334, 293, 300], lower_brow=[285, 295, 282, 283, 276],
        upper_lid=[362, 398, 384, 385, 386, 387, 388, 466, 263],
        lower_lid=[362, 382, 381, 380, 374, 373, 390, 249, 263],
        jaw=[454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152],
        moustache=[164, 393, 391, 322, 410],
    ),
)  # fmt: skip


def canvas_size() -> tuple[int, int]:
    """Width and height of the canvas in pixels."""
    return round(CANVAS_M[0] / CANVAS_PIXEL_M), round(CANVAS_M[1] / CANVAS_PIXEL_M)


def on_canvas(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """(N, 2) canvas pixels of (N, 3) points on the mean head (metres)."""
    azimuth = np.arctan2(points[:, 0], points[:, 2])
    x = (azimuth * CANVAS_RADIUS_M + CANVAS_M[0] / 2) / CANVAS_PIXEL_M
    y = (CANVAS_TOP_M - points[:, 1]) / CANVAS_PIXEL_M
    return np.stack([x, y], axis=1).astype(np.float32)


def near(lines: Sequence[Points], full_m: float, fade_m: float) -> Picture:
    """(h / 2, w / 2) 1 within full_m of polylines on the canvas, 0 beyond fade_m more."""
    width, height = (n // 2 for n in canvas_size())
    away = np.full((height, width), 255, np.uint8)
    for line in lines:
        cv2.polylines(away, [np.round(line / 2).astype(np.int32)], False, (0,), 1)
    metres = cv2.distanceTransform(away, cv2.DIST_L2, 3) * (2 * CANVAS_PIXEL_M)
    return smoothstep(1.0 - (metres - full_m) / fade_m).astype(np.float32)

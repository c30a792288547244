# SPDX-License-Identifier: GPL-3.0-or-later
"""The 468-point face mesh (MediaPipe Face Mesh, Kartynnik et al. 2019, arXiv:1907.06724).

Points are in pixels of the picture; z has the same scale as x and y, with its zero near the middle of
the head, and grows away from the camera (**the nose has negative z**), as the network gives it. "Right"
and "left" are the person's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .networks import Network

POINTS = 468

CROP_PER_BOX = 1.5
"""Side of the network's crop over the longer side of the (level) box of the points: how the network
was trained."""

# Indices into the mesh. The person's right eye is on the picture's left when the face is not turned.
RIGHT_EYE_OUTER, RIGHT_EYE_INNER = 33, 133
LEFT_EYE_OUTER, LEFT_EYE_INNER = 263, 362

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Points of the face's outline, around it from the middle of the forehead."""

_UNITS = 192
"""Side of the network's input in pixels."""

_MOST_PASSES = 4


def crop_square(
    pixels: NDArray[np.uint8],
    centre_xy: NDArray[np.floating[Any]],
    side: float,
    roll: float,
    size: int,
    *,
    stretch_edge: bool = False,
) -> NDArray[np.uint8]:
    """Cut a rotated square out of a picture, (H, W, 3) or (H, W) uint8, and scale it to ``size`` a side.

    ``centre_xy`` (2,) and ``side`` are in pixels; ``roll`` in radians turns the square clockwise in the
    picture. Beyond the picture is black, or with ``stretch_edge`` the colour of its edge. Strong
    reductions are averaged first, so nothing aliases.
    """
    import cv2

    height, width = pixels.shape[:2]
    reach = side * (abs(math.cos(roll)) + abs(math.sin(roll))) / 2.0 + 2.0 * side / size + 1.0
    left, top = (math.floor(c - reach) for c in centre_xy)
    right, bottom = (math.ceil(c + reach) for c in centre_xy)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return np.zeros((size, size, *pixels.shape[2:]), dtype=np.uint8)
    part: NDArray[Any] = pixels[top:bottom, left:right]
    factor_x = factor_y = 1.0
    reduction = side / size
    if reduction > 1.5:
        shape = (max(1, round(part.shape[1] / reduction)), max(1, round(part.shape[0] / reduction)))
        factor_x, factor_y = shape[0] / part.shape[1], shape[1] / part.shape[0]
        part = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
    # Crop corner coordinates -> coordinates of `part`, then both to pixel centres for OpenCV.
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    linear = np.diag([factor_x, factor_y]) @ turn * (side / size)
    offset = np.diag([factor_x, factor_y]) @ (np.asarray(centre_xy, dtype=np.float64) - [left, top])
    offset = offset - linear @ np.full(2, size / 2.0)
    offset = offset + linear @ np.full(2, 0.5) - 0.5
    matrix = np.column_stack([linear, offset])
    return np.asarray(
        cv2.warpAffine(
            part,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE if stretch_edge else cv2.BORDER_CONSTANT,
        ),
        dtype=np.uint8,
    )


def crop_to_picture(
    points: NDArray[np.floating[Any]],
    centre_xy: NDArray[np.floating[Any]],
    side: float,
    roll: float,
    size: float,
) -> NDArray[np.float64]:
    """Bring (N, 2) or (N, 3) points from a crop's pixels (0..size, outer corners) to the picture's.

    The inverse of what :func:`crop_square` cuts; a third column is scaled alike.
    """
    points = np.asarray(points, dtype=np.float64)
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    out = points * (side / size)
    out[:, :2] = (points[:, :2] - size / 2.0) @ turn.T * (side / size) + np.asarray(centre_xy)
    return np.asarray(out, dtype=np.float64)


def picture_to_crop(
    points: NDArray[np.floating[Any]],
    centre_xy: NDArray[np.floating[Any]],
    side: float,
    roll: float,
    size: float,
) -> NDArray[np.float64]:
    """Bring (N, 2) points of the picture to a crop's pixels: the inverse of :func:`crop_to_picture`."""
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    offsets = np.asarray(points, dtype=np.float64)[:, :2] - np.asarray(centre_xy)
    return np.asarray(offsets @ turn * (size / side) + size / 2.0, dtype=np.float64)


def mesh_on_crop(
    network: Network,
    pixels: NDArray[np.uint8],
    centre_xy: NDArray[np.floating[Any]],
    side: float,
    roll: float = 0.0,
) -> tuple[NDArray[np.float64], float]:
    """Run the network once on one square of a picture, without any detector.

    ``pixels`` (H, W, 3) uint8 sRGB; ``centre_xy`` (2,) and ``side`` in pixels, about 1.5 times the
    face; ``roll`` in radians, clockwise, such that the eyes are level in the square. Returns (468, 3)
    points in pixels of the picture and the network's own face score, 0..1.
    """
    crop = crop_square(pixels, np.asarray(centre_xy, dtype=np.float64), side, roll, _UNITS)
    outputs = network(crop.astype(np.float32) / np.float32(255.0))
    points = logit = None
    for values in outputs.values():
        if values.size == POINTS * 3:
            points = values.reshape(POINTS, 3)
        elif values.size == 1:
            logit = float(values.reshape(()))
    if points is None or logit is None:
        raise ValueError(f"{network.path} is not the 468-point face network")
    score = 1.0 / (1.0 + math.exp(-min(max(logit, -50.0), 50.0)))
    return crop_to_picture(points, np.asarray(centre_xy), side, roll, _UNITS), score


def eye_roll(mesh: NDArray[np.floating[Any]]) -> float:
    """Radians by which the line through the eyes' outer corners is turned clockwise in the picture."""
    dx, dy = mesh[LEFT_EYE_OUTER, :2] - mesh[RIGHT_EYE_OUTER, :2]
    return math.atan2(float(dy), float(dx))


def level_square(mesh: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], float, float]:
    """The network's crop for a face whose mesh is known: (centre_xy, side, roll), eyes level."""
    roll = eye_roll(mesh)
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    level = np.asarray(mesh[:, :2], dtype=np.float64) @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    return turn @ ((low + high) / 2.0), float((high - low).max()) * CROP_PER_BOX, roll


def fit_mesh(
    network: Network,
    pixels: NDArray[np.uint8],
    centre_xy: NDArray[np.floating[Any]],
    side: float,
    roll: float = 0.0,
) -> tuple[NDArray[np.float64], float]:
    """The mesh from a first guess of the crop, refined: each pass cuts the crop by the points of the
    last. Two passes at least; further ones while the points still move by over 1 % of the crop.

    Arguments and result as in :func:`mesh_on_crop`; the score is the last pass's.
    """
    mesh, score = mesh_on_crop(network, pixels, centre_xy, side, roll)
    for _ in range(1, _MOST_PASSES):
        centre, side, roll = level_square(mesh)
        if side < 4.0:
            return mesh, 0.0
        previous = mesh
        mesh, score = mesh_on_crop(network, pixels, centre, side, roll)
        if float(np.abs(mesh[:, :2] - previous[:, :2]).mean()) < 0.01 * side:
            break
    return mesh, score


def share_outside(mesh: NDArray[np.floating], shape: Sequence[int]) -> float:
    """0..1: how much of a (468, 2 or 3) mesh lies beyond the edge of a picture of this (H, W, ...) shape."""
    points = mesh[:, :2]
    return float(((points < 0.0) | (points > [shape[1], shape[0]])).any(axis=1).mean())

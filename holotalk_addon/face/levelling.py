# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo turned so that the chosen head stands upright in it, with what is known about its faces.

What comes after the face knows up from down: hair is looked for above the eyes, clothes below them, the
networks know upright people. So the picture is turned, not each of those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .find import Face
from .photo import Photo
from .pose import angles_from_rotation, tilt

LEVEL = 15.0
"""Degrees of tilt up to which nothing is resampled."""


@dataclass(frozen=True)
class Levelled:
    """An upright photo, and its faces in its own pixels."""

    photo: Photo
    faces: tuple[Face, ...]
    face: Face
    """The chosen one of them."""
    turned: float
    """Degrees, counterclockwise, by which the photo was turned for that; 0: it is the photo as it was."""


def levelled(photo: Photo, faces: Sequence[Face], face: Face) -> Levelled:
    """Turn a photo so that ``face``, one of its ``faces``, stands upright in it.

    Quarter turns move pixels as they are. A tilt that is more than :data:`LEVEL` degrees off them is taken
    out by resampling about the photo's middle, so that the camera's axis stays there, on a canvas that holds
    all of it; beyond the photo its edge goes on, ``inside`` is False and ``alpha`` 0. Nothing is measured
    again: meshes, landmarks, irises and rotations are carried along.
    """
    tilted = tilt(face.rotation)
    quarters = round(tilted / 90.0)
    turned = 90.0 * quarters if abs(tilted - 90.0 * quarters) <= LEVEL else tilted
    if turned == 0.0:
        return Levelled(photo, tuple(faces), face, 0.0)
    turn = _turn(turned)
    old = np.array([photo.width, photo.height], dtype=np.float64)
    new = np.abs(turn) @ old
    if turned == 90.0 * quarters:
        upright = _quarter_turned(photo, quarters)
    else:
        new = np.ceil(new)
        upright = _resampled(photo, turn, new)

    def carried(one: Face) -> Face:
        return _carried(one, turn, old / 2.0, new / 2.0)

    moved = {id(one): carried(one) for one in faces}
    return Levelled(upright, tuple(moved[id(one)] for one in faces), moved[id(face)], turned)


def _turn(degrees: float) -> NDArray[np.float64]:
    """(2, 2) a counterclockwise turn of the picture, whose y points down; quarter turns are exact."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    if degrees % 90.0 == 0.0:
        cos, sin = round(cos), round(sin)
    return np.array([[cos, sin], [-sin, cos]], dtype=np.float64)


def _quarter_turned(photo: Photo, quarters: int) -> Photo:
    def turned(plane: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(np.rot90(plane, quarters))

    size = photo.original_width, photo.original_height
    width, height = size[::-1] if quarters % 2 else size
    return replace(
        photo,
        pixels=turned(photo.pixels),
        alpha=None if photo.alpha is None else turned(photo.alpha),
        original_width=width,
        original_height=height,
    )


def _resampled(photo: Photo, turn: NDArray[np.float64], size: NDArray[np.float64]) -> Photo:
    """The photo turned about its middle on a canvas of ``size`` (2,) pixels."""
    import cv2

    # OpenCV counts from the centre of the first pixel.
    shift = size / 2.0 - 0.5 - turn @ (np.array([photo.width, photo.height]) / 2.0 - 0.5)
    matrix = np.column_stack([turn, shift])
    width, height = (int(n) for n in size)

    def turned(plane: NDArray[Any], flags: int, border: int) -> NDArray[Any]:
        return np.asarray(cv2.warpAffine(plane, matrix, (width, height), flags=flags, borderMode=border))

    alpha = np.full(photo.pixels.shape[:2], 255, np.uint8) if photo.alpha is None else photo.alpha
    everywhere = np.ones(photo.pixels.shape[:2], np.uint8)
    inside = turned(everywhere, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) > 0
    return replace(
        photo,
        pixels=turned(photo.pixels, cv2.INTER_LANCZOS4, cv2.BORDER_REPLICATE),
        alpha=np.where(inside, turned(alpha, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT), np.uint8(0)),
        inside=inside,
        original_width=round(width / photo.scale),
        original_height=round(height / photo.scale),
    )


def _carried(
    face: Face, turn: NDArray[np.float64], old: NDArray[np.float64], new: NDArray[np.float64]
) -> Face:
    """The face as it is when the picture is turned about ``old`` (2,), which comes to lie at ``new``."""

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((points - old) @ turn.T + new)

    mesh = np.column_stack([moved(face.mesh[:, :2]), face.mesh[:, 2]])
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    about_the_axis = np.eye(3)
    about_the_axis[:2, :2] = turn.T  # the camera's y points up
    rotation = about_the_axis @ face.rotation
    yaw, pitch, roll = angles_from_rotation(rotation)
    return replace(
        face,
        box=np.concatenate([low, high - low]),
        landmarks68=moved(face.landmarks68),
        mesh=mesh,
        iris=moved(face.iris),
        eye_contour=moved(face.eye_contour),
        rotation=rotation,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
    )

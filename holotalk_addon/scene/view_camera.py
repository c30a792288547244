# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender camera that sees what one of our own cameras sees: its lens, its sensor, its place."""

from __future__ import annotations

from typing import Any

import mathutils
import numpy as np

from ..head.camera import Camera
from ..head.view import View
from .axes import to_blender

SENSOR_WIDTH = 36.0
"""Millimetres, of every camera."""
CLIP_M = (0.01, 100.0)
"""Metres from the camera between which there is something to see."""


def set_lens(data: Any, camera: Camera, size: tuple[int, int], clip: tuple[float, float] = CLIP_M) -> None:
    """Give camera data the lens, and the shift of it, of a pinhole camera.

    Args:
        data: Blender's camera data.
        camera: The pinhole camera.
        size: Pixels of its picture, width and height.
        clip: Metres from the camera between which there is something to see.

    """
    width, height = size
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_WIDTH
    data.clip_start, data.clip_end = clip
    data.lens = camera.focal * SENSOR_WIDTH / width
    data.shift_x = 0.5 - camera.centre_x / width
    data.shift_y = camera.centre_y / width - 0.5 * height / width


def place_camera(camera: Any, view: View) -> None:
    """Have a camera object take this view."""
    place = view.camera_place()
    turned = np.eye(4)
    turned[:3] = to_blender(place[:3].T).T
    camera.rotation_mode = "QUATERNION"
    camera.location, camera.rotation_quaternion, _ = mathutils.Matrix(turned.tolist()).decompose()
    set_lens(camera.data, view.camera, (view.size, view.size))

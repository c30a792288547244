# SPDX-License-Identifier: GPL-3.0-or-later
"""The turntable that the head stands on, and the rig that carries the four cameras."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..hologram.framing import Framing
from ..hologram.motion import LoopMotion
from . import compat
from .own import find_by_role, is_own, keep_users_action, tag
from .view_camera import SENSOR_WIDTH

TURNTABLE_NAME = "HoloTalk Turntable"
RIG_NAME = "HoloTalk Cameras"
UP_AXIS = 2
"""Index of z, the axis of the turning, in Blender's Euler angles."""


def make_empty(name: str, role: str, collection: Any) -> Any:
    """The empty of this role, made in ``collection`` if there is none."""
    empty = find_by_role(collection.objects, role)
    if empty is None:
        empty = tag(bpy.data.objects.new(name, None), role)
        collection.objects.link(empty)
    return empty


def make_turntable(collection: Any) -> Any:
    """The empty at the head's origin that will turn it."""
    empty = make_empty(TURNTABLE_NAME, "turntable", collection)
    empty.empty_display_size = 0.02  # inside the head: it is picked in the outliner
    return empty


def set_motion(turntable: Any, motion: LoopMotion) -> None:
    """Give the turntable the keyframes of a loop in place of a former one's. An action that is the user's
    is left as it is, and kept in the file."""
    keys = motion.keys()
    animation = turntable.animation_data
    keep_users_action(turntable)
    if animation is not None and animation.action is not None and not is_own(animation.action):
        animation.action = None
    if animation is not None and animation.action is not None:
        points = compat.fcurve(turntable, "rotation_euler", UP_AXIS).keyframe_points
        while len(points):
            points.remove(points[-1], fast=True)
    for key in keys:
        turntable.rotation_euler[UP_AXIS] = np.radians(key.degrees)
        turntable.keyframe_insert("rotation_euler", index=UP_AXIS, frame=key.frame)
    turntable.rotation_euler[UP_AXIS] = 0.0
    curve = compat.fcurve(turntable, "rotation_euler", UP_AXIS)
    for point, key in zip(curve.keyframe_points, keys, strict=True):
        point.interpolation = key.interpolation
    curve.update()
    action = turntable.animation_data.action
    action.name = f"HoloTalk {motion.kind.capitalize()}"
    tag(action, "action")


def make_camera(name: str, role: str, parent: Any, collection: Any) -> Any:
    """The camera of this role, made in ``collection`` if there is none."""
    camera = find_by_role(collection.objects, role)
    if camera is None:
        data = tag(bpy.data.cameras.new(name), role)
        data.type = "PERSP"
        data.sensor_fit = "HORIZONTAL"
        data.sensor_width = SENSOR_WIDTH
        data.clip_start, data.clip_end = 0.01, 100.0
        data.display_size = 0.03
        camera = tag(bpy.data.objects.new(name, data), role)
        camera.parent = parent
        collection.objects.link(camera)
    return camera


def aim_camera(camera: Any, framing: Framing, yaw: float) -> None:
    """Put a level camera ``yaw`` degrees round the head from its front toward +x, and frame the head."""
    camera.data.lens = framing.lens(SENSOR_WIDTH)
    camera.data.shift_y = framing.shift_y
    angle = np.radians(yaw)
    camera.location = (framing.distance * np.sin(angle), -framing.distance * np.cos(angle), 0.0)
    camera.rotation_euler = (np.pi / 2, 0.0, angle)

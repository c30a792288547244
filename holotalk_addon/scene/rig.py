# SPDX-License-Identifier: GPL-3.0-or-later
"""The turntable that the head stands on, and the rig that carries the four cameras."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..hologram.framing import Framing
from ..hologram.layout import PyramidLayout
from ..hologram.motion import LoopMotion
from . import compat
from .own import tag

TURNTABLE_NAME = "HoloTalk Turntable"
RIG_NAME = "HoloTalk Cameras"
SENSOR_WIDTH = 36.0
UP_AXIS = 2
"""Index of z, the axis of the turning, in Blender's Euler angles."""


def make_turntable(head_object: Any, motion: LoopMotion, collection: Any) -> Any:
    """An empty at the head's origin that turns it; its keyframes are the loop."""
    empty = tag(bpy.data.objects.new(TURNTABLE_NAME, None), "turntable")
    empty.empty_display_type = "SINGLE_ARROW"  # it points up the axis of the turning
    empty.empty_display_size = 0.2
    collection.objects.link(empty)
    head_object.parent = empty
    keys = motion.keys()
    for key in keys:
        empty.rotation_euler[UP_AXIS] = np.radians(key.degrees)
        empty.keyframe_insert("rotation_euler", index=UP_AXIS, frame=key.frame)
    empty.rotation_euler[UP_AXIS] = 0.0
    curve = compat.fcurve(empty, "rotation_euler", UP_AXIS)
    for point, key in zip(curve.keyframe_points, keys, strict=True):
        point.interpolation = key.interpolation
    curve.update()
    action = tag(empty.animation_data.action, "action")
    action.name = f"HoloTalk {motion.kind.capitalize()}"
    return empty


def make_rig(layout: PyramidLayout, framing: Framing, sides: str, collection: Any) -> list[Any]:
    """Four cameras on one empty: front, right (+x), back, left; for the sides ``front`` one."""
    rig = tag(bpy.data.objects.new(RIG_NAME, None), "rig")
    rig.empty_display_type = "PLAIN_AXES"
    rig.empty_display_size = 0.05
    collection.objects.link(rig)
    panels = layout.panels if sides == "around" else layout.panels[:1]
    return [
        make_camera(f"HoloTalk {panel.name.capitalize()}", framing, panel.camera_yaw, rig, collection)
        for panel in panels
    ]


def make_camera(name: str, framing: Framing, yaw: float, parent: Any, collection: Any) -> Any:
    """A level camera that stands ``yaw`` degrees round the head from its front toward +x."""
    data = tag(bpy.data.cameras.new(name), "camera")
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_WIDTH
    data.lens = framing.lens(SENSOR_WIDTH)
    data.shift_y = framing.shift_y
    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.1
    camera = tag(bpy.data.objects.new(name, data), "camera")
    angle = np.radians(yaw)
    camera.location = (framing.distance * np.sin(angle), -framing.distance * np.cos(angle), 0.0)
    camera.rotation_euler = (np.pi / 2, 0.0, angle)
    camera.parent = parent
    collection.objects.link(camera)
    return camera

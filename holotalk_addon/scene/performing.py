# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance as keyframes of Blender's: on the sliders of a head's expressions, and on its turning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion
from numpy.typing import NDArray

from ..head.expressions import gaze_strengths
from ..hologram.motion import FIRST_FRAME, LoopMotion
from ..performance.performance import Performance
from . import compat
from .axes import turn_from_blender, turn_to_blender
from .own import is_own, keep_users_action, tag

ACTION_ROLE = "performance"
_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value


def apply_performance(obj: Any, performance: Performance, fps: int) -> None:
    """Have a subject perform, a key a moment, in the place of what it performed before.

    Args:
        obj: the subject's first object. Where it has shape keys, those move whose names the performance
            knows, and those that turn the eyes; where it has none it turns alone.
        performance: its first moment falls on the loop's first frame.
        fps: frames a second.
    """
    clear_performance(obj)
    frames = FIRST_FRAME + (performance.times - performance.times[0]) * fps
    obj.rotation_mode = "QUATERNION"
    matrices = turn_to_blender(performance.rotations)
    turns = np.array([Matrix(matrix.tolist()).to_quaternion() for matrix in matrices])
    for k in range(1, len(turns)):  # the shorter way round
        turns[k] *= 1.0 if turns[k] @ turns[k - 1] >= 0 else -1.0
    _set_curves(obj, "HoloTalk Turns", [("rotation_quaternion", k, turns[:, k]) for k in range(4)], frames)
    keys = getattr(obj.data, "shape_keys", None)
    if keys is None:
        return
    known = {*performance.names, *gaze_strengths(0.0, 0.0)}
    blocks = [block for block in keys.key_blocks if block != keys.reference_key and block.name in known]
    strengths = performance.with_gaze(tuple(block.name for block in blocks))
    curves = [(_path(block), 0, strengths[:, k]) for k, block in enumerate(blocks)]
    _set_curves(keys, "HoloTalk Expressions", curves, frames)


def clear_performance(obj: Any) -> None:
    """Take a performance off a subject; an action of the user's stays."""
    for block in _performers(obj):
        data = block.animation_data
        if data is not None and data.action is not None and is_own(data.action):
            action, data.action = data.action, None
            if action.users == 0:
                bpy.data.actions.remove(action)
    if obj.rotation_mode == "QUATERNION":
        obj.rotation_quaternion = (1.0, 0.0, 0.0, 0.0)


def change_rate(obj: Any, before: int, now: int) -> None:
    """Keep a performance's speed where the frames a second change: move its keys."""
    for block in _performers(obj):
        data = block.animation_data
        if data is not None and data.action is not None and is_own(data.action):
            for curve in compat.fcurves(block):
                points = np.empty(2 * len(curve.keyframe_points))
                curve.keyframe_points.foreach_get("co", points)
                points[::2] = FIRST_FRAME + (points[::2] - FIRST_FRAME) * now / before
                curve.keyframe_points.foreach_set("co", points)
                curve.update()


def read_performance(obj: Any, motion: LoopMotion) -> Performance | None:
    """What a subject performs in the loop, a moment a frame, whoever has set its keys; None where nothing
    moves."""
    if not any(compat.fcurves(block) for block in _performers(obj)):
        return None
    frames = np.arange(FIRST_FRAME, FIRST_FRAME + motion.frames)
    keys = getattr(obj.data, "shape_keys", None)
    blocks = [] if keys is None else [b for b in keys.key_blocks if b != keys.reference_key]
    by_path = {} if keys is None else {curve.data_path: curve for curve in compat.fcurves(keys)}

    def strength(block: Any) -> NDArray[np.float64]:
        curve = by_path.get(_path(block))
        if block.mute:
            return np.zeros(len(frames))
        return np.array([curve.evaluate(f) if curve is not None else block.value for f in frames])

    strengths = np.stack([strength(b) for b in blocks], axis=1) if blocks else np.zeros((len(frames), 0))
    return Performance(
        tuple(block.name for block in blocks),
        (frames - FIRST_FRAME) / motion.fps,
        np.clip(strengths, 0.0, 1.0).astype(np.float32),
        _turns(obj, frames),
        np.zeros((len(frames), 2), dtype=np.float32),  # the sliders hold it
    )


def _path(block: Any) -> str:
    """The data path of a slider among its shape keys."""
    return f'key_blocks["{bpy.utils.escape_identifier(block.name)}"].value'


def _performers(obj: Any) -> list[Any]:
    keys = getattr(obj.data, "shape_keys", None)
    return [obj] if keys is None else [obj, keys]


def _set_curves(
    block: Any,
    name: str,
    curves: Sequence[tuple[str, int, NDArray[np.floating]]],
    frames: NDArray[np.float64],
) -> None:
    """Give a data-block an action with these curves: (data path, index, (T,) values) at (T,) frames."""
    action = bpy.data.actions.new(name)
    keep_users_action(block)
    block.animation_data_create().action = action
    for path, index, values in curves:
        curve = compat.fcurve(block, path, index)
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", np.stack([frames, values], axis=1).ravel())
        linear = np.full(len(frames), _LINEAR, dtype=np.int32)
        curve.keyframe_points.foreach_set("interpolation", linear)
        curve.update()
    tag(action, ACTION_ROLE)


def _turns(obj: Any, frames: NDArray[np.int_]) -> NDArray[np.float64]:
    """(T, 3, 3) head axes: how an object's own rotation turns it at these frames."""
    modes = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    path = modes.get(obj.rotation_mode, "rotation_euler")
    curves = {c.array_index: c for c in compat.fcurves(obj) if c.data_path == path}
    rest = getattr(obj, path)
    turns = []
    for frame in frames:
        values = [curves[k].evaluate(frame) if k in curves else value for k, value in enumerate(rest)]
        if path == "rotation_axis_angle":
            turn = Quaternion(values[1:], values[0])
        elif path == "rotation_quaternion":
            turn = Quaternion(values).normalized()
        else:
            turn = Euler(values, obj.rotation_mode)
        turns.append(np.array(turn.to_matrix()))
    return turn_from_blender(np.stack(turns))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of which views a hologram takes: of an unlit turntable a quarter of them makes the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..hologram.motion import FIRST_FRAME
from . import compat
from .hologram_scene import HologramScene
from .own import is_rendered
from .rig import UP_AXIS


def fast_way_holds(hologram: HologramScene) -> bool:
    """Whether one camera's frames make all four panels: a turntable whose keys nobody has edited,
    of a subject that does nothing but turn, painted with unlit materials.
    """
    if hologram.motion.kind != "turntable" or len(hologram.views) != 4:
        return False
    turntable = bpy.data.objects[hologram.turntable]
    blocks = _moving_blocks(hologram) + ([turntable] if len(compat.fcurves(turntable)) != 1 else [])
    if any(_is_animated(block) for block in blocks):
        return False
    if not all(
        material and material.node_tree and "Unlit" in material.node_tree.nodes
        for obj in _shown(hologram)
        for material in obj.data.materials
    ):
        return False
    if not _cameras_are_quarter_turns_apart(hologram) or _others_in_view(hologram):
        return False
    curve = _turning(turntable)
    if curve is None:
        return False
    motion = hologram.motion
    frames = range(FIRST_FRAME, FIRST_FRAME + motion.frames)
    return all(abs(np.degrees(curve.evaluate(f)) - motion.yaw_at(f)) < 0.01 for f in frames)


def _turning(turntable: Any) -> Any:
    """The curve that turns the turntable, or None where the user has taken it away."""
    found = (
        c for c in compat.fcurves(turntable) if c.data_path == "rotation_euler" and c.array_index == UP_AXIS
    )
    return next(found, None)


def _moving_blocks(hologram: HologramScene) -> list[Any]:
    """What an animation of the user's may move: the subject, all that hangs on it, the cameras."""
    subject = bpy.data.objects[hologram.subject]
    blocks = [bpy.data.objects[name] for name in hologram.cameras]
    for obj in (subject, *subject.children_recursive):
        data = obj.data
        blocks += [block for block in (obj, data, getattr(data, "shape_keys", None)) if block is not None]
    return blocks


def _shown(hologram: HologramScene) -> list[Any]:
    """The subject's objects that are to be seen: those with materials that nothing hides from renders."""
    subject = bpy.data.objects[hologram.subject]
    beside = subject.users_collection
    return [
        obj
        for obj in (subject, *subject.children_recursive)
        if hasattr(obj.data, "materials") and is_rendered(obj, beside)
    ]


def _cameras_are_quarter_turns_apart(hologram: HologramScene) -> bool:
    """Whether the four cameras still stand square round the upright axis of the turntable."""
    bpy.data.scenes[hologram.views[0]].view_layers[0].update()
    turntable = bpy.data.objects[hologram.turntable]
    place = np.array(turntable.matrix_world)
    if not np.allclose(place[:3, 2], (0.0, 0.0, 1.0), atol=1e-5):
        return False
    cameras = [bpy.data.objects[name] for name in hologram.cameras]
    first = np.array(cameras[0].matrix_world)
    for k, camera in enumerate(cameras):
        angle = k * np.pi / 2
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn[:3, 3] = place[:3, 3] - turn[:3, :3] @ place[:3, 3]
        if not np.allclose(np.array(camera.matrix_world), turn @ first, atol=1e-5):
            return False
        for name in ("type", "lens", "shift_x", "shift_y", "sensor_width", "sensor_fit", "ortho_scale"):
            if getattr(camera.data, name) != getattr(cameras[0].data, name):
                return False
    return True


def _others_in_view(hologram: HologramScene) -> bool:
    """Whether something is to be seen that does not turn with the turntable."""
    turntable = bpy.data.objects[hologram.turntable]
    turning = {turntable, *turntable.children_recursive}
    return any(
        obj not in turning and obj.type not in ("CAMERA", "EMPTY") and not obj.hide_render
        for name in hologram.views
        for obj in bpy.data.scenes[name].objects
    )


def _is_animated(block: Any) -> bool:
    data = block.animation_data
    return data is not None and (data.action is not None or len(data.drivers) > 0 or len(data.nla_tracks) > 0)


@dataclass(frozen=True)
class RenderPlan:
    """Which frames of which views make the panels."""

    wanted: dict[int, list[int]]
    """The frames to render, by the number of the view."""
    needed: list[list[int]]
    """Four rows: which of the frames a panel shows, picture by picture."""
    source: list[int]
    """Which view each of the four panels takes its pictures from."""


def render_plan(hologram: HologramScene, shown: range) -> RenderPlan:
    """What has to be rendered to show these frames of the loop."""
    first, total = FIRST_FRAME, hologram.motion.frames
    if fast_way_holds(hologram):
        # Camera k sees the head turned back by k quarters: as camera 0 does k quarters earlier.
        needed = [[first + (f - first - k * total // 4) % total for f in shown] for k in range(4)]
        return RenderPlan({0: sorted({f for row in needed for f in row})}, needed, [0, 0, 0, 0])
    still = hologram.motion.kind == "still" and not _anything_animated(hologram)
    row = [first] * len(shown) if still else list(shown)
    wanted = {view: sorted(set(row)) for view in range(len(hologram.views))}
    return RenderPlan(wanted, [row] * 4, [k % len(hologram.views) for k in range(4)])


def view_frames(hologram: HologramScene) -> int:
    """How many pictures of single views the video of the whole loop takes."""
    shown = range(FIRST_FRAME, FIRST_FRAME + hologram.motion.frames)
    return sum(len(frames) for frames in render_plan(hologram, shown).wanted.values())


def _anything_animated(hologram: HologramScene) -> bool:
    turntable = bpy.data.objects[hologram.turntable]
    curve = _turning(turntable)
    one_key = len(compat.fcurves(turntable)) == 1 and curve is not None and len(curve.keyframe_points) == 1
    return any(_is_animated(block) for block in _moving_blocks(hologram)) or not one_key

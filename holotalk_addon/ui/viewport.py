# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's window shows: the hologram's scene, the head from the front."""

from __future__ import annotations

from typing import Any

import bpy

VIEW_DISTANCE = 0.75
"""Metres from which a head fills a 3D viewport."""


def show_hologram(context: Any, scene: Any, *, first: bool) -> None:
    """Switch the window to a scene of the hologram.

    Args:
        context: of the operator.
        scene: what to show.
        first: also turn the window's 3D viewports to the head's front, and show its texture.

    """
    window = context.window or next(iter(context.window_manager.windows), None)
    if window is None:
        return
    window.scene = scene
    if first:
        for space, region in _viewports(window):
            look_at(region, (0.0, 0.0, 0.0), VIEW_DISTANCE)
            if space.shading.type == "SOLID":
                space.shading.light, space.shading.color_type = "FLAT", "TEXTURE"


def look_at(region: Any, place: tuple[float, float, float], distance: float) -> None:
    """Look at a place from the front (along +y), in perspective."""
    from mathutils import Quaternion

    region.view_perspective = "PERSP"
    region.view_rotation = Quaternion((1.0, 0.0, 0.0), 1.5707963)
    region.view_location = place
    region.view_distance = distance


def look_through_camera(window: Any, scene: Any, shading: str) -> None:
    """Show a scene in a window through its camera, in this kind of shading."""
    window.scene = scene
    for space, region in _viewports(window):
        region.view_perspective = "CAMERA"
        space.shading.type = shading


def open_image(context: Any, image: Any) -> None:
    """Show an image in a window of its own."""
    bpy.ops.wm.window_new()
    area = context.window_manager.windows[-1].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = image


def _viewports(window: Any) -> list[tuple[Any, Any]]:
    return [
        (area.spaces.active, area.spaces.active.region_3d)
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]

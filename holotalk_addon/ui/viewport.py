# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's window shows: the hologram's scene, the head from the front."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import bpy

VIEW_DISTANCE = 0.75
"""Metres from which a head fills a 3D viewport."""

CAMERA_ZOOM = 20.0
"""Blender's measure: so large that the camera's frame fills the viewport."""

SHADING = ("shading.type", "shading.light", "shading.color_type")
"""Properties of a 3D viewport: how it draws. The type comes first, the others depend on it."""

SHOWN = (
    "region_3d.view_perspective",
    "region_3d.view_rotation",
    "region_3d.view_location",
    "region_3d.view_distance",
    *SHADING,
    "shading.use_scene_world",
    "overlay.show_overlays",
    "overlay.show_relationship_lines",
    "overlay.show_cursor",
)
"""All of them that HoloTalk changes."""


@dataclass(frozen=True)
class View:
    """What a 3D viewport showed, and how."""

    screen: str
    area: int
    values: dict[str, Any]
    """Of each of :data:`SHOWN`."""


def views_of(window: Any) -> list[View]:
    """What the 3D viewports of a window show."""
    return [
        View(window.screen.name, number, {path: copy(attrgetter(path)(area.spaces.active)) for path in SHOWN})
        for number, area in enumerate(window.screen.areas)
        if area.type == "VIEW_3D"
    ]


def bring_back(views: list[View], only: Iterable[str] = SHOWN) -> None:
    """Show again what was shown, or only these properties, as far as the viewports are still there."""
    for view in views:
        screen = bpy.data.screens.get(view.screen)
        if screen is None or view.area >= len(screen.areas) or screen.areas[view.area].type != "VIEW_3D":
            continue
        space = screen.areas[view.area].spaces.active
        for path in only:
            owner, _, name = path.partition(".")
            # The engine may have become one that has no such shading: then the one that is shown stays.
            with suppress(TypeError):
                setattr(getattr(space, owner), name, view.values[path])


def show_hologram(context: Any, scene: Any, *, first: bool) -> None:
    """Switch the window to a scene of the hologram.

    Args:
        context: of the operator.
        scene: what to show.
        first: also turn the window's 3D viewports to the head's front, in colour as in the video.

    """
    window = context.window or next(iter(context.window_manager.windows), None)
    if window is None:
        return
    window.scene = scene
    if first:
        show_front(window, scene)


def show_front(window: Any, scene: Any) -> None:
    """Turn a window's 3D viewports to the head's front, in colour as in the video where the engine can."""
    for space, region in _viewports(window):
        look_at(region, (0.0, 0.0, 0.0), VIEW_DISTANCE)
        if scene.render.engine == "BLENDER_WORKBENCH":  # it has no Material Preview
            space.shading.type, space.shading.light, space.shading.color_type = "SOLID", "FLAT", "TEXTURE"
        else:
            space.shading.type = "MATERIAL"
            space.shading.use_scene_world = True  # black, as round the head in the video
        space.overlay.show_overlays = True
        space.overlay.show_relationship_lines = False  # from the cameras, across the face
        space.overlay.show_cursor = False


def look_at(region: Any, place: tuple[float, float, float], distance: float) -> None:
    """Look at a place from the front (along +y), in perspective."""
    from mathutils import Quaternion

    region.view_perspective = "PERSP"
    region.view_rotation = Quaternion((1.0, 0.0, 0.0), 1.5707963)
    region.view_location = place
    region.view_distance = distance


def show_plain(window: Any) -> None:
    """Have a window's 3D viewports draw plain textures, where they draw by an engine."""
    for space, _ in _viewports(window):
        if space.shading.type in ("MATERIAL", "RENDERED"):
            space.shading.type, space.shading.light, space.shading.color_type = "SOLID", "FLAT", "TEXTURE"


def look_through_camera(window: Any, scene: Any, shading: str) -> None:
    """Show a scene in a window through its camera, in this kind of shading."""
    window.scene = scene
    for space, region in _viewports(window):
        region.view_perspective = "CAMERA"
        region.view_camera_zoom = CAMERA_ZOOM
        space.shading.type = shading
        space.overlay.show_overlays = False  # the picture alone


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

# SPDX-License-Identifier: GPL-3.0-or-later
"""The four panels of the video, live in a corner of the 3D viewport.

Each view is drawn by Blender's own viewport into a picture off the screen, and these pictures are put where
the layout has them. They are drawn again only when something of what they show has changed: a viewport that
is merely turned or hovered over costs four small textured rectangles.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import bpy
import gpu  # type: ignore[import-not-found]
import numpy as np
from gpu_extras.batch import batch_for_shader  # type: ignore[import-not-found]
from numpy.typing import NDArray

from ..hologram.layout import PyramidLayout
from ..scene.hologram_scene import HologramScene

SHARE = 0.42
"""Side of the inset over the shorter side of the viewport."""
LARGEST, SMALLEST = 640, 96
"""Pixels of its side; where there is less room than the smallest, none is drawn."""
MARGIN = 14
"""Pixels, at a resolution scale of 1, between the inset and what bounds the viewport."""
FRAME_COLOUR = (0.35, 0.35, 0.35, 1.0)
QUAD = ((0, 1, 2), (0, 2, 3))
BLACK = (0.0, 0.0, 0.0, 1.0)

PLAIN = {
    "type": "SOLID",
    "light": "FLAT",
    "color_type": "TEXTURE",
    "show_object_outline": False,
    "show_cavity": False,
    "show_shadows": False,
    "show_specular_highlight": False,
    "show_xray": False,
    "show_backface_culling": True,
}
"""The shading in which the panels are drawn: the texture as it is, as in the video."""

Box = tuple[int, int, int]
"""Left, bottom and side of a square, in pixels of a region."""

DRAWN_IN = ("SOLID", "WIREFRAME")
"""Kinds of shading in which the inset appears. To draw it, a viewport is switched to plain textures for a
moment; in Material Preview and Rendered that hangs Blender (seen in 5.2.2), while EEVEE is drawn itself."""


class PanelsOverlay:
    """Shows the panels in the largest 3D viewport of each window."""

    def __init__(self, find: Callable[[], HologramScene | None]) -> None:
        """Nothing is shown yet.

        Args:
            find: Gives the open file's hologram, or None; asked at every redraw.

        """
        self._find = find
        self._handles: list[Any] = []
        self._changes = 0
        self._insets: dict[int, _Inset] = {}
        self._note = _change_handler(self._count_change)

    def add(self) -> None:
        """Begin to show the panels; does nothing when they are shown."""
        if self.is_shown():
            return
        add = bpy.types.SpaceView3D.draw_handler_add
        self._handles = [
            add(self.prepare, (), "WINDOW", "PRE_VIEW"),
            add(self.draw, (), "WINDOW", "POST_PIXEL"),
        ]
        for handlers in _change_handlers():
            handlers.append(self._note)
        _redraw_viewports()

    def remove(self) -> None:
        """Show them no longer, and free what they used; does nothing when they are not shown."""
        for handle in self._handles:
            bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
        self._handles.clear()
        for handlers in _change_handlers():
            if self._note in handlers:
                handlers.remove(self._note)
        for inset in self._insets.values():
            inset.free()
        self._insets.clear()
        _redraw_viewports()

    def is_shown(self) -> bool:
        """Whether :meth:`add` was called last, not :meth:`remove`."""
        return bool(self._handles)

    def _count_change(self) -> None:
        self._changes += 1

    def _wanted(self) -> tuple[HologramScene, Box] | None:
        """What is to be shown in the region of the context, and where in it."""
        context = bpy.context
        if context.region is None or context.region != _home_of(context.window):
            return None
        if context.space_data.shading.type not in DRAWN_IN:
            return None
        hologram = self._find()
        if hologram is None or hologram.subject not in context.scene.objects:
            return None
        scale = context.preferences.system.ui_scale or 1.0  # 0 as long as Blender has no window
        box = place_inset(context.area, context.region, scale)
        return None if box is None else (hologram, box)

    def prepare(self) -> None:
        """Blender calls this before it draws a viewport.

        Making a picture off the screen leaves another target bound for drawing than before. Here that does no
        harm: Blender binds its own before it goes on.
        """
        wanted = self._wanted()
        if wanted is not None:
            hologram, (_, _, side) = wanted
            inset = self._insets.setdefault(bpy.context.window.as_pointer(), _Inset())
            inset.make(len(hologram.cameras), _picture_size(hologram.layout, side))

    def draw(self) -> None:
        """Blender calls this when it has drawn a viewport: the inset is drawn over it."""
        wanted, context = self._wanted(), bpy.context
        inset = self._insets.get(context.window.as_pointer()) if wanted is not None else None
        if wanted is None or inset is None:
            return
        hologram, box = wanted
        if not inset.fits(len(hologram.cameras), _picture_size(hologram.layout, box[2])):
            return  # it changed while the viewport was drawn: the next redraw has it
        scene = (context.scene.session_uid, context.view_layer.name, context.scene.frame_current)
        inset.update(context, hologram, (hologram, scene, self._changes))
        inset.draw(hologram.layout, box)


class _Inset:
    """The pictures of one viewport's panels, kept from redraw to redraw."""

    def __init__(self) -> None:
        self._pictures: list[Any] = []
        self._key: object = None

    def make(self, count: int, size: tuple[int, int]) -> None:
        """Have as many pictures of this size; those that are there are used again."""
        if not self.fits(count, size):
            self.free()
            self._pictures = [gpu.types.GPUOffScreen(*size) for _ in range(count)]

    def fits(self, count: int, size: tuple[int, int]) -> bool:
        """Whether there are as many pictures, of this size."""
        return [(picture.width, picture.height) for picture in self._pictures] == [size] * count

    def update(self, context: Any, hologram: HologramScene, key: object) -> None:
        """Draw the views anew, if the key is another than last time."""
        if key == self._key:
            return
        depsgraph = context.evaluated_depsgraph_get()
        with _plain_shading(context.space_data):
            for name, picture in zip(hologram.cameras, self._pictures, strict=True):
                camera = bpy.data.objects[name].evaluated_get(depsgraph)
                picture.draw_view3d(
                    context.scene,
                    context.view_layer,
                    context.space_data,
                    context.region,
                    camera.matrix_world.normalized().inverted(),
                    camera.calc_matrix_camera(depsgraph, x=picture.width, y=picture.height),
                    do_color_management=True,
                    draw_background=False,
                )
        self._key = key

    def draw(self, layout: PyramidLayout, box: Box) -> None:
        """Draw the ground, the panels and the frame."""
        left, bottom, side = box
        square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
        corners = square * side + (left, bottom)
        _fill(corners + (2 * square - 1), FRAME_COLOUR)  # a pixel of it is left round the ground
        _fill(corners, BLACK)
        shader = gpu.shader.from_builtin("IMAGE")
        gpu.state.blend_set("ALPHA_PREMULT")
        for k in range(4):
            places = panel_corners(layout, k) * (side / layout.size) + (left + side / 2, bottom + side / 2)
            content = {"pos": places.tolist(), "texCoord": square.tolist()}
            batch = batch_for_shader(shader, "TRIS", content, indices=QUAD)
            shader.uniform_sampler("image", self._pictures[k % len(self._pictures)].texture_color)
            batch.draw(shader)
        gpu.state.blend_set("NONE")

    def free(self) -> None:
        """Give the pictures' memory back."""
        for picture in self._pictures:
            picture.free()
        self._pictures, self._key = [], None


def _picture_size(layout: PyramidLayout, side: int) -> tuple[int, int]:
    """Width and height of a panel's picture in an inset of this side, in pixels."""
    width, height = (round(p * side / layout.size) for p in (layout.panel_width, layout.panel_height))
    return max(2, width), max(2, height)


def panel_corners(layout: PyramidLayout, panel: int) -> NDArray[np.float64]:
    """Where a panel's picture goes on the screen.

    Returns:
        (4, 2) pixels of the layout from its middle, x right, y up: the places of the intended picture's
        lower left, lower right, upper right and upper left corner.

    """
    half, height = layout.panel_width / 2, float(layout.panel_height)
    return layout.to_screen(panel, np.array([(-half, 0.0), (half, 0.0), (half, height), (-half, height)]))


def place_inset(area: Any, region: Any, scale: float) -> Box | None:
    """Where the inset goes: the lower left corner of what toolbar, sidebar and headers leave free. On the
    right it would lie over the head as soon as the sidebar is open.

    Args:
        area: A 3D viewport.
        region: Its main region.
        scale: Of the user interface.

    Returns:
        None where there is no room.

    """
    left, bottom, right, top = 0, 0, region.width, region.height
    panel_top = 0
    for other in area.regions:
        if other.type == "WINDOW" or min(other.width, other.height) <= 1:
            continue
        if other.alignment == "LEFT":
            left = max(left, other.x + other.width - region.x)
        elif other.alignment == "RIGHT":
            right = min(right, other.x - region.x)
        elif other.alignment == "TOP":
            top = min(top, other.y - region.y)
        elif other.alignment == "BOTTOM":
            bottom = max(bottom, other.y + other.height - region.y)
        elif other.type == "HUD":  # the panel of the last operator, which comes and goes in this corner
            panel_top = other.y + other.height - region.y
    margin = round(MARGIN * scale)
    room = min(right - left, top - bottom)
    side = min(round(SHARE * room), round(LARGEST * scale), room - 2 * margin)
    if side < SMALLEST:
        return None
    if panel_top + 2 * margin + side <= top:
        bottom = max(bottom, panel_top)
    return left + margin, bottom + margin, side


def _home_of(window: Any) -> Any | None:
    """The main region of the largest 3D viewport of a window."""
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"] if window is not None else []
    if not areas:
        return None
    area = max(areas, key=lambda one: one.width * one.height)
    regions = [region for region in area.regions if region.type == "WINDOW"]
    return max(regions, key=lambda one: one.width * one.height)  # several in a quad view


def _fill(corners: NDArray[np.float64], colour: tuple[float, float, float, float]) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    batch = batch_for_shader(shader, "TRIS", {"pos": corners.tolist()}, indices=QUAD)
    shader.uniform_float("color", colour)
    batch.draw(shader)


@contextlib.contextmanager
def _plain_shading(space: Any) -> Iterator[None]:
    """While it lasts a viewport draws flat textures and nothing else; then it is as the user has it."""
    wanted = [(space.shading, name, value) for name, value in PLAIN.items()]
    wanted.append((space.overlay, "show_overlays", False))
    kept = []
    try:
        for owner, name, value in wanted:
            former = getattr(owner, name)
            if former != value:  # setting a property makes Blender draw again: only what is needed
                kept.append((owner, name, former))
                setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(kept):
            setattr(owner, name, value)


def _change_handlers() -> tuple[list[Any], ...]:
    """Where Blender tells of what may change the panels; frames apart, which have a number."""
    handlers = bpy.app.handlers
    return handlers.depsgraph_update_post, handlers.undo_post, handlers.redo_post, handlers.load_post


def _change_handler(count: Callable[[], None]) -> Callable[..., None]:
    """A handler that outlives the opening of another file."""

    @bpy.app.handlers.persistent
    def note_change(*_: object) -> None:
        count()

    return note_change


def _redraw_viewports() -> None:
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type == "VIEW_3D":
                    area.tag_redraw()

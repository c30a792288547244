# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual pyramid: the screen that plays the hologram, four sheets of acrylic on it, and a viewer.

A scene to look at in Blender before anything is cut: what the viewer of the real pyramid will see. The
screen and the mirrors stand as :mod:`..hologram.layout` derives them; the same geometry, with perfect
mirrors, is what the tests look into.

The reflection is computed in the acrylic's material: a ray from the eye is reflected at the sheet and met
with the plane of the screen, and the picture is looked up there. That is exact for flat sheets, without
noise, and the same in EEVEE, in Cycles and in a viewport that plays the loop. Light that is reflected
twice is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, PhotoError
from ..hologram.layout import PyramidLayout, pyramid_dimensions
from ..hologram.motion import LoopMotion, loop_motion
from . import compat
from .hologram_scene import make_scene
from .own import role_of, tag

PYRAMID_NAME = "HoloTalk Pyramid"
ROLE = "pyramid"
"""The scene's role; those of its parts begin with it."""
SCREEN_MM = (70.0, 150.0)
"""A usual phone."""
PICTURE_SIZE = (960, 720)
EEVEE_SAMPLES = 16

REFLECTED = 0.85
"""Of the picture, in the acrylic. Clear acrylic gives back about 0.1 at 45 degrees; in a dark room the eye
makes up for that, so the scene shows what the eye believes it sees."""
SEEN_THROUGH = 0.92
SHEEN = 0.035
"""Of the room's soft light, on the acrylic."""


@dataclass(frozen=True)
class VirtualPyramid:
    """The virtual pyramid in the open .blend, by the names of its parts."""

    layout: PyramidLayout
    scene: str
    viewer: str
    """An empty in the middle of the pyramid that carries the camera: turn it about z to walk round."""
    camera: str
    screen: str
    """The lit picture, a plane."""
    mirrors: tuple[str, ...]
    """The four sheets, each one quad: front, right, back, left."""
    dressing: tuple[str, ...]
    """All that is only there for the eye: the edges of the acrylic, the device, the table."""
    image: str
    """The picture on the screen: an image or a movie."""


def screen_corners(layout: PyramidLayout) -> NDArray[np.float64]:
    """Where the frame's corners lie when the screen is in its place.

    Returns:
        (4, 3) pixels from the middle of the pyramid's lower end, x to the right of a viewer at the front,
        y away from them, z up; the picture's lower left, lower right, upper right and upper left corner.
        A screen that faces down was turned over about its x axis.

    """
    half_width, half_height = np.array(layout.frame) / 2.0
    xy = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height)
    if layout.screen == "up":
        return np.column_stack([xy, np.zeros(4)])
    return np.column_stack([xy * (1, -1), np.full(4, float(layout.panel_height))])


def mirror_corners(layout: PyramidLayout) -> NDArray[np.float64]:
    """The four mirrors, rising at 45 degrees.

    Returns:
        (4, 4, 3) pixels in the axes of :func:`screen_corners`: front, right (+x), back, left; of each the
        lower left, lower right, upper right and upper left corner, as a viewer at that side sees them.

    """
    a, h = float(layout.half_gap), float(layout.panel_height)
    low, high = (a, a + h) if layout.screen == "up" else (a + h, a)
    front = np.array([(-low, -low, 0.0), (low, -low, 0.0), (high, -high, h), (-high, -high, h)])
    # Counter-clockwise seen from above: front, +x, back, -x.
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return np.stack([front @ np.linalg.matrix_power(quarter, k).T for k in range(4)])


def metres_per_pixel(layout: PyramidLayout, screen_mm: tuple[float, float] = SCREEN_MM) -> float:
    """Size of a frame's pixel on a screen that shows the whole frame as large as it can, the longer side of
    the frame along the longer side of the screen.

    Raises:
        OptionError: A screen that cannot carry a pyramid.

    """
    pyramid_dimensions(screen_mm, layout.gap)  # checks both
    short, long = sorted(screen_mm)
    return min(short / min(layout.frame), long / max(layout.frame)) / 1000.0


def find_virtual_pyramid() -> Any | None:
    """The scene of the virtual pyramid in the open file, or None."""
    return _own(bpy.data.scenes, ROLE)


def build_virtual_pyramid(
    layout: PyramidLayout,
    picture: Path | Any,
    screen_mm: tuple[float, float] = SCREEN_MM,
    engine: str = "eevee",
) -> VirtualPyramid:
    """Build the virtual pyramid into the open file, or bring the one that stands there up to date.

    A scene of its own; nothing else in the file changes. When it is there already, its parts are kept
    and changed in place, and where the viewer stands is left as it is unless the pyramid has another size.

    Args:
        layout: How the picture was laid out.
        picture: The hologram: a ``.png`` (packed into the .blend) or a ``.mp4`` (played in the loop, frame
            by frame with the scene's), or an image of the open file.
        screen_mm: The two sides of the lit screen in millimetres, in any order.
        engine: ``eevee``, or ``cycles`` for reflections in the table and the device.

    Raises:
        OptionError: A screen that cannot carry a pyramid, or another engine.
        PhotoError: The picture cannot be read.

    """
    if engine not in ("eevee", "cycles"):
        raise OptionError(f"The virtual pyramid is drawn by eevee or cycles, not by '{engine}'.")
    unit = metres_per_pixel(layout, screen_mm)
    image = _load(picture) if isinstance(picture, str | Path) else picture
    motion = _motion_of(image)
    scene = _scene(motion, engine)
    height = layout.panel_height * unit
    facing_up = layout.screen == "up"

    screen_points = screen_corners(layout) * unit
    lift = np.array([0.0, 0.0, _device_thickness(screen_mm) if facing_up else 0.0])
    screen = _object(scene, "screen", "Screen", screen_points + lift, [(0, 1, 2, 3)])
    uvs = screen.data.uv_layers.new(name="UVMap")
    uvs.uv.foreach_set("vector", np.array([0, 0, 1, 0, 1, 1, 0, 1], dtype=np.float32))
    _paint(screen, _screen_material(image, motion))

    acrylic = _acrylic_material(image, motion, screen_points + lift)
    mirrors = []
    for k, corners in enumerate(mirror_corners(layout) * unit + lift):
        name = f"Mirror {layout.panels[k].name.capitalize()}"
        mirror = _object(scene, f"mirror {k}", name, corners, [(0, 1, 2, 3)])
        _paint(mirror, acrylic)
        mirrors.append(mirror)
    dressing = _dress(scene, layout, screen_mm, unit, lift)
    viewer, camera = _seat_viewer(scene, layout, screen_mm, unit, lift[2] + height)
    return VirtualPyramid(
        layout=layout,
        scene=scene.name,
        viewer=viewer.name,
        camera=camera.name,
        screen=screen.name,
        mirrors=tuple(mirror.name for mirror in mirrors),
        dressing=tuple(part.name for part in dressing),
        image=image.name,
    )

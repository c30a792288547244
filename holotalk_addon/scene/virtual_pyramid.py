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

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from ..head.camera import Camera
from ..hologram.layout import PyramidLayout
from ..hologram.motion import FIRST_FRAME, LoopMotion, loop_motion
from ..hologram.solid import (
    SCREEN_MM,
    Device,
    bars,
    box_corners,
    device_of,
    metres_per_pixel,
    mirror_corners,
    screen_corners,
    sheet_edges,
    slab,
    square,
)
from .hologram_scene import make_scene
from .own import PYRAMID_ROLE, find_by_role, is_own, role_of, tag
from .pyramid_materials import (
    PYRAMID_NAME,
    ROLE,
    acrylic_material,
    edge_material,
    make_room,
    paint,
    screen_material,
    surface_material,
    table_material,
)
from .view_camera import set_lens

PICTURE_SIZE = (960, 640)
EEVEE_SAMPLES = 16
CYCLES_SAMPLES = 64
SHAPE = "holotalk_shape"
"""Custom property of the viewer: for which pyramid their place was chosen."""
VIEWER_DISTANCE = 6.0
"""From the viewer's eye to the pyramid's middle, in widths of its large end."""
VIEWER_YAW = 12.0
"""Degrees round from the front: a pyramid seen a little from the side looks solid."""
VIEW_FILL = 0.88
"""Of the picture's width or height, by the pyramid and the device."""


def find_virtual_pyramid() -> Any | None:
    """The scene of the virtual pyramid in the open file, or None."""
    return find_by_role(bpy.data.scenes, PYRAMID_ROLE)


def build_virtual_pyramid(
    layout: PyramidLayout, picture: Path | Any, screen_mm: tuple[float, float] = SCREEN_MM
) -> Any:
    """Build the virtual pyramid into the open file, or bring the one that stands there up to date.

    It is a scene of its own; nothing else in the file changes. When it is there already, its parts are
    changed in place; render settings stay as they are, and the viewer's place too unless the pyramid has
    another shape.

    Args:
        layout: How the picture was laid out.
        picture: The hologram: a still (packed into the .blend), a ``.mp4`` (plays in the loop, frame by
            frame with the scene), or an image of the open file.
        screen_mm: The two sides of the lit screen in millimetres, in any order.

    Returns:
        The scene; its parts are found by their roles, see :data:`ROLE`.

    Raises:
        OptionError: A screen that cannot carry a pyramid.
        PhotoError: The picture cannot be read.

    """
    unit = metres_per_pixel(layout, screen_mm)
    image = _load(Path(picture)) if isinstance(picture, str | Path) else picture
    motion = _motion_of(image)
    scene = _make_scene(motion)
    device = device_of(layout, screen_mm)
    # The pyramid stands on the screen, which lies on the table; or on the table, the screen above it.
    base = np.array([0.0, 0.0, device.thickness if layout.screen == "up" else 0.0])

    corners = screen_corners(layout) * unit + base
    screen = _make_object(scene, "screen", "Screen", corners, [(0, 1, 2, 3)])
    uvs = screen.data.uv_layers.new(name="UVMap")
    uvs.uv.foreach_set("vector", np.array([0, 0, 1, 0, 1, 1, 0, 1], dtype=np.float32))
    paint(screen, screen_material(image, motion))

    sheets = mirror_corners(layout) * unit + base
    acrylic = acrylic_material(image, motion, corners)
    for k, (panel, sheet) in enumerate(zip(layout.panels, sheets, strict=True)):
        name = f"Mirror {panel.name.capitalize()}"
        paint(_make_object(scene, f"mirror {k}", name, sheet, [(0, 1, 2, 3)]), acrylic)
    _dress(scene, layout, device, sheets)
    _seat_viewer(scene, layout, device, sheets)
    return scene


def _load(path: Path) -> Any:
    """Load the picture; one that an earlier call loaded goes."""
    from ..face.pictures import check_picture_or_film

    former = [image for image in bpy.data.images if role_of(image) == f"{ROLE} picture" and is_own(image)]
    check_picture_or_film(path)
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise PhotoError(f"Cannot read '{path}': choose a picture or a video of the hologram.") from error
    if min(image.size) == 0:
        bpy.data.images.remove(image)
        raise PhotoError(f"'{path}' is no picture or video that Blender can read: choose another.")
    for old in former:
        bpy.data.images.remove(old)
    if image.source == "FILE":
        image.pack()  # a still is often a preview in a temporary folder
    image.name = f"{PYRAMID_NAME} Picture"
    return tag(image, f"{ROLE} picture")


def _motion_of(image: Any) -> LoopMotion:
    """How long the loop on the screen is."""
    if image.source != "MOVIE":
        return loop_motion()
    clip = bpy.data.movieclips.load(bpy.path.abspath(image.filepath))  # an image does not tell its rate
    try:
        return LoopMotion("turntable", image.frame_duration, max(1, round(clip.fps)))
    finally:
        bpy.data.movieclips.remove(clip)


def _make_scene(motion: LoopMotion) -> Any:
    scene = find_virtual_pyramid()
    if scene is None:
        scene = make_scene(PYRAMID_NAME, PICTURE_SIZE, motion, "eevee", None)
        tag(scene, PYRAMID_ROLE)
        scene.render.film_transparent = False
        scene.eevee.taa_render_samples = EEVEE_SAMPLES
        cycles = getattr(scene, "cycles", None)
        if cycles is not None:  # for whoever chooses it: the device and the table then mirror the pyramid
            cycles.samples, cycles.use_denoising = CYCLES_SAMPLES, False
            cycles.transparent_max_bounces = 32
        scene.world = make_room()
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + motion.frames - 1
    scene.render.fps, scene.render.fps_base = motion.fps, 1.0
    return scene


def _make_object(
    scene: Any, part: str, name: str, points: NDArray[np.float64], faces: Sequence[Sequence[int]]
) -> Any:
    """The part's mesh object with these corners in metres and faces; made if it is not there."""
    role = f"{ROLE} {part}"
    obj = find_by_role(scene.objects, role)
    if obj is None:
        mesh = tag(bpy.data.meshes.new(f"{PYRAMID_NAME} {name}"), role)
        obj = tag(bpy.data.objects.new(mesh.name, mesh), role)
        scene.collection.objects.link(obj)
    obj.data.clear_geometry()
    obj.data.from_pydata(points.tolist(), [], faces)
    return obj


def _dress(scene: Any, layout: PyramidLayout, device: Device, sheets: NDArray[np.float64]) -> None:
    """The edges of the sheets, the device, its stand and the table: what makes it look real."""
    size = float(np.ptp(sheets[..., 0]))
    thin = 0.005 * size
    edge = _make_object(scene, "edges", "Edges", *bars(sheet_edges(sheets, thin), thin))
    paint(edge, edge_material())

    facing_up = layout.screen == "up"
    low = 0.0 if facing_up else float(sheets[..., 2].max())
    # A hair behind the lit picture, which lies on it.
    hair = 1e-3 * device.thickness
    bottom, top = (low, low + device.thickness - hair) if facing_up else (low + hair, low + device.thickness)
    body = _make_object(scene, "device", "Device", *slab(device, bottom, top))
    _smooth(body)
    paint(body, surface_material("device", "Device", (0.012, 0.012, 0.014), 0.16))

    x, y = device.width / 2 - device.radius / 2, device.depth / 2 - device.radius / 2
    feet = np.array([[[sx * x, sy * y, 0.0], [sx * x, sy * y, top]] for sx in (-1, 1) for sy in (-1, 1)])
    stand = _make_object(scene, "stand", "Stand", *bars(feet, 0.02 * size))
    paint(stand, surface_material("stand", "Stand", (0.02, 0.02, 0.022), 0.3))
    stand.hide_render = stand.hide_viewport = facing_up

    reach = 40.0 * size
    table = _make_object(scene, "table", "Table", reach * square(), [(0, 1, 2, 3)])
    paint(table, table_material(3.0 * size, device if facing_up else None))


def _smooth(obj: Any) -> None:
    obj.data.polygons.foreach_set("use_smooth", np.ones(len(obj.data.polygons), dtype=bool))
    obj.data.set_sharp_from_angle(angle=np.radians(30.0))


def _seat_viewer(scene: Any, layout: PyramidLayout, device: Device, sheets: NDArray[np.float64]) -> None:
    """The camera where a viewer's eye is, on an empty that walks it round.

    The head fills the mirror up to its edges, so its crown is seen whole from the level of the pyramid's
    upper end: from higher up it is cut off there, as in life.
    """
    role = f"{ROLE} viewer"
    shape = f"{layout.screen} {np.ptp(sheets[..., 0]):.6f} {np.ptp(sheets[..., 2]):.6f} {device.depth:.6f}"
    viewer = find_by_role(scene.objects, role)
    camera = find_by_role(scene.objects, f"{ROLE} camera")
    if viewer is None:
        viewer = tag(bpy.data.objects.new(f"{PYRAMID_NAME} Viewer", None), role)
        viewer.empty_display_type = "SINGLE_ARROW"  # the axis to turn it about
        scene.collection.objects.link(viewer)
    if camera is None:
        data = tag(bpy.data.cameras.new(f"{PYRAMID_NAME} Camera"), f"{ROLE} camera")
        camera = tag(bpy.data.objects.new(data.name, data), f"{ROLE} camera")
        scene.collection.objects.link(camera)
    elif viewer.get(SHAPE) == shape:
        return
    viewer[SHAPE] = shape
    low, high = float(sheets[..., 2].min()), float(sheets[..., 2].max())
    size = float(np.ptp(sheets[..., 0]))
    viewer.location = (0.0, 0.0, (low + high) / 2)
    viewer.rotation_euler = (0.0, 0.0, np.radians(VIEWER_YAW))
    viewer.empty_display_size = 0.1 * size
    camera.parent = viewer
    eye = high if layout.screen == "up" else low + 0.6 * (high - low)
    distance = VIEWER_DISTANCE * size
    camera.location = (0.0, -distance, eye - viewer.location[2])
    camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
    # Level, so that what is upright stays so; the lens shifts to the middle of what there is to see.
    corners = np.concatenate(
        [sheets.reshape(-1, 3), box_corners(device, 0.0 if layout.screen == "up" else high)]
    )
    turn = np.radians(VIEWER_YAW)
    right = corners @ (np.cos(turn), np.sin(turn), 0.0)
    away = corners @ (-np.sin(turn), np.cos(turn), 0.0) + distance
    seen = np.column_stack([right, corners[:, 2] - eye]) / away[:, None]
    middle, extent = (seen.max(0) + seen.min(0)) / 2, np.ptp(seen, axis=0)
    width, height = PICTURE_SIZE
    focal = VIEW_FILL * min(width / extent[0], height / extent[1])
    pinhole = Camera(focal, width / 2 - focal * middle[0], height / 2 + focal * middle[1])
    set_lens(camera.data, pinhole, PICTURE_SIZE, (0.01 * distance, 100.0 * distance))
    scene.camera = camera

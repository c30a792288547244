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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from ..hologram.layout import PyramidLayout, pyramid_dimensions
from ..hologram.motion import FIRST_FRAME, LoopMotion, loop_motion
from . import compat
from .hologram_scene import make_scene
from .own import PYRAMID_ROLE, find_by_role, is_own, role_of, tag
from .rig import SENSOR_WIDTH

PYRAMID_NAME = "HoloTalk Pyramid"
ROLE = "pyramid"
"""Begins the roles of the scene and all its parts: ``pyramid scene``, ``pyramid viewer``, ``pyramid camera``,
``pyramid screen``, ``pyramid mirror 0`` (front) to ``3``; and, for the eye alone, ``pyramid edges``,
``pyramid device``, ``pyramid stand``, ``pyramid table``."""
SCREEN_MM = (70.0, 150.0)
"""A usual phone."""
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

REFLECTED = 0.85
"""Of the picture, in the acrylic. Clear acrylic gives back about 0.1 at 45 degrees; in a dark room the eye
makes up for that, so the scene shows what the eye believes it sees."""
SEEN_THROUGH = 0.92
SHEEN = 0.012
"""Of the room's soft light, on the acrylic."""
GRAZING_FALL = 0.4
"""A screen's light at an angle is its cosine to this power."""
EDGE_GLOW = 0.07
LAMP = 2.6
LAMP_DIRECTION = (-0.5, 0.45, 0.74)
LAMP_EDGE = (0.72, 0.97)
"""Cosine of the angle from its middle where the lamp begins, and where it is full."""
TABLE = (0.06, 0.05, 0.045)
ROOM = (0.0018, 0.002, 0.0026)
"""The dark behind it all, as scene-linear light."""


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
    device = _device_of(layout, screen_mm)
    # The pyramid stands on the screen, which lies on the table; or on the table, the screen above it.
    base = np.array([0.0, 0.0, device.thickness if layout.screen == "up" else 0.0])

    corners = screen_corners(layout) * unit + base
    screen = _make_object(scene, "screen", "Screen", corners, [(0, 1, 2, 3)])
    uvs = screen.data.uv_layers.new(name="UVMap")
    uvs.uv.foreach_set("vector", np.array([0, 0, 1, 0, 1, 1, 0, 1], dtype=np.float32))
    _paint(screen, _screen_material(image, motion))

    sheets = mirror_corners(layout) * unit + base
    acrylic = _acrylic_material(image, motion, corners)
    for k, (panel, sheet) in enumerate(zip(layout.panels, sheets, strict=True)):
        name = f"Mirror {panel.name.capitalize()}"
        _paint(_make_object(scene, f"mirror {k}", name, sheet, [(0, 1, 2, 3)]), acrylic)
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
        scene.world = _make_world()
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


@dataclass(frozen=True)
class _Device:
    """A phone or tablet, in metres."""

    width: float
    """Of the body along x."""
    depth: float
    """Of the body along y."""
    thickness: float
    radius: float
    """Of its rounded corners."""


def _device_of(layout: PyramidLayout, screen_mm: tuple[float, float]) -> _Device:
    short, long = (side / 1000.0 for side in sorted(screen_mm))
    rim = 0.05 * short
    across, along = (long, short) if layout.frame[0] > layout.frame[1] else (short, long)
    return _Device(across + 2 * rim, along + 2 * rim, 0.11 * short, 0.13 * short)


def _dress(scene: Any, layout: PyramidLayout, device: _Device, sheets: NDArray[np.float64]) -> None:
    """The edges of the sheets, the device, its stand and the table: what makes it look real."""
    size = float(np.ptp(sheets[..., 0]))
    thin = 0.005 * size
    edge = _make_object(scene, "edges", "Edges", *_bars(_edges(sheets, thin), thin))
    _paint(edge, _edge_material())

    facing_up = layout.screen == "up"
    low = 0.0 if facing_up else float(sheets[..., 2].max())
    # A hair behind the lit picture, which lies on it.
    hair = 1e-3 * device.thickness
    bottom, top = (low, low + device.thickness - hair) if facing_up else (low + hair, low + device.thickness)
    body = _make_object(scene, "device", "Device", *_slab(device, bottom, top))
    _smooth(body)
    _paint(body, _surface_material("device", "Device", (0.012, 0.012, 0.014), 0.16))

    x, y = device.width / 2 - device.radius / 2, device.depth / 2 - device.radius / 2
    feet = np.array([[[sx * x, sy * y, 0.0], [sx * x, sy * y, top]] for sx in (-1, 1) for sy in (-1, 1)])
    stand = _make_object(scene, "stand", "Stand", *_bars(feet, 0.02 * size))
    _paint(stand, _surface_material("stand", "Stand", (0.02, 0.02, 0.022), 0.3))
    stand.hide_render = stand.hide_viewport = facing_up

    reach = 40.0 * size
    table = _make_object(scene, "table", "Table", reach * _square(), [(0, 1, 2, 3)])
    _paint(table, _table_material(3.0 * size, device if facing_up else None))


def _square() -> NDArray[np.float64]:
    return np.array([(-1.0, -1.0, 0.0), (1.0, -1.0, 0.0), (1.0, 1.0, 0.0), (-1.0, 1.0, 0.0)])


def _edges(sheets: NDArray[np.float64], thin: float) -> NDArray[np.float64]:
    """(12, 2, 3): both ends of the pyramid's edges, a little outside of the sheets, which stay clear."""
    left_low, right_low, right_high, left_high = np.moveaxis(sheets, 1, 0)
    up_left, up_right = left_high - left_low, right_high - right_low
    along = thin / np.linalg.norm(up_left, axis=1, keepdims=True)
    left_low, right_low = left_low - along * up_left, right_low - along * up_right
    left_high, right_high = left_high + along * up_left, right_high + along * up_right
    pairs = [(left_low, left_high), (left_low, right_low), (left_high, right_high)]
    return np.concatenate([np.stack(pair, axis=1) for pair in pairs])


def _bars(ends: NDArray[np.float64], thickness: float) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Square bars between (N, 2, 3) ends: (8 N, 3) corners and 6 N faces."""
    points: list[NDArray[np.float64]] = []
    faces: list[list[int]] = []
    for start, end in ends:
        axis = (end - start) / np.linalg.norm(end - start)
        side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
        side *= thickness / 2 / np.linalg.norm(side)
        other = np.cross(axis, side)
        ring = np.array([side + other, other - side, -side - other, side - other])
        first = len(points) * 8
        points.append(np.concatenate([start + ring, end + ring]))
        faces += [[first + k, first + (k + 1) % 4, first + 4 + (k + 1) % 4, first + 4 + k] for k in range(4)]
        faces += [[first + 3, first + 2, first + 1, first], [first + 4, first + 5, first + 6, first + 7]]
    return np.concatenate(points), faces


def _slab(device: _Device, bottom: float, top: float) -> tuple[NDArray[np.float64], list[list[int]]]:
    """A flat body with rounded corners and bevelled rims between two heights."""
    steps = 12
    bevel = 0.18 * (top - bottom)
    turn = np.linspace(0.0, np.pi / 2, steps)
    rings = []
    for z, inset in ((bottom, bevel), (bottom + bevel, 0.0), (top - bevel, 0.0), (top, bevel)):
        radius = device.radius - inset
        x, y = device.width / 2 - device.radius, device.depth / 2 - device.radius
        arcs = [
            np.column_stack([cx + radius * np.cos(turn + a), cy + radius * np.sin(turn + a)])
            for a, cx, cy in ((0, x, y), (np.pi / 2, -x, y), (np.pi, -x, -y), (1.5 * np.pi, x, -y))
        ]
        ring = np.concatenate(arcs)
        rings.append(np.column_stack([ring, np.full(len(ring), z)]))
    count = len(rings[0])
    faces = [list(range(count))[::-1], list(range(3 * count, 4 * count))]
    for r in range(3):
        a, b = r * count, (r + 1) * count
        faces += [[a + k, a + (k + 1) % count, b + (k + 1) % count, b + k] for k in range(count)]
    return np.concatenate(rings), faces


def _smooth(obj: Any) -> None:
    obj.data.polygons.foreach_set("use_smooth", np.ones(len(obj.data.polygons), dtype=bool))
    obj.data.set_sharp_from_angle(angle=np.radians(30.0))


def _seat_viewer(scene: Any, layout: PyramidLayout, device: _Device, sheets: NDArray[np.float64]) -> None:
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
    corners = np.concatenate([sheets.reshape(-1, 3), _box(device, 0.0 if layout.screen == "up" else high)])
    turn = np.radians(VIEWER_YAW)
    right = corners @ (np.cos(turn), np.sin(turn), 0.0)
    away = corners @ (-np.sin(turn), np.cos(turn), 0.0) + distance
    seen = np.column_stack([right, corners[:, 2] - eye]) / away[:, None]
    middle, extent = (seen.max(0) + seen.min(0)) / 2, np.ptp(seen, axis=0)
    aspect = PICTURE_SIZE[0] / PICTURE_SIZE[1]
    width = max(extent[0], extent[1] * aspect) / VIEW_FILL
    data = camera.data
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_WIDTH
    data.lens = SENSOR_WIDTH / width
    data.shift_x, data.shift_y = middle / width
    data.clip_start, data.clip_end = 0.01 * distance, 100.0 * distance
    scene.camera = camera


def _box(device: _Device, bottom: float) -> NDArray[np.float64]:
    """(8, 3): the corners of the device's box."""
    x, y = device.width / 2, device.depth / 2
    heights = (bottom, bottom + device.thickness)
    return np.array([(sx * x, sy * y, z) for sx in (-1, 1) for sy in (-1, 1) for z in heights])


class _Nodes:
    """Writes the node tree of a material or world of the pyramid; a former tree goes."""

    def __init__(self, owner: Any, output: str) -> None:
        self.tree = compat.node_tree(owner)
        self.tree.nodes.clear()
        self.output = self.new(output)

    def new(self, kind: str, inputs: dict[str, Any] | None = None, **attributes: Any) -> Any:
        """A node with these attributes; ``inputs`` are fed by name."""
        node = self.tree.nodes.new(kind)
        node.location = (180.0 * len(self.tree.nodes) - 2000.0, 0.0)
        for name, value in attributes.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            self.feed(node.inputs[name], value)
        return node

    def feed(self, socket: Any, value: Any) -> None:
        """Link another socket to an input, or set the input's value."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation: str, *values: Any) -> Any:
        """The output of a node that calculates with numbers."""
        node = self.new("ShaderNodeMath", operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[0]

    def vector(self, operation: str, *values: Any, output: str = "Vector") -> Any:
        """The output of a node that calculates with vectors."""
        node = self.new("ShaderNodeVectorMath", operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[output]

    def scaled(self, vector: Any, factor: Any) -> Any:
        """A vector times a number."""
        node = self.new("ShaderNodeVectorMath", {"Scale": factor}, operation="SCALE")
        self.feed(node.inputs[0], vector)
        return node.outputs[0]

    def ramp(self, value: Any, between: tuple[float, float], to: tuple[float, float]) -> Any:
        """A number brought smoothly from one range to another, and kept in it."""
        ranges = {"From Min": between[0], "From Max": between[1], "To Min": to[0], "To Max": to[1]}
        node = self.new(
            "ShaderNodeMapRange", {"Value": value, **ranges}, interpolation_type="SMOOTHSTEP", clamp=True
        )
        return node.outputs["Result"]

    def surface(self, colour: tuple[float, float, float], roughness: float) -> Any:
        """An ordinary surface."""
        inputs = {"Base Color": (*colour, 1.0), "Roughness": roughness}
        return self.new("ShaderNodeBsdfPrincipled", inputs).outputs[0]

    def screen_light(self, facing: Any) -> Any:
        """A screen's light at an angle of this cosine, of either sign, over that from straight before it."""
        return self.math("POWER", self.math("ABSOLUTE", facing), GRAZING_FALL)

    def picture(self, image: Any, motion: LoopMotion) -> Any:
        """A node with the screen's picture; a movie's frames are the scene's, round and round."""
        node = self.new("ShaderNodeTexImage", name="Picture", image=image, extension="CLIP")
        if image.source == "MOVIE":
            user = node.image_user
            user.frame_start, user.frame_duration, user.frame_offset = FIRST_FRAME, motion.frames, 0
            user.use_cyclic = user.use_auto_refresh = True
        self.tree.nodes.active = node
        return node

    def blend(self, kind: str, *values: Any) -> Any:
        """The output of an Add Shader (two shaders) or a Mix Shader (share of the second, two shaders)."""
        node = self.new(kind)
        for socket, value in zip(node.inputs, values, strict=True):
            self.feed(socket, value)
        return node.outputs[0]

    def show(self, shader: Any) -> None:
        """Make a shader the surface."""
        self.feed(self.output.inputs["Surface"], shader)


def _material(part: str, name: str) -> tuple[Any, _Nodes]:
    role = f"{ROLE} {part}"
    material = find_by_role(bpy.data.materials, role)
    if material is None:
        material = tag(bpy.data.materials.new(f"{PYRAMID_NAME} {name}"), role)
    return material, _Nodes(material, "ShaderNodeOutputMaterial")


def _paint(obj: Any, material: Any) -> None:
    if len(obj.data.materials) == 0:
        obj.data.materials.append(material)
    obj.data.materials[0] = material


def _screen_material(image: Any, motion: LoopMotion) -> Any:
    """The picture, dimmer at a grazing angle, as screens are."""
    material, nodes = _material("screen", "Screen")
    texture = nodes.picture(image, motion)
    eye = nodes.new("ShaderNodeNewGeometry").outputs
    facing = nodes.vector("DOT_PRODUCT", eye["Incoming"], eye["Normal"], output="Value")
    strength = nodes.screen_light(facing)
    nodes.show(
        nodes.new("ShaderNodeEmission", {"Color": texture.outputs["Color"], "Strength": strength}).outputs[0]
    )
    return material


def _acrylic_material(image: Any, motion: LoopMotion, corners: NDArray[np.float64]) -> Any:
    """Clear sheet that reflects the screen with these corners (4, 3), in metres."""
    material, nodes = _material("acrylic", "Acrylic")
    eye = nodes.new("ShaderNodeNewGeometry").outputs
    ray = nodes.vector("REFLECT", nodes.scaled(eye["Incoming"], -1.0), eye["True Normal"])
    climb = nodes.new("ShaderNodeSeparateXYZ", {"Vector": ray}).outputs["Z"]
    start = nodes.new("ShaderNodeSeparateXYZ", {"Vector": eye["Position"]}).outputs["Z"]
    distance = nodes.math("DIVIDE", nodes.math("SUBTRACT", float(corners[0, 2]), start), climb)
    hit = nodes.vector("ADD", eye["Position"], nodes.scaled(ray, distance))
    # From the screen's corner, in its width and height: the picture's coordinates.
    from_corner = nodes.vector("SUBTRACT", hit, tuple(corners[0]))
    place = {}
    for axis, side in (("X", corners[1] - corners[0]), ("Y", corners[3] - corners[0])):
        place[axis] = nodes.vector("DOT_PRODUCT", from_corner, tuple(side / (side @ side)), output="Value")
    texture = nodes.picture(image, motion)
    nodes.feed(texture.inputs["Vector"], nodes.new("ShaderNodeCombineXYZ", place).outputs[0])
    met = nodes.math("MULTIPLY", nodes.math("GREATER_THAN", distance, 0.0), REFLECTED)
    strength = nodes.math("MULTIPLY", nodes.screen_light(climb), met)
    glow = nodes.new("ShaderNodeEmission", {"Color": texture.outputs["Color"], "Strength": strength})
    clear = nodes.new("ShaderNodeBsdfTransparent", {"Color": (SEEN_THROUGH, SEEN_THROUGH, SEEN_THROUGH, 1.0)})
    sheen = nodes.new("ShaderNodeBsdfAnisotropic", {"Color": (SHEEN, SHEEN, SHEEN, 1.0), "Roughness": 0.05})
    lit = nodes.blend("ShaderNodeAddShader", glow.outputs[0], sheen.outputs[0])
    nodes.show(nodes.blend("ShaderNodeAddShader", clear.outputs[0], lit))
    # Sheets lie behind each other: blended needs no order where all but add light.
    material.surface_render_method = "BLENDED"
    material.use_transparency_overlap = True
    return material


def _edge_material() -> Any:
    """Cut edges, which catch a little of the light that runs in the sheet."""
    material, nodes = _material("edges", "Edges")
    surface = nodes.surface((0.05, 0.06, 0.07), 0.25)
    glow = nodes.new("ShaderNodeEmission", {"Color": (0.55, 0.8, 1.0, 1.0), "Strength": EDGE_GLOW})
    nodes.show(nodes.blend("ShaderNodeAddShader", surface, glow.outputs[0]))
    return material


def _surface_material(part: str, name: str, colour: tuple[float, float, float], roughness: float) -> Any:
    material, nodes = _material(part, name)
    nodes.show(nodes.surface(colour, roughness))
    return material


def _table_material(reach: float, device: _Device | None) -> Any:
    """A dark table that is lost in the dark ``reach`` metres away: no horizon. A device that lies on it
    throws a soft shadow round itself."""
    material, nodes = _material("table", "Table")
    position = nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    unlit = nodes.ramp(nodes.vector("LENGTH", position, output="Value"), (0.0, reach), (0.0, 1.0))
    if device is not None:
        half = (device.width / 2, device.depth / 2, 1.0)
        outside = nodes.vector("SUBTRACT", nodes.vector("ABSOLUTE", position), half)
        off = nodes.vector("LENGTH", nodes.vector("MAXIMUM", outside, (0.0, 0.0, 0.0)), output="Value")
        unlit = nodes.math("MAXIMUM", unlit, nodes.ramp(off, (0.0, 2.0 * device.thickness), (0.9, 0.0)))
    dark = nodes.new("ShaderNodeEmission", {"Color": (*ROOM, 1.0), "Strength": 1.0})
    nodes.show(nodes.blend("ShaderNodeMixShader", unlit, nodes.surface(TABLE, 0.35), dark.outputs[0]))
    return material


def _make_world() -> Any:
    """A dim room: one large soft light high up behind the pyramid, which is not itself in view."""
    world = find_by_role(bpy.data.worlds, f"{ROLE} world")
    if world is None:
        world = tag(bpy.data.worlds.new(f"{PYRAMID_NAME} Room"), f"{ROLE} world")
    world.color = ROOM  # what Workbench shows
    world.probe_resolution = "256"
    nodes = _Nodes(world, "ShaderNodeOutputWorld")
    direction = nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    towards = np.array(LAMP_DIRECTION) / np.linalg.norm(LAMP_DIRECTION)
    facing = nodes.vector("DOT_PRODUCT", direction, tuple(towards), output="Value")
    lamp = nodes.ramp(facing, LAMP_EDGE, (0.01, LAMP))
    light = nodes.new("ShaderNodeBackground", {"Color": (0.7, 0.82, 1.0, 1.0), "Strength": lamp})
    room = nodes.new("ShaderNodeBackground", {"Color": (*ROOM, 1.0), "Strength": 1.0})
    seen = nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"]
    nodes.show(nodes.blend("ShaderNodeMixShader", seen, light.outputs[0], room.outputs[0]))
    return world

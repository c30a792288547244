# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio in which training pictures are taken: one scene, set up once, that everybody sits in.

What costs time in Blender is making things: scenes, objects, shaders, and a render call's own start. So all
of these are made once; a new person moves the vertices of the meshes that are there and paints the images
that are there (``foreach_set``), and all views of a person are the frames of one render call, between which
Cycles keeps everything but the camera. Lit pictures need Cycles: EEVEE without a graphics card takes 0.3 s
of a core for a view of 64 pixels without shadows and 6 s with them, Cycles 0.07 s with soft ones (measured).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..head.head import PARTS, Head
from ..head.view import View
from ..hologram.motion import FIRST_FRAME, LoopMotion
from ..people import Prop, SyntheticPerson
from ..people.shot import Lamp, Shot
from .axes import to_blender
from .hologram_scene import make_scene
from .materials import FADE_ATTRIBUTE
from .mesh import fill_mesh
from .own import own_kinds, role_of, tag
from .quiet import quiet
from .shader_nodes import ShaderNodes
from .view_camera import place_camera

ROLE = "training"
PATHS = 4
"""Light paths a pixel, with Open Image Denoise after them: at 64 pixels, in half the time, the pictures are
cleaner to the eye than with :data:`PATHS_ALONE` and no denoiser (0.10 s of a core a view against 0.22; off
from 256 paths by 12 of 255 against 8, root mean square on hair and all; measured)."""
PATHS_ALONE = 16
"""Where Blender was built without that denoiser."""
TRANSPARENT_SURFACES = 24
"""That a path may pass through: hair is many thin shells."""
WORLD_MAP = 64
"""Resolution of the map by which Cycles picks directions of the surroundings' light: they are smooth."""

FADING = "fading"
"""The slot of the skin's polygons that the fade makes transparent; those that it does not are opaque, and so
cheaper to trace."""
_SLOTS = (*PARTS, FADING)


@dataclass(frozen=True)
class _Finish:
    """How a part of the head answers light."""

    roughness: float
    specular: float
    """Blender's ``Specular IOR Level``: 0.5 is a refractive index of 1.5."""


_FINISHES = {
    "skin": _Finish(0.48, 0.35),  # index 1.4
    FADING: _Finish(0.48, 0.35),
    "eyes": _Finish(0.08, 0.4),
    "lashes": _Finish(0.7, 0.2),
    "teeth": _Finish(0.25, 0.5),
    "tongue": _Finish(0.35, 0.4),
}


class Studio:
    """The scene. Use it as a context manager: at the end all that it made in the open file is gone.

    ``denoiser`` names what takes the noise out of its pictures, "none" where this Blender has nothing for it.
    """

    def __init__(self) -> None:
        self._before = {block.session_uid for blocks in _kinds() for block in blocks}
        self._scene = make_scene(
            "HoloTalk Studio", (64, 64), LoopMotion("still", 1, 24), "workbench", self._make_world()
        )
        tag(self._scene, ROLE)
        self.denoiser = _set_cycles(self._scene)
        self._folder = tempfile.TemporaryDirectory(prefix="holotalk-")
        self._head = _HeadStand(self._scene)
        self._props: list[PropStand] = []
        self._lamps: list[Any] = []
        self._camera = self._make_camera()

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything that the studio put into the open file."""
        self._folder.cleanup()
        for blocks in _kinds():
            for block in list(blocks):
                if block.session_uid not in self._before and role_of(block) == ROLE:
                    blocks.remove(block)

    def photograph(
        self,
        person: SyntheticPerson,
        shot: Shot,
        views: Sequence[View],
        turned: NDArray[np.floating] | None = None,
    ) -> NDArray[np.uint8]:
        """Take pictures of a person in one light.

        Args:
            person: who.
            shot: the light. It stays with the person: cameras go round both.
            views: where from; all of one size.
            turned: (3, 3) how the head is turned in that light, head axes -> the shot's; None: not at all.

        Returns:
            (len(views), S, S, 4) uint8, sRGB and alpha (not multiplied in), first row on top.

        Raises:
            OptionError: views of different sizes.
        """
        from ..face.pictures import open_picture

        sizes = {view.size for view in views}
        if len(sizes) != 1:
            raise OptionError("Pictures of one person are taken in one size.")
        render = self._scene.render
        render.resolution_x = render.resolution_y = sizes.pop()
        self._head.seat(person.head)
        self._wear(person.props)
        self._light(shot, np.eye(3) if turned is None else np.asarray(turned, dtype=np.float64))
        self._point_camera(views)
        # What Cycles kept of the last sitter goes (changing the setting frees it): it knows images by their
        # places in memory and would show an earlier sitter's; and the order in which lamps have come into
        # its scene would decide which of them a path asks, and so the last bits of pixels.
        render.use_persistent_data = False
        render.use_persistent_data = True
        stem = Path(self._folder.name) / "view_"
        render.filepath = f"{stem}#####"
        self._scene.frame_start, self._scene.frame_end = FIRST_FRAME, FIRST_FRAME + len(views) - 1
        render_call(self._scene)
        pictures = []
        for frame in range(FIRST_FRAME, FIRST_FRAME + len(views)):
            path = Path(f"{stem}{frame:05d}.png")
            with open_picture(path) as picture:
                pictures.append(np.asarray(picture.convert("RGBA"), dtype=np.uint8))
            path.unlink()
        return np.stack(pictures)

    def _wear(self, props: Sequence[Prop]) -> None:
        while len(self._props) < len(props):
            self._props.append(PropStand(self._scene, len(self._props)))
        for number, stand in enumerate(self._props):
            stand.show(props[number] if number < len(props) else None)

    def _light(self, shot: Shot, turned: NDArray[np.float64]) -> None:
        """Set up the shot's lamps and surroundings."""
        while len(self._lamps) < len(shot.lamps):
            self._lamps.append(make_lamp(self._scene, len(self._lamps)))
        for number, obj in enumerate(self._lamps):
            obj.hide_render = number >= len(shot.lamps)
            if number < len(shot.lamps):
                place_lamp(obj, shot.lamps[number], turned)
        for name, colour in (("Sky", shot.sky), ("Horizon", shot.horizon), ("Ground", shot.ground)):
            self._surroundings[name].color = (*(float(c) for c in colour), 1.0)
        self._up.default_value = to_blender(turned.T @ np.array([0.0, 1.0, 0.0])).tolist()

    def _point_camera(self, views: Sequence[View]) -> None:
        """One frame for each view."""
        camera = self._camera
        for block in (camera, camera.data):
            action = block.animation_data.action if block.animation_data else None
            block.animation_data_clear()
            if action is not None:
                bpy.data.actions.remove(action)
        for frame, view in enumerate(views, FIRST_FRAME):
            place_camera(camera, view)
            camera.keyframe_insert("location", frame=frame)
            camera.keyframe_insert("rotation_quaternion", frame=frame)
            for name in ("lens", "shift_x", "shift_y"):
                camera.data.keyframe_insert(name, frame=frame)
        for block in (camera, camera.data):
            tag(block.animation_data.action, ROLE)

    def _make_camera(self) -> Any:
        data = tag(bpy.data.cameras.new("HoloTalk Studio"), ROLE)
        camera = tag(bpy.data.objects.new("HoloTalk Studio", data), ROLE)
        self._scene.collection.objects.link(camera)
        self._scene.camera = camera
        return camera

    def _make_world(self) -> Any:
        """Surroundings of three colours: from below, from the sides, from above."""
        world = tag(bpy.data.worlds.new("HoloTalk Studio"), ROLE)
        nodes = ShaderNodes(world)
        direction = nodes.new("ShaderNodeTexCoord").outputs["Generated"]
        height = nodes.new("ShaderNodeVectorMath", operation="DOT_PRODUCT")  # how far up it points, -1..1
        nodes.feed(height.inputs[0], direction)
        self._up = height.inputs[1]
        inputs = {"From Min": -1.0, "Value": height.outputs["Value"]}
        share = nodes.new("ShaderNodeMapRange", inputs).outputs[0]
        ramp = nodes.new("ShaderNodeValToRGB", {"Fac": share})
        ramp.color_ramp.interpolation = "EASE"
        elements = ramp.color_ramp.elements
        middle = elements.new(0.5)
        self._surroundings = {"Ground": elements[0], "Horizon": middle, "Sky": elements[-1]}
        nodes.show(nodes.new("ShaderNodeBackground", {"Color": ramp.outputs[0]}).outputs[0])
        world.cycles.sampling_method = "MANUAL"
        world.cycles.sample_map_resolution = WORLD_MAP
        return world


def _kinds() -> tuple[Any, ...]:
    """The kinds of data-blocks that a studio makes."""
    return (*own_kinds(), bpy.data.lights)


def render_call(scene: Any) -> None:
    """Render all frames of a scene to its path."""
    with quiet():
        bpy.ops.render.render(animation=True, scene=scene.name)


def _set_cycles(scene: Any) -> str:
    """Cycles for small lit pictures: one thread, the same noise every time, light straight from lamps and
    surroundings. Returns the denoiser's name, "none" where there is none.

    One bounce more takes half as long again, and changes pictures by less than the noise (10.1 of 255 against
    9.7, both to the same reference with bounces; measured).
    """
    scene.render.engine = "CYCLES"
    scene.render.threads_mode, scene.render.threads = "FIXED", 1  # workers are processes
    scene.render.use_persistent_data = True
    scene.render.image_settings.compression = 0
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = PATHS
    cycles.seed = 0
    cycles.use_denoising = True
    try:
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:
        cycles.use_denoising = False
        cycles.samples = PATHS_ALONE
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"  # edges of the texture stay sharp
    cycles.denoising_prefilter, cycles.denoising_quality = "NONE", "FAST"
    cycles.use_adaptive_sampling = False
    cycles.use_light_tree = True  # lamps by their share: 7.8 of 255 instead of 9.7 at 16 paths (measured)
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = TRANSPARENT_SURFACES
    # A few paths with rare bright ends would be specks.
    cycles.sample_clamp_direct = 8.0
    return "Open Image Denoise" if cycles.use_denoising else "none"


class _Picture:
    """A texture that can be painted anew."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._image: Any = None

    def paint(self, texture: NDArray[np.uint8]) -> Any:
        """The image of (H, W, 4) sRGB and alpha, first row on top."""
        rows, columns = texture.shape[:2]
        if self._image is None:
            self._image = tag(bpy.data.images.new(self._name, columns, rows, alpha=True), ROLE)
            self._image.alpha_mode = "CHANNEL_PACKED"
        elif tuple(self._image.size) != (columns, rows):
            self._image.scale(columns, rows)
        pixels = np.flipud(texture).astype(np.float32)  # Blender's first row is at the bottom
        pixels /= np.float32(255.0)
        self._image.pixels.foreach_set(pixels.ravel())
        self._image.update()
        return self._image


class _HeadStand:
    """The head object: its polygons are everybody's, its vertices and its texture each person's own."""

    def __init__(self, scene: Any) -> None:
        self._mesh = tag(bpy.data.meshes.new("HoloTalk Sitter"), ROLE)
        self._picture = _Picture("HoloTalk Sitter")
        self._materials = [_lit_material(f"HoloTalk Sitter {name}", name) for name in _SLOTS]
        for material in self._materials:
            self._mesh.materials.append(material)
        scene.collection.objects.link(tag(bpy.data.objects.new("HoloTalk Sitter", self._mesh), ROLE))
        self._polygons: NDArray[np.int32] | None = None

    def seat(self, head: Head) -> None:
        """Make the object this person's head, as posed."""
        if self._polygons is None or not np.array_equal(self._polygons, head.polygons):
            self._build(head)
            self._polygons = head.polygons
        else:
            self._mesh.vertices.foreach_set("co", to_blender(head.posed_vertices()).ravel())
            self._mesh.update()
        image = self._picture.paint(head.texture)
        for material in self._materials:
            material.node_tree.nodes["Texture"].image = image

    def _build(self, head: Head) -> None:
        fade = head.fade[np.maximum(head.polygons, 0)]
        used = head.polygons >= 0
        shown = ((fade > 0) & used).any(axis=1)
        slots = np.where(((fade < 1) & used).any(axis=1), _SLOTS.index(FADING), head.polygon_parts)[shown]
        fill_mesh(self._mesh, head.posed().only(shown))
        self._mesh.polygons.foreach_set("material_index", slots.astype(np.int32))
        fade_attribute = self._mesh.attributes.new(FADE_ATTRIBUTE, "FLOAT", "POINT")
        fade_attribute.data.foreach_set("value", np.ascontiguousarray(head.fade, dtype=np.float32))
        self._mesh.update()


class PropStand:
    """An object for one of the things that people wear or grow."""

    def __init__(self, scene: Any, number: int) -> None:
        name = f"HoloTalk Prop {number}"
        self._mesh = tag(bpy.data.meshes.new(name), ROLE)
        self._picture = _Picture(name)
        self._materials = {
            see_through: _lit_material(
                f"{name} {'see-through' if see_through else 'opaque'}", None, see_through
            )
            for see_through in (False, True)
        }
        self._object = tag(bpy.data.objects.new(name, self._mesh), ROLE)
        scene.collection.objects.link(self._object)

    def show(self, prop: Prop | None) -> None:
        """Become this thing, or nothing."""
        self._object.hide_render = prop is None
        if prop is None:
            return
        material = self._materials[prop.see_through]
        material.node_tree.nodes["Texture"].image = self._picture.paint(prop.texture)
        material.node_tree.nodes["Lit"].inputs["Roughness"].default_value = float(prop.roughness)
        fill_mesh(self._mesh, prop)
        if prop.normals is not None:
            self._mesh.normals_split_custom_set_from_vertices(to_blender(prop.normals))
        self._mesh.materials.clear()
        self._mesh.materials.append(material)


def _lit_material(name: str, part: str | None, see_through: bool = False) -> Any:
    """A surface with the texture as its own colour. ``part``: one of the head's slots; None for props."""
    material = tag(bpy.data.materials.new(name), ROLE)
    nodes = ShaderNodes(material)
    texture = nodes.new("ShaderNodeTexImage", name="Texture", extension="EXTEND")
    finish = _FINISHES[part] if part is not None else _Finish(0.7, 0.3)
    inputs = {"Roughness": finish.roughness, "Specular IOR Level": finish.specular}
    lit = nodes.new(
        "ShaderNodeBsdfPrincipled", {"Base Color": texture.outputs["Color"], **inputs}, name="Lit"
    )
    if see_through or part == "lashes":
        nodes.feed(lit.inputs["Alpha"], texture.outputs["Alpha"])
    if part == FADING:
        fade = nodes.new("ShaderNodeAttribute", attribute_name=FADE_ATTRIBUTE).outputs["Fac"]
        nodes.feed(lit.inputs["Alpha"], nodes.math("MULTIPLY", fade, fade))
    nodes.show(lit.outputs[0])
    return material


def make_lamp(scene: Any, number: int) -> Any:
    """A soft round lamp in the scene."""
    name = f"HoloTalk Lamp {number}"
    data = tag(bpy.data.lights.new(name, "AREA"), ROLE)
    data.shape = "DISK"
    lamp = tag(bpy.data.objects.new(name, data), ROLE)
    scene.collection.objects.link(lamp)
    return lamp


def place_lamp(obj: Any, lamp: Lamp, turned: NDArray[np.float64]) -> None:
    """Put a lamp where a shot has it, for a head that is ``turned`` (head axes -> the shot's)."""
    toward = to_blender(turned.T @ np.array(lamp.direction)).astype(np.float64)
    obj.location = (toward * lamp.distance).tolist()
    obj.rotation_euler = mathutils.Vector(toward.tolist()).to_track_quat("Z", "Y").to_euler()
    obj.data.size = 2.0 * lamp.radius
    obj.data.color = lamp.colour
    # A disk of power P lights what faces it from afar with P / (pi d^2), of which white gives back 1 / pi.
    obj.data.energy = lamp.light * (np.pi * lamp.distance) ** 2

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the virtual pyramid are made of, and the room that lights them."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..hologram.motion import FIRST_FRAME, LoopMotion
from ..hologram.solid import Device
from .own import find_by_role, tag
from .shader_nodes import ShaderNodes

PYRAMID_NAME = "HoloTalk Pyramid"
ROLE = "pyramid"
"""Begins the roles of the scene and all its parts: ``pyramid scene``, ``pyramid viewer``, ``pyramid camera``,
``pyramid screen``, ``pyramid mirror 0`` (front) to ``3``; and, for the eye alone, ``pyramid edges``,
``pyramid device``, ``pyramid stand``, ``pyramid table``."""
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


def _screen_light(nodes: ShaderNodes, facing: Any) -> Any:
    """A screen's light at an angle of this cosine, of either sign, over that from straight before it."""
    return nodes.math("POWER", nodes.math("ABSOLUTE", facing), GRAZING_FALL)


def _picture(nodes: ShaderNodes, image: Any, motion: LoopMotion) -> Any:
    """A node with the screen's picture; a movie's frames are the scene's, round and round."""
    node = nodes.new("ShaderNodeTexImage", name="Picture", image=image, extension="CLIP")
    if image.source == "MOVIE":
        user = node.image_user
        user.frame_start, user.frame_duration, user.frame_offset = FIRST_FRAME, motion.frames, 0
        user.use_cyclic = user.use_auto_refresh = True
    nodes.tree.nodes.active = node
    return node


def _material(part: str, name: str) -> tuple[Any, ShaderNodes]:
    role = f"{ROLE} {part}"
    material = find_by_role(bpy.data.materials, role)
    if material is None:
        material = tag(bpy.data.materials.new(f"{PYRAMID_NAME} {name}"), role)
    return material, ShaderNodes(material)


def paint(obj: Any, material: Any) -> None:
    """Give an object its one material."""
    if len(obj.data.materials) == 0:
        obj.data.materials.append(material)
    obj.data.materials[0] = material


def screen_material(image: Any, motion: LoopMotion) -> Any:
    """The picture, dimmer at a grazing angle, as screens are."""
    material, nodes = _material("screen", "Screen")
    texture = _picture(nodes, image, motion)
    eye = nodes.new("ShaderNodeNewGeometry").outputs
    facing = nodes.vector("DOT_PRODUCT", eye["Incoming"], eye["Normal"], output="Value")
    strength = _screen_light(nodes, facing)
    nodes.show(nodes.emission(texture.outputs["Color"], strength))
    return material


def acrylic_material(image: Any, motion: LoopMotion, corners: NDArray[np.float64]) -> Any:
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
    texture = _picture(nodes, image, motion)
    nodes.feed(texture.inputs["Vector"], nodes.new("ShaderNodeCombineXYZ", place).outputs[0])
    met = nodes.math("MULTIPLY", nodes.math("GREATER_THAN", distance, 0.0), REFLECTED)
    strength = nodes.math("MULTIPLY", _screen_light(nodes, climb), met)
    glow = nodes.emission(texture.outputs["Color"], strength)
    clear = nodes.new("ShaderNodeBsdfTransparent", {"Color": (SEEN_THROUGH, SEEN_THROUGH, SEEN_THROUGH, 1.0)})
    sheen = nodes.new("ShaderNodeBsdfAnisotropic", {"Color": (SHEEN, SHEEN, SHEEN, 1.0), "Roughness": 0.05})
    lit = nodes.add(glow, sheen.outputs[0])
    nodes.show(nodes.add(clear.outputs[0], lit))
    # Sheets lie behind each other: blended needs no order where all but add light.
    material.surface_render_method = "BLENDED"
    material.use_transparency_overlap = True
    return material


def edge_material() -> Any:
    """Cut edges, which catch a little of the light that runs in the sheet."""
    material, nodes = _material("edges", "Edges")
    surface = nodes.surface((0.05, 0.06, 0.07), 0.25)
    glow = nodes.emission((0.55, 0.8, 1.0, 1.0), EDGE_GLOW)
    nodes.show(nodes.add(surface, glow))
    return material


def surface_material(part: str, name: str, colour: tuple[float, float, float], roughness: float) -> Any:
    """An ordinary surface of one colour, for a part."""
    material, nodes = _material(part, name)
    nodes.show(nodes.surface(colour, roughness))
    return material


def table_material(reach: float, device: Device | None) -> Any:
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
    dark = nodes.emission((*ROOM, 1.0), 1.0)
    nodes.show(nodes.mix(unlit, nodes.surface(TABLE, 0.35), dark))
    return material


def make_room() -> Any:
    """A dim room: one large soft light high up behind the pyramid, which is not itself in view."""
    world = find_by_role(bpy.data.worlds, f"{ROLE} world")
    if world is None:
        world = tag(bpy.data.worlds.new(f"{PYRAMID_NAME} Room"), f"{ROLE} world")
    world.color = ROOM  # what Workbench shows
    world.probe_resolution = "256"
    nodes = ShaderNodes(world)
    direction = nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    towards = np.array(LAMP_DIRECTION) / np.linalg.norm(LAMP_DIRECTION)
    facing = nodes.vector("DOT_PRODUCT", direction, tuple(towards), output="Value")
    lamp = nodes.ramp(facing, LAMP_EDGE, (0.01, LAMP))
    light = nodes.new("ShaderNodeBackground", {"Color": (0.7, 0.82, 1.0, 1.0), "Strength": lamp})
    room = nodes.new("ShaderNodeBackground", {"Color": (*ROOM, 1.0), "Strength": 1.0})
    seen = nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"]
    nodes.show(nodes.mix(seen, light.outputs[0], room.outputs[0]))
    return world

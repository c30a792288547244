# SPDX-License-Identifier: GPL-3.0-or-later
"""What the head is painted with.

The texture was baked from the photo, its light included, so the faithful picture is unlit: every
material emits the texture. In the hologram it is multiplied by the fade of the bust, a vertex attribute.
For exports the same materials become an ordinary lit surface without the fade.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ..head.head import PARTS, Head
from . import compat
from .own import tag

FADE_ATTRIBUTE = "holotalk_fade"
IMAGE_NAME = "HoloTalk Texture"
EXPORT_ROUGHNESS = 0.6
LASHES = PARTS.index("lashes")


def make_image(head: Head) -> Any:
    """The head's texture as an image packed into the .blend."""
    rows, columns = head.texture.shape[:2]
    image = tag(bpy.data.images.new(IMAGE_NAME, columns, rows, alpha=True), "texture")
    # Channel packed: colours under a soft lash are taken as they are, never divided by their alpha.
    image.alpha_mode = "CHANNEL_PACKED"
    pixels = np.flipud(head.texture).astype(np.float32)  # Blender's first row is at the bottom
    pixels /= 255.0
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    return image


def make_materials(head: Head, image: Any) -> list[Any]:
    """One material for each of :data:`PARTS`, in that order."""
    soft = bool((head.texture[..., 3] < 255).any())
    return [
        _hologram_material(
            f"HoloTalk {name.capitalize()}", image, closed=part != LASHES, see_through=soft and part == LASHES
        )
        for part, name in enumerate(PARTS)
    ]


def _hologram_material(name: str, image: Any, *, closed: bool, see_through: bool) -> Any:
    """``closed``: a surface whose inside is only seen through the open bust, and stays black there."""
    material = tag(bpy.data.materials.new(name), "material")
    tree = compat.node_tree(material)
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    texture = nodes.new("ShaderNodeTexImage")
    texture.name, texture.image, texture.location = "Texture", image, (-700, 100)
    texture.interpolation = "Linear"
    texture.extension = "EXTEND"
    fade = nodes.new("ShaderNodeAttribute")
    fade.name, fade.attribute_name, fade.location = "Fade", FADE_ATTRIBUTE, (-700, -200)
    # The eye sees the square root of light (about): squared, the fade looks even.
    even = nodes.new("ShaderNodeMath")
    even.name, even.operation, even.location = "Even fade", "MULTIPLY", (-450, -200)
    links.new(fade.outputs["Fac"], even.inputs[0])
    links.new(fade.outputs["Fac"], even.inputs[1])
    strength = even.outputs[0]
    if closed:
        side = nodes.new("ShaderNodeNewGeometry")
        side.name, side.location = "Side", (-700, -400)
        outside = nodes.new("ShaderNodeMath")
        outside.name, outside.operation, outside.location = "Outside", "SUBTRACT", (-450, -400)
        outside.inputs[0].default_value = 1.0
        links.new(side.outputs["Backfacing"], outside.inputs[1])
        shown = nodes.new("ShaderNodeMath")
        shown.name, shown.operation, shown.location = "Shown", "MULTIPLY", (-300, -300)
        links.new(strength, shown.inputs[0])
        links.new(outside.outputs[0], shown.inputs[1])
        strength = shown.outputs[0]
    emission = nodes.new("ShaderNodeEmission")
    emission.name, emission.location = "Unlit", (-200, 0)
    links.new(texture.outputs["Color"], emission.inputs["Color"])
    links.new(strength, emission.inputs["Strength"])
    output = nodes.new("ShaderNodeOutputMaterial")
    output.name, output.location = "Output", (300, 0)
    surface = emission.outputs[0]
    if see_through:
        clear = nodes.new("ShaderNodeBsdfTransparent")
        clear.name, clear.location = "Clear", (-200, 150)
        mix = nodes.new("ShaderNodeMixShader")
        mix.name, mix.location = "Soft", (50, 0)
        links.new(texture.outputs["Alpha"], mix.inputs[0])
        links.new(clear.outputs[0], mix.inputs[1])
        links.new(emission.outputs[0], mix.inputs[2])
        surface = mix.outputs[0]
        # Blended needs no noise: with a few samples dithered lashes would sparkle.
        material.surface_render_method = "BLENDED"
    links.new(surface, output.inputs["Surface"])
    # Workbench draws the active image texture.
    nodes.active = texture
    material.use_backface_culling = False
    return material


@contextmanager
def lit_for_export(materials: list[Any]) -> Iterator[None]:
    """While it lasts the materials are a lit surface with the texture as base colour, and no fade."""
    undo: list[tuple[Any, Any, Any]] = []
    try:
        for material in materials:
            tree = compat.node_tree(material)
            output = tree.nodes["Output"]
            surface = output.inputs["Surface"].links[0].from_socket
            lit = tree.nodes.new("ShaderNodeBsdfPrincipled")
            undo.append((material, lit, surface))
            lit.inputs["Roughness"].default_value = EXPORT_ROUGHNESS
            texture = tree.nodes["Texture"]
            tree.links.new(texture.outputs["Color"], lit.inputs["Base Color"])
            if "Soft" in tree.nodes:
                tree.links.new(texture.outputs["Alpha"], lit.inputs["Alpha"])
            tree.links.new(lit.outputs[0], output.inputs["Surface"])
        yield
    finally:
        for material, lit, surface in undo:
            tree = compat.node_tree(material)
            tree.links.new(surface, tree.nodes["Output"].inputs["Surface"])
            tree.nodes.remove(lit)

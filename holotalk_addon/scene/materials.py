# SPDX-License-Identifier: GPL-3.0-or-later
"""What the head is painted with.

The texture was baked from the photo, its light included, so the faithful picture is unlit: every
material emits the texture. In the hologram it is multiplied by the fade of the bust, a vertex attribute.
Where light is wanted the same materials become an ordinary lit surface without the fade.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..head.head import PARTS, Head
from . import compat
from .own import tag
from .shader_nodes import ShaderNodes

FADE_ATTRIBUTE = "holotalk_fade"
IMAGE_NAME = "HoloTalk Texture"
EXPORT_ROUGHNESS = 0.6
LASHES = PARTS.index("lashes")


def make_image(texture: NDArray[np.uint8], name: str, role: str) -> Any:
    """A texture, (H, W, 4) sRGB and alpha with the first row on top, as an image packed into the .blend."""
    rows, columns = texture.shape[:2]
    image = tag(bpy.data.images.new(name, columns, rows, alpha=True), role)
    # Channel packed: colours under a soft lash are taken as they are, never divided by their alpha.
    image.alpha_mode = "CHANNEL_PACKED"
    pixels = np.flipud(texture).astype(np.float32)  # Blender's first row is at the bottom
    pixels /= 255.0
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    return image


def image_of(obj: Any) -> Any:
    """The image that an object's materials are painted with, or None."""
    for material in obj.data.materials:
        node = material.node_tree.nodes.get("Texture") if material and material.node_tree else None
        if node is not None and node.image is not None:
            return node.image
    return None


def image_pixels(image: Any) -> NDArray[np.uint8]:
    """(rows, columns, 4) sRGB and alpha of an image, first row on top: the inverse of :func:`make_image`."""
    columns, rows = image.size
    pixels = np.empty(rows * columns * 4, dtype=np.float32)
    image.pixels.foreach_get(pixels)
    return np.round(255.0 * np.flipud(pixels.reshape(rows, columns, 4))).astype(np.uint8)


def make_materials(head: Head, image: Any) -> list[Any]:
    """One material for each of :data:`PARTS`, in that order."""
    soft = head.has_alpha
    return [
        _hologram_material(
            f"HoloTalk {name.capitalize()}", image, closed=part != LASHES, see_through=soft and part == LASHES
        )
        for part, name in enumerate(PARTS)
    ]


def make_hair_materials(image: Any, name: str, edge_name: str) -> list[Any]:
    """Hair's two materials: opaque, and with see-through edges of which only the outside is to be seen."""
    edge = _hologram_material(edge_name, image, closed=False, see_through=True, one_sided=True)
    return [_hologram_material(name, image, closed=True, see_through=False), edge]


def _hologram_material(
    name: str, image: Any, *, closed: bool, see_through: bool, one_sided: bool = False
) -> Any:
    """A material that shows the texture unlit, times the fade.

    Args:
        name: What it is called.
        image: The texture.
        closed: A surface whose inside is only seen through the open bust, and stays black there.
        see_through: The texture's alpha counts.
        one_sided: The inside of a see-through surface is not to be seen at all.

    """
    material = tag(bpy.data.materials.new(name), "material")
    nodes = ShaderNodes(material)
    texture = nodes.new(
        "ShaderNodeTexImage", name="Texture", image=image, location=(-700, 100), interpolation="Linear",
        extension="REPEAT",  # hair goes on around the head
    )  # fmt: skip
    fade = nodes.new(
        "ShaderNodeAttribute", name="Fade", attribute_name=FADE_ATTRIBUTE, location=(-700, -200)
    ).outputs["Fac"]
    # The eye sees the square root of light (about): squared, the fade looks even.
    strength = nodes.math("MULTIPLY", fade, fade, name="Even fade", location=(-450, -200))
    outside = _outside(nodes) if closed or one_sided else None
    if closed:
        strength = nodes.math("MULTIPLY", strength, outside, name="Shown", location=(-300, -300))
    surface = nodes.emission(texture.outputs["Color"], strength, name="Unlit", location=(-200, 0))
    if see_through:
        clear = nodes.new("ShaderNodeBsdfTransparent", name="Clear", location=(-200, 150)).outputs[0]
        alpha = texture.outputs["Alpha"]
        if one_sided:  # Cycles does not cull
            alpha = nodes.math("MULTIPLY", alpha, outside, name="Outer alpha", location=(-200, 300))
        surface = nodes.mix(alpha, clear, surface, name="Soft", location=(50, 0))
        # Blended needs no noise: with a few samples dithered lashes would sparkle.
        material.surface_render_method = "BLENDED"
    nodes.show(surface)
    # Workbench draws the active image texture.
    nodes.tree.nodes.active = texture
    material.use_backface_culling = one_sided
    return material


def _outside(nodes: ShaderNodes) -> Any:
    """A socket that is 1 on the outside of a surface and 0 on its inside."""
    side = nodes.new("ShaderNodeNewGeometry", name="Side", location=(-700, -400))
    return nodes.math("SUBTRACT", 1.0, side.outputs["Backfacing"], name="Outside", location=(-450, -400))


@contextmanager
def lit_materials(materials: list[Any]) -> Iterator[None]:
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

# SPDX-License-Identifier: GPL-3.0-or-later
"""The head as an ordinary Blender object: materials, UVs, shape keys, subdivision, fade."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..errors import OptionError
from ..head.head import PARTS, Head
from .axes import from_blender, to_blender
from .hair_object import find_hair, hair_names, hair_of, make_hair_object, read_hair
from .materials import IMAGE_NAME, image_of, image_pixels, make_image, make_materials
from .mesh import gather, hide_dark, make_mesh, most_corners, read_fade, read_polygons
from .own import HEAD_ROLE, is_own, role_of, tag

HEAD_NAME = "HoloTalk Head"
PHOTO_EXPRESSION = "holotalk_photo_expression"
"""Custom property of the mesh: the strengths of the 52 expressions that the photo shows."""


def make_head_object(head: Head, collection: Any) -> Any:
    """Make the one head object and link it to ``collection``, with its hair, if it has any, as a child;
    returns the head object."""
    mesh = make_mesh(HEAD_NAME, head, head.polygon_parts, head.fade)
    _keep_small_parts(mesh, head)
    for material in make_materials(head, make_image(head.texture, IMAGE_NAME, "texture")):
        mesh.materials.append(material)

    obj = tag(bpy.data.objects.new(HEAD_NAME, mesh), HEAD_ROLE)
    collection.objects.link(obj)
    _add_shape_keys(obj, head)
    _add_modifiers(obj, head)
    if head.hair is not None:
        make_hair_object(head.hair, obj, collection)
    return obj


def use_plain_names(obj: Any) -> None:
    """Give a head object, its hair and what they are made of the names without a number, if they are free
    now."""
    blocks = [(obj, HEAD_NAME), (obj.data, HEAD_NAME), (obj.data.shape_keys, HEAD_NAME)]
    for part, material in zip(PARTS, obj.data.materials, strict=False):
        blocks.append((material, f"HoloTalk {part.capitalize()}"))
    blocks.append((image_of(obj), IMAGE_NAME))
    for hair in hair_of(obj):
        if is_own(hair):
            blocks += hair_names(hair)
    for block, name in blocks:
        if block is not None and block.name != name:  # a user may have emptied slots
            block.name = name  # Blender adds a number where another block bears it
            role = role_of(block)
            if role is not None:
                tag(block, role)


def head_image(obj: Any) -> Any:
    """The image that a head object is painted with.

    Raises:
        OptionError: there is none any more.
    """
    image = image_of(obj)
    if image is not None:
        return image
    raise OptionError(f"{obj.name} has lost its texture: generate the hologram again.")


def read_head(obj: Any, *, shape_only: bool = False) -> Head:
    """The head of a head object, with what a user has changed about it since: shape, sliders, texture, hair.
    Hair that the user deleted, or hid from renders, is gone.

    Args:
        obj: What :func:`make_head_object` made.
        shape_only: For framing: leaves textures out (one clear pixel), and polygons may have any number of
            corners; their rows are as long as that takes.

    Raises:
        OptionError: The object is not a HoloTalk head any more, or it or its hair has polygons of more than
            four corners or no texture. The latter not where the shape alone is asked for.

    """
    mesh = obj.data
    keys = mesh.shape_keys
    if keys is None or len(keys.key_blocks) < 2 or not mesh.uv_layers:
        raise OptionError(f"{obj.name} has no expressions or no UVs any more: generate the hologram again.")
    if not shape_only and most_corners(mesh) > 4:
        raise OptionError(f"{obj.name} has faces with more than four corners: make them quads or triangles.")
    polygons, uvs = read_polygons(mesh)
    basis, *others = keys.key_blocks
    neutral = from_blender(gather(basis.data, "co", 3, np.float32))
    texture = np.zeros((1, 1, 4), dtype=np.uint8) if shape_only else image_pixels(head_image(obj))
    hair = find_hair(obj)
    return Head(
        vertices=neutral,
        polygons=polygons,
        uvs=uvs,
        polygon_parts=gather(mesh.polygons, "material_index", 1, np.int32).ravel().astype(np.uint8),
        expression_names=tuple(key.name for key in others),
        expression_deltas=np.stack(
            [from_blender(gather(key.data, "co", 3, np.float32)) - neutral for key in others]
        ),
        expression=np.array([0.0 if key.mute else key.value for key in others], dtype=np.float32),
        fade=read_fade(mesh),
        texture=texture,
        hair=None if hair is None else read_hair(hair, shape_only=shape_only),
    )


def _keep_small_parts(mesh: Any, head: Head) -> None:
    """Crease every edge of eyes, teeth, tongue and lashes: these coarse parts would shrink away from lids
    and lips when subdivided."""
    small = np.zeros(len(head.vertices), dtype=bool)
    corners = head.polygons[head.polygon_parts != PARTS.index("skin")]
    small[corners[corners >= 0]] = True
    edges = np.empty(2 * len(mesh.edges), dtype=np.int32)
    mesh.edges.foreach_get("vertices", edges)
    crease = mesh.attributes.new("crease_edge", "FLOAT", "EDGE")
    crease.data.foreach_set("value", small[edges.reshape(-1, 2)].all(axis=1).astype(np.float32))


def _add_shape_keys(obj: Any, head: Head) -> None:
    obj.shape_key_add(name="Basis", from_mix=False)
    obj.data.shape_keys.name = HEAD_NAME
    obj.data[PHOTO_EXPRESSION] = [float(strength) for strength in head.expression]
    for name, delta, strength in zip(
        head.expression_names, head.expression_deltas, head.expression, strict=True
    ):
        key = obj.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", to_blender(head.vertices + delta).ravel())
        key.slider_min, key.slider_max = 0.0, 1.0
        key.value = float(strength)


def _add_modifiers(obj: Any, head: Head) -> None:
    subdivision = obj.modifiers.new("Subdivision", "SUBSURF")
    subdivision.levels = 1
    subdivision.render_levels = 1
    # The texture was baked on the unsubdivided UVs; smoothing them would move it.
    subdivision.uv_smooth = "NONE"
    hide_dark(obj, head.polygons, head.fade)

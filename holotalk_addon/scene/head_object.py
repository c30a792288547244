# SPDX-License-Identifier: GPL-3.0-or-later
"""The head as an ordinary Blender object: materials, UVs, shape keys, subdivision, fade."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..head.head import PARTS, Head
from .axes import from_blender, to_blender
from .materials import FADE_ATTRIBUTE, IMAGE_NAME, make_image, make_materials
from .own import role_of, tag

HEAD_NAME = "HoloTalk Head"
UV_NAME = "UVMap"
SEEN_GROUP = "HoloTalk seen"
PHOTO_EXPRESSION = "holotalk_photo_expression"
"""Custom property of the mesh: the strengths of the 52 expressions that the photo shows."""


def make_head_object(head: Head, collection: Any) -> Any:
    """Make the one head object and link it to ``collection``; returns the object."""
    mesh = tag(bpy.data.meshes.new(HEAD_NAME), "mesh")
    corner_used = (head.polygons >= 0).ravel()
    corners = head.polygons.ravel()[corner_used]
    counts = (head.polygons >= 0).sum(axis=1)
    mesh.vertices.add(len(head.vertices))
    mesh.vertices.foreach_set("co", to_blender(head.vertices).ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners.astype(np.int32))
    mesh.polygons.add(len(counts))
    mesh.polygons.foreach_set("loop_start", (np.cumsum(counts) - counts).astype(np.int32))
    mesh.polygons.foreach_set("material_index", head.polygon_parts.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(counts), dtype=bool))
    uv_layer = mesh.uv_layers.new(name=UV_NAME)
    uvs = head.polygon_uvs.reshape(-1, 2)[corner_used]
    uv_layer.uv.foreach_set("vector", np.ascontiguousarray(uvs, dtype=np.float32).ravel())
    fade = mesh.attributes.new(FADE_ATTRIBUTE, "FLOAT", "POINT")
    fade.data.foreach_set("value", np.ascontiguousarray(head.fade, dtype=np.float32))
    mesh.update(calc_edges=True)
    _keep_small_parts(mesh, head)
    for material in make_materials(head, make_image(head)):
        mesh.materials.append(material)

    obj = tag(bpy.data.objects.new(HEAD_NAME, mesh), "head")
    collection.objects.link(obj)
    _add_shape_keys(obj, head)
    _add_modifiers(obj, head)
    return obj


def use_plain_names(obj: Any) -> None:
    """Give a head object and what it is made of the names without a number, if they are free now."""
    blocks = [(obj, HEAD_NAME), (obj.data, HEAD_NAME), (obj.data.shape_keys, HEAD_NAME)]
    for part, material in zip(PARTS, obj.data.materials, strict=True):
        blocks.append((material, f"HoloTalk {part.capitalize()}"))
    blocks.append((head_image(obj), IMAGE_NAME))
    for block, name in blocks:
        if block.name != name:
            block.name = name  # Blender adds a number where another block bears it
            role = role_of(block)
            if role is not None:
                tag(block, role)


def head_image(obj: Any) -> Any:
    """The image that a head object is painted with.

    Raises:
        OptionError: there is none any more.
    """
    for material in obj.data.materials:
        node = material.node_tree.nodes.get("Texture") if material and material.node_tree else None
        if node is not None and node.image is not None:
            return node.image
    raise OptionError(f"{obj.name} has lost its texture: generate the hologram again.")


def read_head(obj: Any, *, with_texture: bool = True) -> Head:
    """The head of a head object, with what a user has changed about it since: shape, sliders, texture.

    Args:
        obj: What :func:`make_head_object` made.
        with_texture: False leaves the texture out (one clear pixel), where shape alone matters.

    Raises:
        OptionError: The object is not a HoloTalk head any more.

    """
    mesh = obj.data
    keys = mesh.shape_keys
    counts = gather(mesh.polygons, "loop_total", 1, np.int32).ravel()
    if keys is None or len(keys.key_blocks) < 2 or not mesh.uv_layers:
        raise OptionError(f"{obj.name} has no expressions or no UVs any more: generate the hologram again.")
    if counts.max(initial=0) > 4:
        raise OptionError(f"{obj.name} has faces with more than four corners: make them quads or triangles.")
    used = np.arange(4) < counts[:, None]
    polygons = np.full((len(counts), 4), -1, dtype=np.int32)
    polygons[used] = gather(mesh.loops, "vertex_index", 1, np.int32).ravel()
    uvs = np.zeros((len(counts), 4, 2), dtype=np.float32)
    uvs[used] = gather(mesh.uv_layers[0].uv, "vector", 2, np.float32)
    basis, *others = keys.key_blocks
    neutral = from_blender(gather(basis.data, "co", 3, np.float32))
    fade = mesh.attributes.get(FADE_ATTRIBUTE)
    if with_texture:
        image = head_image(obj)
        columns, rows = image.size
        pixels = np.empty(rows * columns * 4, dtype=np.float32)
        image.pixels.foreach_get(pixels)
        texture = np.round(255.0 * np.flipud(pixels.reshape(rows, columns, 4))).astype(np.uint8)
    else:
        texture = np.zeros((1, 1, 4), dtype=np.uint8)
    return Head(
        vertices=neutral,
        polygons=polygons,
        polygon_uvs=uvs,
        polygon_parts=gather(mesh.polygons, "material_index", 1, np.int32).ravel().astype(np.uint8),
        expression_names=tuple(key.name for key in others),
        expression_deltas=np.stack(
            [from_blender(gather(key.data, "co", 3, np.float32)) - neutral for key in others]
        ),
        expression=np.array([0.0 if key.mute else key.value for key in others], dtype=np.float32),
        fade=np.ones(len(neutral), dtype=np.float32)
        if fade is None
        else gather(fade.data, "value", 1, np.float32).ravel(),
        texture=texture,
    )


def gather(items: Any, name: str, width: int, dtype: Any) -> NDArray[Any]:
    """(len(items), width) values of one property of a Blender collection."""
    flat = np.empty(len(items) * width, dtype=dtype)
    items.foreach_get(name, flat)
    return flat.reshape(-1, width)


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
    dark = head.fade[np.maximum(head.polygons, 0)] <= 0
    hidden = (dark | (head.polygons < 0)).all(axis=1)
    if hidden.any():
        # What the fade has made black all over is not drawn at all: Workbench knows no fade.
        seen = np.unique(head.polygons[~hidden])
        group = obj.vertex_groups.new(name=SEEN_GROUP)
        group.add(seen[seen >= 0].tolist(), 1.0, "REPLACE")
        mask = obj.modifiers.new("Fade", "MASK")
        mask.vertex_group = SEEN_GROUP
        # Subdivided vertices that share in a dark one have less than 1.
        mask.threshold = 0.999

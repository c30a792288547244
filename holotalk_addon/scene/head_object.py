# SPDX-License-Identifier: GPL-3.0-or-later
"""The head as an ordinary Blender object: materials, UVs, shape keys, subdivision, fade."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..head.head import PARTS, Head
from .axes import to_blender
from .materials import FADE_ATTRIBUTE, make_image, make_materials
from .own import tag

HEAD_NAME = "HoloTalk Head"
UV_NAME = "UVMap"
SEEN_GROUP = "HoloTalk seen"


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

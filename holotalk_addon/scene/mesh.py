# SPDX-License-Identifier: GPL-3.0-or-later
"""A textured surface and its fade -> a Blender mesh, and back."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..head.surface import Surface
from .axes import to_blender
from .materials import FADE_ATTRIBUTE
from .own import tag

UV_NAME = "UVMap"
SEEN_GROUP = "HoloTalk seen"


def make_mesh(
    name: str,
    surface: Surface,
    slots: NDArray[np.integer[Any]],
    fade: NDArray[np.float32],
) -> Any:
    """A smooth mesh with UVs, material slots and the fade attribute, tagged.

    Args:
        name: What it is called.
        surface: What it is made of; its texture is the materials'.
        slots: (F,) material slot of each polygon.
        fade: (V,) brightness in the hologram.

    """
    mesh = tag(bpy.data.meshes.new(name), "mesh")
    fill_mesh(mesh, surface)
    mesh.polygons.foreach_set("material_index", slots.astype(np.int32))
    attribute = mesh.attributes.new(FADE_ATTRIBUTE, "FLOAT", "POINT")
    attribute.data.foreach_set("value", np.ascontiguousarray(fade, dtype=np.float32))
    mesh.update()
    return mesh


def fill_mesh(mesh: Any, surface: Surface) -> None:
    """Make a mesh of a surface, smooth, in place of what it was."""
    mesh.clear_geometry()
    vertices, polygons = surface.vertices, surface.polygons
    used = (polygons >= 0).ravel()
    corners = polygons.ravel()[used]
    counts = (polygons >= 0).sum(axis=1)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", to_blender(vertices).ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners.astype(np.int32))
    mesh.polygons.add(len(counts))
    mesh.polygons.foreach_set("loop_start", (np.cumsum(counts) - counts).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(counts), dtype=bool))
    uvs = np.ascontiguousarray(surface.uvs.reshape(-1, 2)[used], dtype=np.float32)
    mesh.uv_layers.new(name=UV_NAME).uv.foreach_set("vector", uvs.ravel())
    mesh.update(calc_edges=True)


def read_polygons(mesh: Any) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(F, 4) vertex indices, -1 last in a triangle, and (F, 4, 2) UVs of a mesh; wider where it has polygons
    of more corners, see :func:`most_corners`. UVs are 0 where it has none."""
    counts = gather(mesh.polygons, "loop_total", 1, np.int32).ravel()
    width = max(4, most_corners(mesh))
    used = np.arange(width) < counts[:, None]
    polygons = np.full((len(counts), width), -1, dtype=np.int32)
    polygons[used] = gather(mesh.loops, "vertex_index", 1, np.int32).ravel()
    uvs = np.zeros((len(counts), width, 2), dtype=np.float32)
    if mesh.uv_layers:
        uvs[used] = gather(mesh.uv_layers[0].uv, "vector", 2, np.float32)
    return polygons, uvs


def most_corners(mesh: Any) -> int:
    """How many corners the polygon of a mesh with the most of them has."""
    return int(gather(mesh.polygons, "loop_total", 1, np.int32).max(initial=0))


def read_fade(mesh: Any) -> NDArray[np.float32]:
    """(V,) the fade of a mesh; 1 where it has none."""
    fade = mesh.attributes.get(FADE_ATTRIBUTE)
    if fade is None or len(fade.data) != len(mesh.vertices):
        return np.ones(len(mesh.vertices), dtype=np.float32)
    return gather(fade.data, "value", 1, np.float32).ravel()


def hide_dark(obj: Any, polygons: NDArray[np.int32], fade: NDArray[np.float32]) -> None:
    """What the fade has made black all over is not drawn at all: Workbench knows no fade."""
    dark = fade[np.maximum(polygons, 0)] <= 0
    hidden = (dark | (polygons < 0)).all(axis=1)
    if not hidden.any():
        return
    seen = np.unique(polygons[~hidden])
    group = obj.vertex_groups.new(name=SEEN_GROUP)
    group.add(seen[seen >= 0].tolist(), 1.0, "REPLACE")
    mask = obj.modifiers.new("Fade", "MASK")
    mask.vertex_group = SEEN_GROUP
    # Subdivided vertices that share in a dark one have less than 1.
    mask.threshold = 0.999


def gather(items: Any, name: str, width: int, dtype: Any) -> NDArray[Any]:
    """(len(items), width) values of one property of a Blender collection."""
    flat = np.empty(len(items) * width, dtype=dtype)
    items.foreach_get(name, flat)
    return flat.reshape(-1, width)

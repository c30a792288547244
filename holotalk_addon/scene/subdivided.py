# SPDX-License-Identifier: GPL-3.0-or-later
"""Head and hair as Blender's subdivision makes them, with the photo's expression, for formats without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..head.head import Head
from ..hologram.motion import loop_motion
from .axes import from_blender
from .hair_object import find_hair
from .head_subject import HeadSubject
from .hologram_scene import make_black_world, make_scene
from .mesh import gather, read_polygons
from .render import temporary_subject


@dataclass(frozen=True)
class Subdivided:
    """A mesh with coloured vertices, in head axes."""

    points: NDArray[np.float32]
    """(V, 3) metres."""
    normals: NDArray[np.float32]
    """(V, 3)."""
    colours: NDArray[np.uint8]
    """(V, 4) sRGB and alpha."""
    polygons: NDArray[np.int32]
    """(F, 4) vertex indices, -1 last in a triangle."""
    slots: NDArray[np.int32]
    """(F,) material slot."""


def subdivided(head: Head, level: int, most_hair: int) -> tuple[Subdivided, Subdivided | None]:
    """The head with its own smooth subdivision, ``level`` times; and its hair, if it has any, in the shape it
    has but with more vertices for its colours: subdivided twice, or less often where that were more than
    ``most_hair`` polygons."""
    with _alone_in_scene(head) as (obj, scene):
        body = _evaluated(obj, obj.modifiers["Subdivision"], level, head.texture, scene, around=False)
        hair = find_hair(obj)
        if head.hair is None or hair is None:
            return body, None
        subdivision = hair.modifiers.new("Subdivision", "SUBSURF")
        subdivision.subdivision_type, subdivision.uv_smooth = "SIMPLE", "NONE"
        finer = int(np.log(most_hair / max(1, len(head.hair.polygons))) / np.log(4.0))
        level = min(max(finer, 0), 2)
        return body, _evaluated(hair, subdivision, level, head.hair.texture, scene, around=True)


@contextmanager
def _alone_in_scene(head: Head) -> Iterator[tuple[Any, Any]]:
    """A temporary scene with the head object alone in it, current where there is a window."""
    with temporary_subject(HeadSubject(head)) as (obj, collection):
        scene = make_scene("HoloTalk Export", (64, 64), loop_motion("still"), "workbench", make_black_world())
        scene.collection.children.link(collection)
        for each in (obj, *obj.children):
            for modifier in each.modifiers:
                modifier.show_viewport = modifier.show_render = False
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            yield obj, scene


def _evaluated(
    obj: Any, subdivision: Any, level: int, texture: NDArray[np.uint8], scene: Any, *, around: bool
) -> Subdivided:
    """An object as its subdivision makes it; the texture goes ``around`` as in :func:`_vertex_colours`."""
    subdivision.levels, subdivision.show_viewport = level, level > 0
    layer = scene.view_layers[0]
    layer.update()
    evaluated = obj.evaluated_get(layer.depsgraph)
    mesh = evaluated.to_mesh()
    points = gather(mesh.vertices, "co", 3, np.float32)
    normals = gather(mesh.vertex_normals, "vector", 3, np.float32)
    polygons, uvs = read_polygons(mesh)
    slots = gather(mesh.polygons, "material_index", 1, np.int32).ravel()
    evaluated.to_mesh_clear()
    used = polygons >= 0
    colours = _vertex_colours(texture, polygons[used], uvs[used], len(points), around=around)
    return Subdivided(from_blender(points), from_blender(normals), colours, polygons, slots)


def _vertex_colours(
    texture: NDArray[np.uint8],
    corners: NDArray[np.int32],
    uvs: NDArray[np.float32],
    count: int,
    *,
    around: bool,
) -> NDArray[np.uint8]:
    """(count, 4) sRGB and alpha: the mean of what the corners of each vertex find in the texture, which
    repeats from side to side where it goes ``around`` the head."""
    rows, columns = texture.shape[:2]
    x = np.floor(uvs[:, 0] * columns).astype(np.int64)
    x = x % columns if around else np.clip(x, 0, columns - 1)
    y = np.clip(((1.0 - uvs[:, 1]) * rows).astype(np.int64), 0, rows - 1)
    found = texture[y, x].astype(np.float64)
    total = np.stack([np.bincount(corners, found[:, k], count) for k in range(4)], axis=1)
    shared = np.maximum(np.bincount(corners, minlength=count), 1)[:, None]
    colours: NDArray[np.uint8] = np.round(total / shared).astype(np.uint8)
    return colours

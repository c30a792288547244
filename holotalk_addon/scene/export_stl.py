# SPDX-License-Identifier: GPL-3.0-or-later
"""A head to print: one watertight solid with a flat base.

Skin, eyeballs and tongue are closed surfaces. Teeth and hair are not: each is swept inward to a solid, so
that nothing of it is a thin shell. What lies open behind lids and teeth is plugged. Blender's voxel remesher
makes one surface around all that, and what it encloses is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ..head.head import PARTS, Head
from ..head.surface import Surface, triangulate
from ..outputs import STL_HEIGHT_MM
from .axes import from_blender, to_blender
from .hair_object import SOFT_SLOT
from .mesh import fill_mesh, gather
from .subdivided import Subdivided, subdivided

VOXEL_M = 0.001
"""0.3 mm in a print of 100 mm, less than its nozzle's width; lids and lips stay crisp."""
SIMPLER = 0.35
"""The share of the triangles that is kept; the rest is where it is flat."""
MOST_HAIR = 100_000
"""Polygons that hair may be subdivided into, for the outline that its see-through edges draw."""
BEVEL_M = 0.008
"""Hair sinks so far at its edges: at the hairline that is below the skin."""
SMOOTHED = 4
"""Times that its alpha is: single strands at the edges would be needles."""
CUT_M = 0.010
"""The neck is cut level, so far above the cut of the bust, which slopes and flares to a thin rim."""
MOUTH = np.array([1.05, 1.0, 0.93], dtype=np.float32)
"""Size of the plug in the mouth over that of the hull around teeth and tongue: out to the cheeks, and so far
behind the teeth that they stand out of it by 3 mm."""
MOUTH_M = np.array([[0.0, 0.0, 0.0], [0.0, 0.025, 0.0], [0.0, -0.015, -0.05]], dtype=np.float32)
"""That hull takes in teeth and tongue where they are, up at the palate and back in the throat."""
LID_M = 0.0015
"""The plug around an eyeball, which closes the gap to the lids, is so much larger."""

Solid = tuple[NDArray[np.float32], NDArray[np.int32]]
"""(V, 3) metres in head axes and (T, 3) triangles that leave no edge open."""


def stl(head: Head, height_mm: float | None = None) -> bytes:
    """A head with the photo's expression as a binary STL: z up, the face toward -y, standing on z = 0.

    Args:
        head: The head, with its hair.
        height_mm: From the base to the crown; None for :data:`STL_HEIGHT_MM`.

    """
    body, hair = subdivided(head, 1, MOST_HAIR)
    solids = _solids_of_body(body)
    if hair is not None and len(hair.polygons):
        solids.append(_solid_hair(hair))
    bust = head.vertices[head.fade <= 0, 1]
    floor = CUT_M + float(bust.max() if len(bust) else head.vertices[:, 1].min())
    points, triangles = _outermost(*_united([_above(solid, floor) for solid in solids]))
    points = to_blender(points)
    points[:, 2] -= points[:, 2].min()
    points *= (height_mm or STL_HEIGHT_MM) / points[:, 2].max()
    return _binary(points, triangles)


def _solids_of_body(body: Subdivided) -> list[Solid]:
    parts = {name: triangulate(body.polygons[body.slots == k])[0] for k, name in enumerate(PARTS)}
    solids = [(body.points, parts[name]) for name in ("skin", "eyes", "tongue") if len(parts[name])]
    eyes = parts["eyes"]
    for left in (True, False):
        ball = eyes[(body.points[eyes[:, 0], 0] > 0) == left]
        if len(ball):
            centre = body.points[np.unique(ball)].mean(axis=0)
            arms = body.points - centre
            radius = np.linalg.norm(arms[ball[:, 0]], axis=1).mean()
            plug = centre + arms * (1 + LID_M / radius)
            plug[:, 2] -= 4 / 3 * LID_M  # in front it stays behind the eyeball
            solids.append((plug, ball))
    if len(parts["teeth"]):
        mouth = body.points[np.unique(np.concatenate([parts["teeth"], parts["tongue"]]))]
        mouth, faces = _hull((mouth + MOUTH_M[:, None]).reshape(-1, 3))
        middle = mouth.mean(axis=0)
        solids.append((middle + MOUTH * (mouth - middle), faces))
        inside = middle + 0.8 * (body.points - middle)  # well within the plug
        solids.append(_swept(body.points, parts["teeth"], inside))
    return solids


def _hull(points: NDArray[np.float32]) -> Solid:
    """The convex hull of (V, 3) points."""
    shape = bmesh.new()
    try:
        for point in points.tolist():
            shape.verts.new(point)
        around = bmesh.ops.convex_hull(shape, input=shape.verts)["geom"]
        faces = [face for face in around if isinstance(face, bmesh.types.BMFace)]
        corners = np.array([[v.co for v in face.verts] for face in faces], dtype=np.float32)
    finally:
        shape.free()
    return corners.reshape(-1, 3), np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)


def _solid_hair(hair: Subdivided) -> Solid:
    """Hair filled from its surface to the head's axis: above the eyes to one point, below them level. Where
    its texture is more clear than solid there is none, and up to there it sinks in."""
    alpha = np.ones(len(hair.points))
    soft = np.unique(hair.polygons[hair.slots == SOFT_SLOT])
    soft = soft[soft >= 0]
    alpha[soft] = hair.colours[soft, 3] / 255.0
    triangles = triangulate(hair.polygons)[0]
    count = np.maximum(np.bincount(triangles.ravel(), minlength=len(alpha)), 1)
    for _ in range(SMOOTHED):
        mean = np.repeat(alpha[triangles].mean(axis=1), 3)
        alpha = np.bincount(triangles.ravel(), mean, len(alpha)) / count
    cover = np.clip(2.0 * alpha - 1.0, 0.0, 1.0)
    axis = np.zeros_like(hair.points)
    axis[:, 1] = np.minimum(hair.points[:, 1], 0.0)
    arms = hair.points - axis
    way = arms / np.maximum(np.linalg.norm(arms, axis=1, keepdims=True), 1e-6)
    outer = hair.points - BEVEL_M * (1.0 - cover)[:, None] * way
    return _swept(outer, triangles[(cover[triangles] > 0).any(axis=1)], axis + 0.1 * arms)


def _swept(points: NDArray[Any], triangles: NDArray[np.int32], inner: NDArray[Any]) -> Solid:
    """The solid that triangles sweep on their way to other places of their vertices, (V, 3) each."""
    used, numbers = np.unique(triangles, return_inverse=True)
    triangles = numbers.reshape(-1, 3)
    count = len(used)
    edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    back = np.isin(edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0])
    a, b = edges[~back].T
    walls = np.concatenate([np.stack([b, a, a + count], axis=1), np.stack([b, a + count, b + count], axis=1)])
    closed = np.concatenate([triangles, triangles[:, ::-1] + count, walls]).astype(np.int32)
    return np.concatenate([points[used], inner[used]]).astype(np.float32), closed


def _above(solid: Solid, floor: float) -> Solid:
    """What of a solid is above a level, metres, closed at that level."""
    points, triangles = solid
    below = points[triangles, 1] < floor
    whole = triangles[~below.any(axis=1)]
    torn = triangles[below.any(axis=1) & ~below.all(axis=1)]
    if len(torn) == 0:
        return points, whole
    # Begin with the corner that is alone on its side.
    under = points[torn, 1] < floor
    lone_below = under.sum(axis=1) == 1
    first = np.where(lone_below, under.argmax(axis=1), under.argmin(axis=1))
    torn = np.take_along_axis(torn, (first[:, None] + np.arange(3)) % 3, axis=1)
    start, one, other = (points[torn[:, k]].astype(np.float64) for k in range(3))
    to_one, to_other = (
        start + (end - start) * ((floor - start[:, 1]) / (end[:, 1] - start[:, 1]))[:, None]
        for end in (one, other)
    )
    # All ends on the level meet in their middle, which closes it.
    middle = np.broadcast_to(np.concatenate([to_one, to_other]).mean(axis=0), to_one.shape)
    corners = np.concatenate(
        [
            np.stack([start, to_one, to_other], axis=1)[~lone_below],
            np.stack([to_one, one, other], axis=1)[lone_below],
            np.stack([to_one, other, to_other], axis=1)[lone_below],
            np.stack([to_one, to_other, middle], axis=1),
        ]
    ).reshape(-1, 3)
    added = np.arange(len(corners), dtype=np.int32).reshape(-1, 3) + len(points)
    return np.concatenate([points, corners]).astype(np.float32), np.concatenate([whole, added])


def _united(solids: list[Solid]) -> Solid:
    """The surface around all of some solids, which may overlap."""
    points = np.concatenate([points for points, _ in solids])
    firsts = np.cumsum([0, *(len(points) for points, _ in solids)])
    triangles = np.concatenate([part + first for (_, part), first in zip(solids, firsts, strict=False)])
    with _alone(points, triangles) as (obj, layer):
        remesh = obj.modifiers.new("Remesh", "REMESH")
        remesh.mode, remesh.voxel_size = "VOXEL", VOXEL_M
        obj.modifiers.new("Simpler", "DECIMATE").ratio = SIMPLER
        layer.update()
        evaluated = obj.evaluated_get(layer.depsgraph)
        mesh = evaluated.to_mesh()
        points = from_blender(gather(mesh.vertices, "co", 3, np.float32))
        mesh.calc_loop_triangles()
        triangles = gather(mesh.loop_triangles, "vertices", 3, np.int32)
        evaluated.to_mesh_clear()
    return points, triangles


@contextmanager
def _alone(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> Iterator[tuple[Any, Any]]:
    """An object of (V, 3) points in head axes and (T, 3) triangles, and the view layer of its own scene."""
    mesh = bpy.data.meshes.new("HoloTalk Print")
    obj = bpy.data.objects.new("HoloTalk Print", mesh)
    scene = bpy.data.scenes.new("HoloTalk Print")
    try:
        fill_mesh(mesh, Surface.bare(points, triangles))
        scene.collection.objects.link(obj)
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            yield obj, scene.view_layers[0]
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.objects.remove(obj)
        bpy.data.meshes.remove(mesh)


def _outermost(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> Solid:
    """The largest of the surfaces that hang together. What floats inside it goes, and so do its hollows."""
    label = np.arange(len(points))
    while True:
        least = label[triangles].min(axis=1)
        before = label.copy()
        for k in range(3):
            np.minimum.at(label, triangles[:, k], least)
        label = label[label]
        if (label == before).all():
            break
    kept = label[triangles[:, 0]] == np.bincount(label[triangles[:, 0]]).argmax()
    used, numbers = np.unique(triangles[kept], return_inverse=True)
    return points[used], numbers.reshape(-1, 3).astype(np.int32)


def _binary(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> bytes:
    """The file: 80 bytes, the number of triangles, and of each its normal, corners and two bytes."""
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    table = np.zeros(
        len(triangles), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")]
    )
    table["normal"], table["corners"] = normals, corners
    header = b"A head by HoloTalk, in millimetres".ljust(80)
    return header + np.uint32(len(triangles)).astype("<u4").tobytes() + table.tobytes()

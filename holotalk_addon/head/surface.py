# SPDX-License-Identifier: GPL-3.0-or-later
"""Polygons with a texture: what a head, its hair and everything that is worn are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Surface:
    """A textured surface of V vertices and F polygons, in head axes (see the package): metres, x to the
    person's left, y up, z out of the face.
    """

    vertices: NDArray[np.float32]
    """(V, 3) metres."""
    polygons: NDArray[np.int32]
    """(F, 4) vertex indices, counter-clockwise seen from outside; a triangle has -1 last."""
    uvs: NDArray[np.float32]
    """(F, 4, 2) texture coordinates of the polygons' corners, u right, v up, 0..1 (unused corner: 0)."""
    texture: NDArray[np.uint8]
    """(H, W, 4) sRGB and alpha (not multiplied in), first row on top (v = 1)."""

    @classmethod
    def bare(cls, vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> Surface:
        """(T, 3) triangles without a texture."""
        polygons = np.column_stack([triangles, np.full(len(triangles), -1)]).astype(np.int32)
        uvs = np.zeros((len(polygons), 4, 2), dtype=np.float32)
        return Surface(vertices, polygons, uvs, np.zeros((0, 0, 4), dtype=np.uint8))

    def only(self, chosen: NDArray[np.bool_]) -> Surface:
        """Those of the polygons, (F,), with all vertices."""
        return Surface(self.vertices, self.polygons[chosen], self.uvs[chosen], self.texture)

    @cached_property
    def _split(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return triangulate(self.polygons)

    @property
    def triangles(self) -> NDArray[np.int32]:
        """(T, 3) the polygons as triangles, in polygon order."""
        return self._split[0]

    @property
    def triangle_polygon(self) -> NDArray[np.int32]:
        """(T,) the polygon of each triangle."""
        return self._split[1]

    @property
    def triangle_uvs(self) -> NDArray[np.float32]:
        """(T, 3, 2) texture coordinates of the corners of :attr:`triangles`."""
        return corner_uvs(self.uvs, self.triangle_polygon)

    @property
    def has_alpha(self) -> bool:
        """Whether the texture is not opaque all over."""
        return bool((self.texture[..., 3] < 255).any())


def triangulate(polygons: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Split (F, 4) polygons (triangle: -1 last) into (T, 3) triangles and the (T,) polygon of each."""
    quad = polygons[:, 3] >= 0
    count = 1 + quad
    polygon = np.repeat(np.arange(len(polygons), dtype=np.int32), count)
    first = np.zeros(len(polygon), dtype=bool)
    first[np.cumsum(count) - count] = True
    corners = np.where(first[:, None], polygons[polygon][:, [0, 1, 2]], polygons[polygon][:, [0, 2, 3]])
    return corners.astype(np.int32), polygon


def corner_uvs(polygon_uvs: NDArray[np.float32], polygon: NDArray[np.integer]) -> NDArray[np.float32]:
    """(T, 3, 2) texture coordinates of the triangles that :func:`triangulate` makes of (F, 4, 2) polygons."""
    second = np.zeros(len(polygon), dtype=bool)
    second[1:] = polygon[1:] == polygon[:-1]
    uv = polygon_uvs[polygon]
    return np.where(second[:, None, None], uv[:, [0, 2, 3]], uv[:, [0, 1, 2]])


def vertex_normals(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.float32]:
    """(V, 3) unit normals of (V, 3) vertices: area-weighted mean over (T, 3) triangles."""
    corners = np.asarray(vertices, dtype=np.float64)[triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros((len(vertices), 3))
    for i in range(3):
        for axis in range(3):
            normal[:, axis] += np.bincount(triangles[:, i], face[:, axis], len(vertices))
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return (normal / np.maximum(length, 1e-20)).astype(np.float32)

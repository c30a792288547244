# SPDX-License-Identifier: GPL-3.0-or-later
"""The one small z-buffer: which triangle covers which pixel, how far away it is, and what it hides.

Correspondences, visibility and texture baking share it. It is written for a few ten thousand small
triangles: each triangle is cut into its pixel rows, each row into its covered span, so that only
covered pixels are ever touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SPANS_AT_A_TIME = 1 << 17  # bounds the working memory to some tens of MB


@dataclass(frozen=True)
class Raster:
    """What :func:`rasterize` found, pixel by pixel."""

    triangle: NDArray[np.int32]
    """(H, W) index of the nearest triangle, -1 where there is none."""
    depth: NDArray[np.float32]
    """(H, W) its depth, +inf where there is none."""


@dataclass(frozen=True)
class DepthMap:
    """How far the nearest surface is in a part of a picture: what tells whether a point is hidden there."""

    depth: NDArray[np.floating]
    """(H, W) distance, +inf where there is nothing."""
    corner: NDArray[np.float64] | tuple[float, float] = (0.0, 0.0)
    """(2,) the picture's pixel where that part begins, right and down."""
    scale: float = 1.0
    """Cells of the map over pixels of the picture, along a side."""
    margin: float = 0.0
    """Cells of the map above and to the left of ``corner``."""

    @classmethod
    def of_triangles(
        cls,
        xy: NDArray[np.floating],
        depth: NDArray[np.floating],
        side: int,
        shown: NDArray[np.floating] | None = None,
    ) -> DepthMap:
        """A map with as many cells for the longer side of what is shown.

        Args:
            xy: (T, 3, 2) corners in pixels of the picture, as :func:`rasterize` takes them.
            depth: (T, 3) their distances.
            side: cells.
            shown: (N, 2) pixels that the map reaches to; None: the triangles' corners.
        """
        places = xy.reshape(-1, 2) if shown is None else shown
        low = places.min(axis=0)
        scale = side / float((places.max(axis=0) - low).max())
        drawn = rasterize((xy - low) * scale + 1.0, depth, side + 2, side + 2)
        return cls(drawn.depth, low, scale, 1.0)

    def nearest(self, place: NDArray[np.floating]) -> NDArray[np.floating]:
        """(N,) how far the nearest surface is at (N, 2) pixels of the picture; beyond the map, its edge's."""
        height, width = self.depth.shape
        cell = ((place - np.asarray(self.corner)) * self.scale + self.margin).astype(np.intp)
        column, row = np.clip(cell, 0, [width - 1, height - 1]).T
        return np.asarray(self.depth[row, column])

    def hides(
        self, place: NDArray[np.floating], distance: NDArray[np.floating], tolerance: float
    ) -> NDArray[np.bool_]:
        """(N,) whether something lies more than the tolerance before points at (N, 2) pixels and (N,)
        distances."""
        return np.asarray(distance > self.nearest(place) + tolerance)


def rasterize(
    xy: NDArray[np.floating], depth: NDArray[np.floating] | None, width: int, height: int
) -> Raster:
    """Draw triangles into a z-buffer.

    Args:
        xy: (T, 3, 2) corners in pixels, x right, y down, pixel centres at .5. Either winding.
        depth: (T, 3) distance of the corners, the smallest wins; None where triangles never overlap
            (the last one drawn wins).
        width: of the raster in pixels.
        height: of the raster in pixels.

    Returns:
        The :class:`Raster`. A pixel belongs to a triangle that contains its centre.
    """
    nearest = np.full(width * height, np.inf, dtype=np.float32)
    owner = np.full(width * height, -1, dtype=np.int32)
    plane = _depth_planes(xy, depth) if depth is not None else None
    for triangle, pixel, x, y in covered(np.asarray(xy, dtype=np.float64), width, height):
        if plane is None:
            nearest[pixel] = 0.0
            owner[pixel] = triangle
            continue
        p = plane[triangle]
        z = (p[:, 0] * x + p[:, 1] * y + p[:, 2]).astype(np.float32)
        np.minimum.at(nearest, pixel, z)
        won = z <= nearest[pixel]
        owner[pixel[won]] = triangle[won]
    return Raster(owner.reshape(height, width), nearest.reshape(height, width))


def barycentric(
    xy: NDArray[np.floating], triangle: NDArray[np.integer], points: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Barycentric coordinates of points in the plane.

    Args:
        xy: (T, 3, 2) triangle corners.
        triangle: (N,) index of the triangle of each point.
        points: (N, 2) in the same plane.

    Returns:
        (N, 3) weights that sum to 1; for a degenerate triangle all the weight is on its first corner.
    """
    corners = np.asarray(xy, dtype=np.float64)[triangle]
    a = corners[:, 0]
    ab, ac, ap = corners[:, 1] - a, corners[:, 2] - a, points - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    flat = np.abs(area) < 1e-14
    area = np.where(flat, 1.0, area)
    v = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / area
    w = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / area
    v[flat] = 0.0
    w[flat] = 0.0
    return np.stack([1.0 - v - w, v, w], axis=1)


def pixel_centres(raster: Raster) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float64]]:
    """The covered pixels of a raster: flat pixel index (N,), triangle (N,), centre (N, 2) in pixels."""
    flat = raster.triangle.ravel()
    pixel = np.flatnonzero(flat >= 0)
    width = raster.triangle.shape[1]
    centre = np.stack([pixel % width + 0.5, pixel // width + 0.5], axis=1)
    return pixel, flat[pixel], centre


def _depth_planes(xy: NDArray[np.floating], depth: NDArray[np.floating]) -> NDArray[np.float64]:
    """(T, 3) coefficients a, b, c of depth = a x + b y + c over each triangle."""
    # A corner behind the camera has no place in the picture; such a triangle is never drawn.
    p = np.nan_to_num(np.asarray(xy, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    d = np.nan_to_num(np.asarray(depth, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    d1, d2 = d[:, 1] - d[:, 0], d[:, 2] - d[:, 0]
    area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    safe = np.where(np.abs(area) < 1e-12, np.inf, area)
    a = (d1 * e2[:, 1] - d2 * e1[:, 1]) / safe
    b = (d2 * e1[:, 0] - d1 * e2[:, 0]) / safe
    return np.stack([a, b, d[:, 0] - a * p[:, 0, 0] - b * p[:, 0, 1]], axis=1)


def covered(
    xy: NDArray[np.float64], width: int, height: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield, in chunks, (triangle, flat pixel, x, y) of every covered pixel centre inside the picture.

    All triangles that cover it, near or far: for surfaces that are seen through. ``xy`` is (T, 3, 2) as
    :func:`rasterize` takes it.
    """
    finite = np.isfinite(xy).all(axis=(1, 2))
    low = np.where(finite, np.ceil(np.nan_to_num(xy[..., 1].min(axis=1)) - 0.5), 0)
    high = np.where(finite, np.ceil(np.nan_to_num(xy[..., 1].max(axis=1)) - 0.5), 0)
    low = np.clip(low, 0, height).astype(np.intp)
    rows = np.clip(high, 0, height).astype(np.intp) - low
    rows = np.maximum(rows, 0)
    ends = np.cumsum(rows)
    start = 0
    while start < len(rows):
        begin = ends[start] - rows[start]
        stop = int(np.searchsorted(ends, begin + _SPANS_AT_A_TIME, side="right"))
        stop = max(stop, start + 1)
        yield from _covered_chunk(xy, np.arange(start, stop), low, rows, width)
        start = stop


def _covered_chunk(
    xy: NDArray[np.float64],
    triangles: NDArray[np.intp],
    low: NDArray[np.intp],
    rows: NDArray[np.intp],
    width: int,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]]:
    count = rows[triangles]
    total = int(count.sum())
    if total == 0:
        return
    triangle = np.repeat(triangles, count)
    within = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
    row = low[triangle] + within
    y = row + 0.5
    left = np.full(total, np.inf)
    right = np.full(total, -np.inf)
    for i in range(3):
        p, q = xy[triangle, i], xy[triangle, (i + 1) % 3]
        # Always downward: two triangles then round their common edge alike, and share no pixel.
        upward = (p[:, 1] > q[:, 1])[:, None]
        p, q = np.where(upward, q, p), np.where(upward, p, q)
        # Half-open in y, so that a corner on the line counts for one of its two edges only.
        crosses = (p[:, 1] <= y) != (q[:, 1] <= y)
        rise = np.where(crosses, q[:, 1] - p[:, 1], 1.0)
        x = p[:, 0] + (y - p[:, 1]) / rise * (q[:, 0] - p[:, 0])
        left = np.where(crosses, np.minimum(left, x), left)
        right = np.where(crosses, np.maximum(right, x), right)
    first = np.clip(np.ceil(np.clip(left, -1.0, width + 1.0) - 0.5), 0, width).astype(np.intp)
    last = np.clip(np.ceil(np.clip(right, -1.0, width + 1.0) - 0.5), 0, width).astype(np.intp)
    length = np.maximum(last - first, 0)
    n = int(length.sum())
    if n == 0:
        return
    span = np.repeat(np.arange(total), length)
    column = first[span] + np.arange(n) - np.repeat(np.cumsum(length) - length, length)
    yield triangle[span], row[span] * width + column, column + 0.5, row[span] + 0.5

# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's own texture layout.

MakeHuman's islands are kept, so nothing overlaps, but laid out anew for a portrait: the head's island
fills most of the picture and is stretched about the face, where the photo has its detail; the body
is left out. Every island is moved by one monotone function per axis, which keeps it free of folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .head import PARTS

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Island:
    part: str
    source: Box
    """u0, v0, u1, v1 around it in MakeHuman's layout"""
    target: Box
    """u0, v0, u1, v1 it fills in ours"""
    is_head: bool = False


_ISLANDS = (
    _Island("skin", (0.640, 0.148, 0.995, 0.819), (0.004, 0.270, 0.996, 0.996), is_head=True),
    _Island("skin", (0.256, 0.850, 0.505, 0.975), (0.004, 0.004, 0.400, 0.260)),  # neck
    _Island("skin", (0.011, 0.546, 0.078, 0.634), (0.670, 0.150, 0.750, 0.260)),  # right eye socket
    _Island("skin", (0.085, 0.546, 0.152, 0.634), (0.760, 0.150, 0.840, 0.260)),  # left eye socket
    _Island("skin", (0.757, 0.011, 0.925, 0.137), (0.670, 0.004, 0.840, 0.140)),  # inside of the mouth
    _Island("eyes", (0.759, 0.944, 0.773, 0.958), (0.410, 0.140, 0.530, 0.260)),  # left eye, front
    _Island("eyes", (0.800, 0.944, 0.814, 0.958), (0.540, 0.140, 0.660, 0.260)),  # right eye, front
    _Island("eyes", (0.772, 0.931, 0.786, 0.9445), (0.410, 0.070, 0.470, 0.130)),  # left eye, back
    _Island("eyes", (0.787, 0.931, 0.802, 0.9445), (0.480, 0.070, 0.540, 0.130)),  # right eye, back
    _Island("teeth", (0.677, 0.8755, 0.739, 0.8981), (0.850, 0.190, 0.996, 0.260)),  # upper
    _Island("teeth", (0.677, 0.8979, 0.739, 0.9205), (0.850, 0.110, 0.996, 0.180)),  # lower
    _Island("lashes", (0.7085, 0.926, 0.759, 0.948), (0.550, 0.105, 0.660, 0.132)),  # left upper
    _Island("lashes", (0.7085, 0.966, 0.759, 0.986), (0.550, 0.070, 0.660, 0.097)),  # left lower
    _Island("lashes", (0.657, 0.926, 0.7080, 0.948), (0.550, 0.035, 0.660, 0.062)),  # right upper
    _Island("lashes", (0.657, 0.966, 0.7080, 0.986), (0.410, 0.035, 0.540, 0.062)),  # right lower
    _Island("tongue", (0.622, 0.928, 0.649, 0.985), (0.850, 0.004, 0.996, 0.100)),
)

_CAP_CENTRE, _CAP_RADIUS = (0.58, 0.017), 0.012

# Where the face lies on the head's island (its share of width and height), and how much more room
# than the back of the head it gets.
_FACE_CENTRE = (0.5, 0.40)
_FACE_STRETCH = (5.0, 3.0)


def lay_out(
    uvs: NDArray[np.float64], parts: NDArray[np.uint8], polygons: NDArray[np.int32], cap_centre: int
) -> NDArray[np.float32]:
    """Our texture coordinates.

    Args:
        uvs: (F, 4, 2) MakeHuman's coordinates of the corners.
        parts: (F,) index into PARTS.
        polygons: (F, 4) vertex indices, -1 last for a triangle.
        cap_centre: the vertex in the middle of the cap; its triangles get a disc of their own.

    Returns:
        (F, 4, 2) float32, 0..1, unused corners 0.

    Raises:
        ValueError: a polygon lies on none of the known islands (the pinned package has changed).
    """
    used = polygons >= 0
    centre = (uvs * used[..., None]).sum(axis=1) / used.sum(axis=1, keepdims=True)
    result = np.zeros_like(uvs)
    placed = np.zeros(len(uvs), dtype=bool)
    cap = (polygons == cap_centre).any(axis=1)
    for island in _ISLANDS:
        u0, v0, u1, v1 = island.source
        inside = (parts == PARTS.index(island.part)) & ~cap & ~placed
        inside &= (centre[:, 0] > u0) & (centre[:, 0] < u1) & (centre[:, 1] > v0) & (centre[:, 1] < v1)
        x = (uvs[inside, :, 0] - u0) / (u1 - u0)
        y = (uvs[inside, :, 1] - v0) / (v1 - v0)
        if island.is_head:  # it lies on its side in MakeHuman's layout
            x, y = y, 1.0 - x
            x = _magnify(x, _FACE_CENTRE[0], _FACE_STRETCH[0])
            y = _magnify(y, _FACE_CENTRE[1], _FACE_STRETCH[1])
        a0, b0, a1, b1 = island.target
        result[inside, :, 0] = a0 + np.clip(x, 0, 1) * (a1 - a0)
        result[inside, :, 1] = b0 + np.clip(y, 0, 1) * (b1 - b0)
        placed |= inside
    if not (placed | cap).all():
        raise ValueError(f"{int((~placed & ~cap).sum())} polygons lie on no known texture island.")
    _lay_out_cap(result, polygons, cap_centre, np.flatnonzero(cap))
    result[~used] = 0.0
    return result.astype(np.float32)


def _lay_out_cap(
    result: NDArray[np.float64],
    polygons: NDArray[np.int32],
    cap_centre: int,
    triangles: NDArray[np.intp],
) -> None:
    rim = [int(polygons[t, 0]) for t in triangles]
    angle = {v: 2.0 * np.pi * k / len(rim) for k, v in enumerate(rim)}
    for t in triangles:
        for corner in range(3):
            v = int(polygons[t, corner])
            offset = (0.0, 0.0) if v == cap_centre else (np.cos(angle[v]), -np.sin(angle[v]))
            result[t, corner] = np.array(_CAP_CENTRE) + _CAP_RADIUS * np.array(offset)


def _magnify(x: NDArray[np.float64], centre: float, strength: float) -> NDArray[np.float64]:
    """Monotone map of 0..1 on to itself that is steepest at ``centre`` (an inverse hyperbolic sine)."""

    def curve(t: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(np.arcsinh(strength * (np.asarray(t) - centre)))

    low, high = curve(0.0), curve(1.0)
    return np.asarray((curve(x) - low) / (high - low))

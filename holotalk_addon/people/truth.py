# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a drawn person, pixel by pixel: depth, normals, regions, texture coordinates, landmarks.

By the project's own z-buffer, from the same triangles as the renderer's, none of them subdivided: cheaper
than passes of the renderer (no second render, no file between), and exact where the pictures' soft edges
are not. Hair is seen through: what a pixel shows is the surface at which what lies before it, and itself,
let less than half of the light pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..face import angles_from_rotation, landmarks68_from_mesh
from ..head.head import PARTS, Head
from ..head.morphable_model import REGIONS, HeadModel
from ..head.raster import DepthMap, barycentric, covered
from ..head.surface import Surface, vertex_normals
from ..head.view import View

SEEN_TOLERANCE_M = 0.006
"""A landmark is seen unless something lies so far before it: they lie on edges, where the pixel's centre
may show the next surface."""
HALF = 0.5
_HOLE_EDGES = 4


@dataclass(frozen=True)
class Layer:
    """One textured surface of the person, with V vertices and F polygons."""

    surface: Surface
    """As posed."""
    labels: NDArray[np.uint8]
    """(F,) what each polygon is, any numbering; 0 is kept for the ground."""
    see_through: bool
    """Whether the texture's alpha counts."""
    strength: NDArray[np.float32] | None = None
    """(V,) 0..1 by which alpha is multiplied: the fade of the bust; None: 1."""
    normals: NDArray[np.float32] | None = None
    """(V, 3) unit normals, head axes, where the surface's own are not meant; None: its own."""


@dataclass(frozen=True)
class Truth:
    """What one view of a person shows; S pixels a side."""

    depth: NDArray[np.float32]
    """(S, S) metres from the camera along its axis, +inf on the ground."""
    normals: NDArray[np.float32]
    """(S, S, 3) unit vectors in camera axes (a surface seen from inside is turned to the camera), 0 on the
    ground."""
    label: NDArray[np.uint8]
    """(S, S) the layers' labels, 0 on the ground."""
    uv: NDArray[np.float32]
    """(S, S, 2) texture coordinates in the layer's own texture, 0 on the ground."""
    layer: NDArray[np.int16]
    """(S, S) which of the layers, -1 on the ground."""


@dataclass(frozen=True)
class LandmarkTruth:
    """Where a view shows the landmarks."""

    points468: NDArray[np.float32]
    """(468, 2) pixels, x right, y down."""
    points68: NDArray[np.float32]
    """(68, 2) the same."""
    seen468: NDArray[np.bool_]
    """(468,) whether nothing hides the point, and it lies in the picture."""
    pose: NDArray[np.float32]
    """(3,) degrees: yaw, pitch, roll of the head in camera axes. Beyond a quarter turn, that convention tells
    the same rotation by a yaw below 90 with pitch and roll beyond it."""


def look(layers: Sequence[Layer], view: View) -> Truth:
    """Draw the layers as a view sees them."""
    size = view.size
    soups = [_Soup(layer, view) for layer in layers]
    fragments = _Fragments.join([soup.fragments(number) for number, soup in enumerate(soups)])
    order = np.lexsort((fragments.depth, fragments.pixel))
    pixel = fragments.pixel[order]
    first = np.r_[True, pixel[1:] != pixel[:-1]] if len(pixel) else np.zeros(0, dtype=bool)
    passing = np.log1p(-np.clip(fragments.alpha[order].astype(np.float64), 0.0, 1.0 - 1e-6))
    total = np.cumsum(passing)
    start = np.maximum.accumulate(np.where(first, np.arange(len(pixel)), 0))
    behind = total - (total - passing)[start]  # log of what passes through all up to this one
    dense = np.flatnonzero(behind <= np.log(HALF) + 1e-9)
    shown, where = np.unique(pixel[dense], return_index=True)
    chosen = order[dense[where]]

    depth = np.full(size * size, np.inf, dtype=np.float32)
    normals = np.zeros((size * size, 3), dtype=np.float32)
    label = np.zeros(size * size, dtype=np.uint8)
    uv = np.zeros((size * size, 2), dtype=np.float32)
    layer = np.full(size * size, -1, dtype=np.int16)
    depth[shown] = fragments.depth[chosen]
    layer[shown] = fragments.layer[chosen]
    for number, soup in enumerate(soups):
        mine = layer[shown] == number
        at, these = shown[mine], chosen[mine]
        normals[at], label[at], uv[at] = soup.surface(fragments.triangle[these], fragments.weights[these])
    return Truth(
        depth.reshape(size, size),
        normals.reshape(size, size, 3),
        label.reshape(size, size),
        uv.reshape(size, size, 2),
        layer.reshape(size, size),
    )


def head_layer(head: Head, labels: NDArray[np.uint8]) -> Layer:
    """The head itself, as posed, with these (F,) labels of its polygons; of its texture's alpha only that
    of the lashes matters, and the fade counts squared, as in the materials."""
    return Layer(head.posed(), labels, head.has_alpha, np.asarray(head.fade**2))


def polygon_regions(model: HeadModel, labels: Sequence[str]) -> NDArray[np.uint8]:
    """(F,) for each polygon of the model the index, in ``labels``, of its part or, on the skin, of the region
    that holds most of it: names are those of ``PARTS`` and ``REGIONS``, with blanks for underscores."""
    corners = np.maximum(model.polygons, 0)
    regions = model.regions.copy()
    regions[REGIONS.index("face")] = _closed(model, model.region("face"))
    held = regions[:, corners]
    held = np.where(model.polygons[None] >= 0, held, np.nan)
    share = np.nanmean(held, axis=2)
    # The smaller a region, the more it says: "face" only where nothing inside it does.
    preferred = [name for name in REGIONS if name != "face"]
    rows = np.stack([share[REGIONS.index(name)] for name in preferred])
    best = rows.argmax(axis=0)
    number = np.array([labels.index(name.replace("_", " ")) for name in preferred])
    face = np.where(share[REGIONS.index("face")] > HALF, labels.index("face"), labels.index("skin"))
    result = np.where(rows.max(axis=0) > HALF, number[best], face)
    part = np.array([labels.index(name) for name in PARTS])[model.polygon_parts]
    return np.where(model.polygon_parts == PARTS.index("skin"), result, part).astype(np.uint8)


def _closed(model: HeadModel, region: NDArray[np.floating]) -> NDArray[np.float32]:
    """(V,) a region made symmetric and without holes up to some edges wide: the model's face, which was made
    for matching shapes, has some where foreheads and cheeks say little."""
    field = np.maximum(region, region[model.mirror]).astype(np.float32)
    i, j = model.edges.T
    for spread in (np.maximum, np.minimum):
        for _ in range(_HOLE_EDGES):
            grown = field.copy()
            spread.at(grown, i, field[j])
            spread.at(grown, j, field[i])
            field = grown
    return field


def landmarks_in(model: HeadModel, posed: NDArray[np.floating], view: View, depth: NDArray) -> LandmarkTruth:
    """The landmarks of a head with (V, 3) posed vertices in a view with this (S, S) depth."""
    points = view.to_camera(model.landmarks(posed))
    xy = view.camera.project(points)
    # The 68 are read off the mesh in pixels and depth, as from a photo.
    mesh = np.concatenate([xy, -points[:, 2:] * view.camera.focal / -view.translation[2]], axis=1)
    inside = ((xy >= 0) & (xy < view.size)).all(axis=1)
    seen = inside & ~DepthMap(depth).hides(xy, -points[:, 2], SEEN_TOLERANCE_M)
    # A point on the far side of the outline may project on to the ground: it faces away.
    normal = model.normals(posed) @ view.rotation.T
    facing = np.einsum("lc,lcd->ld", model.landmarks468_weights, normal[model.landmarks468])
    seen &= np.einsum("ld,ld->l", facing, -points) > 0
    return LandmarkTruth(
        xy.astype(np.float32),
        np.asarray(landmarks68_from_mesh(mesh), dtype=np.float32),
        seen,
        np.array(angles_from_rotation(view.rotation), dtype=np.float32),
    )


@dataclass(frozen=True)
class _Fragments:
    """Every place where a triangle covers a pixel's centre."""

    pixel: NDArray[np.intp]
    depth: NDArray[np.float32]
    alpha: NDArray[np.float32]
    triangle: NDArray[np.intp]
    weights: NDArray[np.float32]
    layer: NDArray[np.int16]

    @classmethod
    def join(cls, parts: Sequence[_Fragments]) -> _Fragments:
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("pixel", "depth", "alpha", "triangle", "weights", "layer")
            )
        )


class _Soup:
    """A layer as triangles before a view."""

    def __init__(self, layer: Layer, view: View) -> None:
        triangles = layer.surface.triangles
        self._layer, self._size = layer, view.size
        at = view.to_camera(layer.surface.vertices)
        self._own = layer.normals is None
        self._normals = (
            vertex_normals(at, triangles)
            if layer.normals is None
            else np.asarray(layer.normals @ view.rotation.T.astype(np.float32), dtype=np.float32)
        )
        self._uv = layer.surface.triangle_uvs
        self._triangles = triangles
        self._xy = view.camera.project(at)[triangles]
        self._depth = -at[triangles][..., 2]
        self._at = at

    def fragments(self, number: int) -> _Fragments:
        found = list(covered(self._xy, self._size, self._size))
        if not found:
            none = np.zeros(0)
            return _Fragments(
                none.astype(np.intp), none.astype(np.float32), none.astype(np.float32), none.astype(np.intp),
                np.zeros((0, 3), dtype=np.float32), none.astype(np.int16),
            )  # fmt: skip
        triangle, pixel, x, y = (np.concatenate([part[i] for part in found]) for i in range(4))
        flat = barycentric(self._xy, triangle, np.stack([x, y], axis=1))
        # Even steps in the picture are uneven ones on a slanted surface: weights over depth are even.
        weights = flat / self._depth[triangle]
        depth = 1.0 / weights.sum(axis=1)
        weights *= depth[:, None]
        return _Fragments(
            pixel,
            depth.astype(np.float32),
            self._alpha(triangle, weights),
            triangle,
            weights.astype(np.float32),
            np.full(len(pixel), number, dtype=np.int16),
        )

    def _alpha(self, triangle: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        alpha = np.ones(len(triangle), dtype=np.float32)
        layer = self._layer
        if layer.see_through:
            whole = np.ascontiguousarray(layer.surface.texture[..., 3])
            picture = _smaller(whole, self._texels_a_pixel(whole.shape))
            rows, columns = picture.shape
            uv = np.einsum("nc,ncd->nd", weights, self._uv[triangle])
            column = np.clip((uv[:, 0] * columns).astype(int), 0, columns - 1)
            row = np.clip(((1.0 - uv[:, 1]) * rows).astype(int), 0, rows - 1)
            alpha *= picture[row, column].astype(np.float32) / np.float32(255.0)
        if layer.strength is not None:
            alpha *= np.einsum("nc,nc->n", weights, layer.strength[self._triangles[triangle]])
        return alpha

    def _texels_a_pixel(self, shape: tuple[int, ...]) -> float:
        """How many texels of this layer a pixel spans, in its median triangle."""
        texture = _areas(self._uv) * shape[0] * shape[1]
        picture = _areas(self._xy)
        told = (texture > 0) & (picture > 0)
        return float(np.sqrt(np.median(texture[told] / picture[told]))) if told.any() else 1.0

    def surface(
        self, triangle: NDArray[np.intp], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
        corners = self._triangles[triangle]
        normal = np.einsum("nc,ncd->nd", weights, self._normals[corners])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        normal /= np.maximum(length, 1e-12)
        if self._own:
            # The surface's own side, not the smooth normal's, decides which side is seen.
            a, b, c = (self._at[corners[:, i]] for i in range(3))
            inside = np.einsum("nd,nd->n", np.cross(b - a, c - a), a) > 0
            normal[inside] *= -1.0
        uv = np.einsum("nc,ncd->nd", weights, self._uv[triangle])
        return (
            normal.astype(np.float32),
            self._layer.labels[self._layer.surface.triangle_polygon[triangle]],
            uv.astype(np.float32),
        )


def _areas(corners: NDArray[np.floating]) -> NDArray[np.float64]:
    a = np.asarray(corners[:, 1] - corners[:, 0], dtype=np.float64)
    b = np.asarray(corners[:, 2] - corners[:, 0], dtype=np.float64)
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2.0


def _smaller(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """A picture averaged down so that a texel is about a pixel; strands finer than that count by their
    share, as they do in a render."""
    if factor < 1.5:
        return picture
    rows, columns = picture.shape
    width, height = max(1, round(columns / factor)), max(1, round(rows / factor))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Project the photo on to the head's texture: what the camera saw, and how well.

Each texel knows its place on the fitted head; the photo's camera says which pixel it is. It counts as
far as the camera saw it: nearest in the z-buffer, facing the camera, inside the person mask. Between the lips
the photo itself says what it shows: teeth take teeth, tongue and the inside of the mouth take nothing, and
skin nothing from there. Nothing is invented here; :mod:`.fill` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .fitting import HeadFit
from .head import PARTS
from .membrane import smoothstep
from .morphable_model import HeadModel
from .mouth import off_the_lips, teeth_seen
from .raster import DepthMap, barycentric, pixel_centres, rasterize

DEFAULT_SIZE = 2048

_DEPTH_BUFFER_SIDE = 900  # pixels across the head: a millimetre is about three
_DEPTH_TOLERANCE_M = 0.0022
_EYE_TOLERANCE_M = 0.0012  # lids lie close to the eyeball
_FACING_FROM, _FACING_FULL = 0.20, 0.58  # cosine of the viewing angle: unseen below, fully seen above
_MASK_EROSION = 0.020  # of the height of the face: keeps the ground out
_TEXELS_AT_A_TIME = 1 << 18


@dataclass(frozen=True)
class BakedPhoto:
    """A photo in texture space."""

    colour: NDArray[np.float32]
    """(S, S, 3) sRGB 0..1, first row at v = 1; meaningless where ``seen`` is 0."""
    seen: NDArray[np.float32]
    """(S, S) how well the camera saw the texel, 0..1."""


@dataclass(frozen=True)
class Texels:
    """Where each texel of the layout lies on the mesh: fixed for a model and a size. N texels lie on
    islands, in rising order.
    """

    size: int
    texel: NDArray[np.int32]
    """(N,) flat index into the (S, S) texture."""
    triangle: NDArray[np.int32]
    """(N,) the triangle under it."""
    weights: NDArray[np.float32]
    """(N, 3) barycentric weights of the triangle's corners."""
    uv_pixels: NDArray[np.float64]
    """(T, 3, 2) the triangles' corners in texels, x right, y down."""

    def chunks(self) -> Iterator[slice]:
        """Slices over the N texels, small enough to work on in memory."""
        for start in range(0, len(self.texel), _TEXELS_AT_A_TIME):
            yield slice(start, start + _TEXELS_AT_A_TIME)

    def interpolate(
        self,
        model: HeadModel,
        values: NDArray[np.floating],
        chunk: slice | NDArray[np.intp] = slice(None),
    ) -> NDArray[np.float32]:
        """(N,) or (N, C): a (V,) or (V, C) field on the vertices, read at the texels, or at some of them."""
        field = np.asarray(values, dtype=np.float32)
        triangle, weights = self.triangle[chunk], self.weights[chunk]
        # One corner after the other: several times as fast as fancy indexing of rows of three.
        result = np.zeros((len(triangle), *field.shape[1:]), dtype=np.float32)
        for corner, weight in zip(model.triangles.T, weights.T, strict=True):
            read = np.take(np.take(field, corner, axis=0), triangle, axis=0)
            read *= weight.reshape(-1, *[1] * (field.ndim - 1))
            result += read
        return result

    def picture(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(S, S) or (S, S, C): values at the texels as a picture, 0 outside the islands."""
        result = np.zeros((self.size * self.size, *values.shape[1:]), dtype=np.float32)
        result[self.texel] = values
        return result.reshape(self.size, self.size, *values.shape[1:])

    def of_part(self, model: HeadModel, name: str) -> NDArray[np.intp]:
        """(M,) which of the N texels show this one of :data:`.head.PARTS`."""
        shown = model.polygon_parts[model.triangle_polygon] == PARTS.index(name)
        return np.flatnonzero(shown[self.triangle])

    def draw(self, model: HeadModel, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(S, S) or (S, S, C) picture of a field on the vertices."""
        return self.picture(self.interpolate(model, values))


def texels(model: HeadModel, size: int = DEFAULT_SIZE) -> Texels:
    """The :class:`Texels` of a model's layout at ``size`` pixels a side."""
    uv = model.triangle_uvs.astype(np.float64)
    xy = np.stack([uv[..., 0] * size, (1.0 - uv[..., 1]) * size], axis=-1)
    texel, triangle, centre = pixel_centres(rasterize(xy, None, size, size))
    weights = np.concatenate(
        [
            barycentric(xy, triangle[part], centre[part]).astype(np.float32)
            for part in (slice(i, i + _TEXELS_AT_A_TIME) for i in range(0, len(texel), _TEXELS_AT_A_TIME))
        ]
    )
    return Texels(size, texel.astype(np.int32), triangle, np.clip(weights, 0.0, 1.0), xy)


def bake_photo(
    model: HeadModel,
    fit: HeadFit,
    layout: Texels,
    pixels: NDArray[np.uint8],
    person: NDArray[np.floating],
    mirrored: bool = False,
    progress: Progress = silent,
) -> BakedPhoto:
    """Project a photo on to the texture.

    Args:
        model: the morphable model.
        fit: the head as it stood before the photo's camera.
        layout: from :func:`texels`.
        pixels: (H, W, 3) uint8 sRGB.
        person: (H, W) 0..1, 1 on the person.
        mirrored: take each texel's colour from the opposite place of the face.
        progress: told 0..1.

    Returns:
        The :class:`BakedPhoto`.
    """
    posed = fit.posed(model)
    at = fit.to_camera(posed)
    normals = model.normals(at)
    visible = _Visibility(model, fit, at, [part for part in PARTS if part != "lashes"])
    visible_teeth = _Visibility(model, fit, at, ["teeth"])
    height, width = pixels.shape[:2]
    between, teeth = off_the_lips(fit, height, width), teeth_seen(model, fit, pixels)
    inside_mouth = model.region("mouth_inside")
    source, factor = _at_texel_resolution(pixels, fit, model, at, layout)
    sure = _eroded(person, _face_size(fit, model, at))
    if mirrored:
        at, normals = at[model.mirror], normals[model.mirror]
    colour = np.zeros((len(layout.texel), 3), dtype=np.float32)
    seen = np.zeros(len(layout.texel), dtype=np.float32)
    triangle_part = model.polygon_parts[model.triangle_polygon]
    for chunk in layout.chunks():
        part = triangle_part[layout.triangle[chunk]]
        point = layout.interpolate(model, at, chunk).astype(np.float64)
        normal = layout.interpolate(model, normals, chunk)
        toward = -point / np.linalg.norm(point, axis=1, keepdims=True)
        facing = np.einsum("nd,nd->n", normal, toward)
        facing /= np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
        place = fit.camera.project(point)
        tolerance = np.where(part == PARTS.index("eyes"), _EYE_TOLERANCE_M, _DEPTH_TOLERANCE_M)
        weight = _ramp(facing, _FACING_FROM, _FACING_FULL)
        on_teeth = part == PARTS.index("teeth")
        shown = visible.at(place, -point[:, 2], tolerance, facing)
        shown *= 1.0 - np.clip(sample_picture(between, place), 0.0, 1.0)
        shown *= 1.0 - layout.interpolate(model, inside_mouth, chunk)
        at_teeth = place[on_teeth], -point[on_teeth, 2], tolerance[on_teeth], facing[on_teeth]
        shown[on_teeth] = visible_teeth.at(*at_teeth) * sample_picture(teeth, place[on_teeth])
        weight *= shown
        nothing = np.isin(part, [PARTS.index("lashes"), PARTS.index("tongue")])
        weight *= np.where(nothing, 0.0, sample_picture(sure, place))
        colour[chunk] = sample_picture(source, place * factor, cv2.BORDER_REPLICATE)
        seen[chunk] = weight
        progress(min(1.0, chunk.stop / len(layout.texel)))
    return BakedPhoto(layout.picture(np.clip(colour, 0.0, 1.0)), layout.picture(np.clip(seen, 0.0, 1.0)))


class _Visibility:
    """What the photo's camera sees of the head."""

    def __init__(self, model: HeadModel, fit: HeadFit, at: NDArray[np.float64], parts: Sequence[str]) -> None:
        """Of these of :data:`.head.PARTS`, where (V, 3) vertices lie in camera axes."""
        xy = fit.camera.project(at)
        drawn = [PARTS.index(part) for part in parts]
        solid = np.isin(model.polygon_parts[model.triangle_polygon], drawn)
        triangles = model.triangles[solid]
        self._map = DepthMap.of_triangles(xy[triangles], -at[triangles][..., 2], _DEPTH_BUFFER_SIDE, xy)
        self._pixel_metres = float(-at[:, 2].mean()) / (fit.camera.focal * self._map.scale)

    def at(
        self,
        place: NDArray[np.float64],
        depth: NDArray[np.float64],
        tolerance: NDArray[np.float64],
        facing: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(N,) 1 where nothing lies more than the tolerance before the point, softly down to 0.

        Half a buffer pixel of a slanted surface is allowed for.
        """
        nearest = self._map.nearest(place)
        slant = np.sqrt(np.maximum(0.0, 1 - facing**2)) / np.maximum(facing, 0.15)
        allowed = tolerance + self._pixel_metres * slant
        behind = np.where(np.isfinite(nearest), depth - nearest, 0.0)
        return np.asarray(_ramp(-behind, -2.0 * allowed, -allowed))


def _at_texel_resolution(
    pixels: NDArray[np.uint8], fit: HeadFit, model: HeadModel, at: NDArray[np.float64], layout: Texels
) -> tuple[NDArray[np.float32], float]:
    """The photo, averaged down where it has more pixels than the texture, and its scale.

    Area averaging first keeps fine detail (hair, pores) from aliasing.
    """
    face = model.region("face")[model.triangles].min(axis=1) > 0.5
    photo = fit.camera.project(at)[model.triangles[face]]
    texture = layout.uv_pixels[face]
    ratio = float(np.sqrt(_areas(photo).sum() / max(_areas(texture).sum(), 1e-9)))
    factor = min(1.0, 1.0 / max(ratio, 1e-6))
    if factor > 0.8:
        return pixels.astype(np.float32) / np.float32(255.0), 1.0
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    factor = (small.shape[1] / width + small.shape[0] / height) / 2.0
    return small.astype(np.float32) / np.float32(255.0), factor


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2.0


def _face_size(fit: HeadFit, model: HeadModel, at: NDArray[np.float64]) -> float:
    """Height of the face in pixels."""
    xy = fit.camera.project(at[model.region("face") > 0.5])
    return float(np.ptp(xy[:, 1]))


def _eroded(person: NDArray[np.floating], face_size: float) -> NDArray[np.float32]:
    """The mask drawn in by a little and softened, so that no ground reaches the head."""
    steps = max(1, round(_MASK_EROSION * face_size))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * steps + 1, 2 * steps + 1))
    hard = np.asarray(person, dtype=np.float32)
    # The picture's own border is no edge of the person.
    drawn_in = cv2.erode(hard, kernel, borderType=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(drawn_in, (0, 0), max(0.6, 0.5 * steps), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(_ramp(soft, 0.5, 0.95), dtype=np.float32)


def _ramp(
    x: NDArray[Any], low: NDArray[np.floating] | float, high: NDArray[np.floating] | float
) -> NDArray[np.float64]:
    """Smooth step from 0 at low to 1 at high."""
    return smoothstep((x - low) / (np.asarray(high) - low))


def sample_picture(
    picture: NDArray[np.float32], place: NDArray[np.float64], border: int = cv2.BORDER_CONSTANT
) -> NDArray[np.float32]:
    """(N,) or (N, C) bicubic samples of a picture at (N, 2) pixels; outside it 0, or as
    OpenCV's ``border`` says."""
    columns = 1024
    count = len(place)
    rows = max(1, -(-count // columns))
    padded = np.full((rows * columns, 2), -1e4, dtype=np.float32)
    padded[:count] = place - 0.5
    grid = padded.reshape(rows, columns, 2)
    found = cv2.remap(picture, grid[..., 0], grid[..., 1], cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(found.reshape(rows * columns, *picture.shape[2:])[:count])

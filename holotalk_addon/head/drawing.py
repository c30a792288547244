# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain pictures of a head without Blender: the z-buffer of :mod:`.raster`, unlit.

For what is looked at by networks and measures rather than people: the template person's snapshots, and the
views of completed heads that are compared with true ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .completion import HeadTexture, SeenHead
from .head import PARTS, Hair
from .morphable_model import HeadModel
from .raster import barycentric, pixel_centres, rasterize
from .view import View

_SAMPLES = 2
"""Samples a pixel, along each side."""
_FADE = 0.95  # brightness below which the bust fades
_TOUCHING_M = 0.0005
"""Hair that lies on the skin is before it."""


@dataclass(frozen=True)
class DrawnHead:
    """Which place of the head's surface each sample of a view shows. N samples lie on the head."""

    size: int
    """Pixels of the picture's side."""
    sample: NDArray[np.int64]
    """(N,) flat index into the (size * 2) squared samples."""
    triangle: NDArray[np.int32]
    """(N,)"""
    weights: NDArray[np.float64]
    """(N, 3) barycentric."""

    @property
    def samples(self) -> int:
        """Along each side of the picture."""
        return self.size * _SAMPLES

    def cover(self) -> NDArray[np.float32]:
        """(size, size) 0..1: how much of each pixel the head covers."""
        return self._pixels(np.ones((len(self.sample), 1), dtype=np.float32))[..., 0]

    def field(self, model: HeadModel, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(size, size, C): a (V, C) field on the vertices; 0 off the head."""
        return self._pixels(self.at(model, values).astype(np.float32))

    def texture(
        self, model: HeadModel, picture: NDArray[np.floating] | NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """(size, size, C): an (S, S, C) picture in the head's texture coordinates; 0 off the head.

        Bytes come out as 0..1.
        """
        return self._pixels(self.sampled(model, picture))

    def sampled(
        self, model: HeadModel, picture: NDArray[np.floating] | NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """(N, C): the same, sample by sample."""
        uv = np.einsum("nc,ncd->nd", self.weights, model.triangle_uvs[self.triangle].astype(np.float64))
        side = picture.shape[0]
        # Averaged down to what the view resolves, so that fine detail does not turn to noise.
        wanted = max(64, 2 ** int(np.ceil(np.log2(6.0 * self.size))))
        small: NDArray[Any] = picture
        if wanted < side:
            resized = cv2.resize(small, (wanted, wanted), interpolation=cv2.INTER_AREA)
            small = resized.reshape(wanted, wanted, -1)
            side = wanted
        x = np.clip((uv[:, 0] * side).astype(int), 0, side - 1)
        y = np.clip(((1.0 - uv[:, 1]) * side).astype(int), 0, side - 1)
        found = small[y, x].astype(np.float32)
        return found / np.float32(255.0) if small.dtype == np.uint8 else found

    def at(self, model: HeadModel, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, C): a (V, C) field on the vertices, sample by sample."""
        corners = np.asarray(values, dtype=np.float64)[model.triangles[self.triangle]]
        return np.asarray(np.einsum("nc,ncd->nd", self.weights, corners))

    def _pixels(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return _averaged(self.size, self.sample, values)


@dataclass(frozen=True)
class DrawnHair:
    """What a view shows of the hair: its samples, N of them."""

    sample: NDArray[np.int64]
    """(N,) flat index into the samples, as :attr:`DrawnHead.sample`."""
    points: NDArray[np.float64]
    """(N, 3) metres, head axes."""
    texel: NDArray[np.int64]
    """(N,) flat index into the texture."""
    texture: NDArray[np.uint8]
    """(H, W, 4) sRGB and alpha: the hair's own, or another in its place."""

    def rgba(self) -> NDArray[np.float32]:
        """(N, 4) premultiplied sRGB and alpha, 0..1."""
        found = self.texture.reshape(-1, 4)[self.texel].astype(np.float32) / np.float32(255.0)
        found[:, :3] *= found[:, 3:]
        return found


@dataclass(frozen=True)
class DrawnPerson:
    """What a view shows of a head and of the hair on it."""

    model: HeadModel
    head: DrawnHead
    hair: DrawnHair | None

    def hair_cover(self) -> NDArray[np.float32]:
        """(size, size) 0..1: how much of each pixel hair hides."""
        if self.hair is None:
            return np.zeros((self.head.size, self.head.size), dtype=np.float32)
        return _averaged(self.head.size, self.hair.sample, self.hair.rgba()[:, 3:])[..., 0]

    def cover(self) -> NDArray[np.float32]:
        """(size, size) 0..1: how much of each pixel is head or hair."""
        ones = np.ones((len(self.head.sample), 1), dtype=np.float32)
        return self._together(ones, None if self.hair is None else self.hair.rgba()[:, 3:])[..., 0]

    def fade(self) -> NDArray[np.float32]:
        """(size, size) 0..1: how bright the bust is, times how much of the pixel the head covers."""
        return self.head.field(self.model, self.model.fade[:, None])[..., 0]

    def ends(self) -> NDArray[np.bool_]:
        """(size, size) where the bust fades out, or begins to."""
        cover = self.head.cover()
        return (cover > 0) & (self.fade() < _FADE * cover)

    def picture(self, texture: HeadTexture) -> NDArray[np.float32]:
        """(size, size, 3) sRGB 0..1 on black: in this texture, with its hair if it has any."""
        skin = self.head.sampled(self.model, texture.pixels)[:, :3]
        skin = skin * self.head.at(self.model, self.model.fade[:, None]).astype(np.float32)
        if texture.hair is None or self.hair is None:
            return np.clip(self._together(skin, None), 0.0, 1.0)
        hair = replace(self.hair, texture=texture.hair.texture).rgba()
        return np.clip(self._together(skin, hair[:, :3]), 0.0, 1.0)

    def seen(self, skin: NDArray[np.float32], hair: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(size, size) 0..1: how much of each pixel the photo showed; 0 off the head.

        Args:
            skin: (S, S) how much of each texel of the head it showed.
            hair: (H, W) the same of the hair's.
        """
        shown = self.head.sampled(self.model, skin[..., None])
        if self.hair is None or hair is None:
            return self._together(shown, None)[..., 0]
        on_hair = hair.ravel()[self.hair.texel] * self.hair.rgba()[:, 3]
        return self._together(shown, on_hair[:, None])[..., 0]

    def _together(self, head: NDArray[np.float32], hair: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(size, size, C) of (N, C) values at the head's samples, and (M, C) ones, times alpha, at the
        hair's, which lets the head's shine through.
        """
        samples = np.zeros((self.head.samples**2, head.shape[1]), dtype=np.float32)
        samples[self.head.sample] = head
        if hair is not None and self.hair is not None:
            samples[self.hair.sample] *= 1.0 - self.hair.rgba()[:, 3:]
            samples[self.hair.sample] += hair
        return _means(self.head.size, samples)


def draw_person(model: HeadModel, posed: NDArray[np.floating], hair: Hair | None, view: View) -> DrawnPerson:
    """Find what a view shows of a head with these (V, 3) posed vertices, and of the hair on it; metres, head
    axes.
    """
    head = draw_head(model, posed, view)
    return DrawnPerson(model, head, None if hair is None else draw_hair(model, posed, hair, view))


def draw_fitted(seen_head: SeenHead, views: Sequence[View]) -> tuple[DrawnPerson, ...]:
    """What each view shows of a fitted head, posed as in the photo, and of its hair."""
    posed = seen_head.fit.posed(seen_head.model)
    return tuple(draw_person(seen_head.model, posed, seen_head.grown, view) for view in views)


def _averaged(size: int, sample: NDArray[np.integer], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(size, size, C) picture of (N, C) values at samples; 0 at all others."""
    picture = np.zeros(((size * _SAMPLES) ** 2, values.shape[1]), dtype=np.float32)
    picture[sample] = values
    return _means(size, picture)


def _means(size: int, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(size, size, C) the mean of each pixel's samples, of all (size * size * 4, C) of them."""
    return np.asarray(samples.reshape(size, _SAMPLES, size, _SAMPLES, -1).mean(axis=(1, 3)))


def surface(posed: NDArray[np.floating], drawn: DrawnPerson) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The places that a view of head and hair shows: (N,) flat index of the pixel, and (N, 3) metres, head
    axes, of each sample's place; hair where it hides more than it lets through.

    Args:
        posed: (V, 3) vertices that the head was drawn of, metres in head axes.
        drawn: from :func:`draw_person`.
    """
    head, hair = drawn.head, drawn.hair
    side = head.size * _SAMPLES
    places = np.full((side**2, 3), np.nan)
    places[head.sample] = head.at(drawn.model, posed)
    if hair is not None:
        hides = hair.rgba()[:, 3] > 0.5
        places[hair.sample[hides]] = hair.points[hides]
    sample = np.flatnonzero(np.isfinite(places[:, 0]))
    row, column = sample // side // _SAMPLES, sample % side // _SAMPLES
    return row * head.size + column, places[sample]


def draw_hair(model: HeadModel, posed: NDArray[np.floating], hair: Hair, view: View) -> DrawnHair:
    """Find what a view shows of the hair.

    Args:
        model: the morphable model.
        posed: (V, 3) vertices of the head under it, metres in head axes.
        hair: in the same place.
        view: the view.
    """
    fine = _fine(view)
    side = fine.size
    head = fine.to_camera(posed)[model.triangles[_solid(model)]]
    nearest = rasterize(fine.camera.project(head), -head[..., 2], side, side).depth
    at = fine.to_camera(hair.vertices)[hair.triangles]
    xy = fine.camera.project(at)
    a, b = xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0]
    outside = np.flatnonzero(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0)  # y runs down: the outside faces us
    raster = rasterize(xy[outside], -at[outside, :, 2], side, side)
    sample, local, centre = pixel_centres(raster)
    shown = raster.depth.ravel()[sample] < nearest.ravel()[sample] + _TOUCHING_M
    sample, triangle, centre = sample[shown], outside[local[shown]], centre[shown]
    weights = barycentric(xy, triangle.astype(np.int32), centre)
    uv = np.einsum("nc,ncd->nd", weights, hair.triangle_uvs[triangle].astype(float))
    rows, columns = hair.texture.shape[:2]
    row = np.clip(((1.0 - uv[:, 1]) * rows).astype(int), 0, rows - 1)
    column = (uv[:, 0] * columns).astype(int) % columns
    points = np.einsum("nc,ncd->nd", weights, hair.vertices[hair.triangles[triangle]].astype(float))
    return DrawnHair(sample, points, row * columns + column, hair.texture)


def _fine(view: View) -> View:
    """The same view with the samples for pixels."""
    camera = view.camera
    finer = Camera(camera.focal * _SAMPLES, camera.centre_x * _SAMPLES, camera.centre_y * _SAMPLES)
    return replace(view, size=view.size * _SAMPLES, camera=finer)


def _solid(model: HeadModel) -> NDArray[np.int32]:
    """The triangles without the lashes, which are hairs on transparent ground."""
    solid = model.polygon_parts[model.triangle_polygon] != PARTS.index("lashes")
    return np.flatnonzero(solid).astype(np.int32)


def draw_head(model: HeadModel, posed: NDArray[np.floating], view: View) -> DrawnHead:
    """Find what a view shows of a head with these (V, 3) posed vertices, metres in head axes.

    Lashes are left out: they are hairs on transparent ground.
    """
    fine = _fine(view)
    index = _solid(model)
    at = fine.to_camera(posed)
    xy = fine.camera.project(at)[model.triangles]
    side = fine.size
    raster = rasterize(xy[index], -at[model.triangles[index]][..., 2], side, side)
    sample, local, centre = pixel_centres(raster)
    triangle = index[local]
    return DrawnHead(view.size, sample, triangle, barycentric(xy, triangle, centre))

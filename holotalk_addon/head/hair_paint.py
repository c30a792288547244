# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture of hair: the photo where it shows it, the same mirrored, and the person's hair colour with a
grain of strands for the rest. Its alpha is where hair is, with strands at the edges.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .completion import CompletionInput
from .fill import padded
from .hair import luminance
from .hair_mask import SIDE, HairMask
from .hair_rays import Rays, around
from .raster import rasterize
from .texture import sample_picture

_ROWS, _COLUMNS = 512, 1024
_FACING_FROM, _FACING_FULL = 0.3, 0.6  # near the outline the photo shows shadow, and a little ground
_EDGE = 0.42, 0.58  # of the cover: from clear to solid
_FRAY = 0.10  # how far single strands reach over the edge, in the same measure
_GRAIN = 0.10  # contrast of filled hair
_STRAND_TEXELS = 1.3, 24.0
_TYPICAL = 0.2, 0.6  # quantiles of light between which hair has its colour: no gloss, no skin
_FEWEST = 100  # texels that tell the hair's colour
_FADES_OVER = 0.06  # of the way around the head: how far colours seen at the border reach
_TEXELS_A_METRE = 1600.0  # around a head
_DEPTH_SIDE = 600
_DEPTH_TOLERANCE_M = 0.006


def hair_texture(
    given: CompletionInput,
    rays: Rays,
    radius: NDArray[np.float64],
    cover: NDArray[np.float64],
    mask: HairMask,
) -> NDArray[np.uint8]:
    """(512, 1024, 4) sRGB and alpha over the rays: rows as theirs, columns as theirs.

    Args:
        given: the photo and the fitted head.
        rays: the rays.
        radius: (R, C) metres: where the hair's surface is.
        cover: (R, C) 0..1 how surely there is hair.
        mask: which pixels show hair.
    """
    colour, seen = _seen(given, rays, radius, mask)
    mirrored = (1 - seen) * seen[:, ::-1]
    known = seen + mirrored
    summed = colour * seen[..., None] + colour[:, ::-1] * mirrored[..., None]
    mixed = (summed / np.maximum(known, 1e-6)[..., None]).astype(np.float32)
    fine_cover = _fine(cover)
    rng = np.random.default_rng(5)
    white = rng.standard_normal((_ROWS, _COLUMNS)).astype(np.float32)
    across, along = _STRAND_TEXELS
    strands = around(lambda p: cv2.GaussianBlur(p, (0, 0), across, sigmaY=along), white)
    strands = np.clip(strands / strands.std(), -2, 2)
    usual = _typical(_hair_pixels(given, mask))
    filled = _filled(mixed, known, fine_cover, usual) * (1 + _GRAIN * strands)[..., None]
    trusted = np.clip(2 * known - 1, 0, 1)[..., None]
    picture = mixed * trusted + filled * (1 - trusted)
    low, high = _EDGE
    alpha = (fine_cover + _FRAY * strands - low) / (high - low)
    rgba = np.concatenate([picture, alpha[..., None]], axis=-1)
    return (np.clip(rgba, 0, 1) * 255 + 0.5).astype(np.uint8)


def _fine(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(512, 1024) a field on the rays, between them too."""
    tripled = np.concatenate([values] * 3, axis=1).astype(np.float32)
    wide = cv2.resize(tripled, (3 * _COLUMNS, _ROWS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide[:, _COLUMNS : 2 * _COLUMNS])


def _seen(
    given: CompletionInput, rays: Rays, radius: NDArray[np.float64], mask: HairMask
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(512, 1024, 3) what the photo shows at each texel, and (512, 1024) how well."""
    fit = given.fit
    points = rays.points(radius)
    at = np.stack([_fine(points[..., k]) for k in range(3)], axis=-1).astype(np.float64)
    around_head = np.roll(at, -1, axis=1) - np.roll(at, 1, axis=1)
    normal = np.cross(np.gradient(at, axis=0), around_head)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    camera = fit.to_camera(at.reshape(-1, 3))
    toward = -camera / np.linalg.norm(camera, axis=1, keepdims=True)
    facing = np.einsum("nd,nd->n", normal.reshape(-1, 3) @ fit.rotation.T, toward)
    place = fit.camera.project(camera)
    colour = _photo_at(given, mask, place)
    sure = np.asarray(cv2.erode(mask.hair, np.ones((3, 3))), dtype=np.float32)
    seen = mask.sample(sure, place) * np.clip((facing - _FACING_FROM) / (_FACING_FULL - _FACING_FROM), 0, 1)
    height, width = given.person.shape
    seen *= ((place > 1) & (place < [width - 1, height - 1])).all(axis=1)
    seen *= _in_front(given, rays, points, -camera[:, 2], place)
    shape = (_ROWS, _COLUMNS)
    return np.clip(colour, 0, 1).reshape(*shape, 3), np.clip(seen, 0, 1).astype(np.float32).reshape(shape)


def _photo_at(given: CompletionInput, mask: HairMask, place: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) 0..1: the photo at (N, 2) pixels, averaged down to the texture's own resolution first: fine hair
    would turn to noise.
    """
    height, width = given.pixels.shape[:2]
    low = np.clip(np.floor(mask.corner).astype(int), 0, [width - 2, height - 2])
    high = np.clip(np.ceil(mask.corner + SIDE / mask.scale).astype(int), low + 2, [width, height])
    cut = given.pixels[low[1] : high[1], low[0] : high[0]]
    factor = min(1.0, _TEXELS_A_METRE / (mask.metre / mask.scale))
    if factor < 0.8:
        cut = np.asarray(cv2.resize(cut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array(cut.shape[1::-1]) / (high - low)
    photo = cut.astype(np.float32) / np.float32(255.0)
    return sample_picture(photo, (place - low) * scale, cv2.BORDER_REPLICATE)


def _in_front(
    given: CompletionInput,
    rays: Rays,
    points: NDArray[np.float64],
    depth: NDArray[np.float64],
    place: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(N,) whether neither head nor other hair lies before the points at these depths (m) and pixels."""
    model, fit = given.model, given.fit
    rows, columns = rays.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    upper = np.stack([index[:-1], right[1:], right[:-1]], axis=-1).reshape(-1, 3)
    lower = np.stack([index[:-1], index[1:], right[1:]], axis=-1).reshape(-1, 3)
    hair = fit.to_camera(points.reshape(-1, 3))[np.concatenate([upper, lower])]
    corners = np.concatenate([fit.to_camera(fit.posed(model))[model.triangles], hair])
    pixels = fit.camera.project(corners)
    low = pixels.min(axis=(0, 1))
    scale = _DEPTH_SIDE / float((pixels.max(axis=(0, 1)) - low).max())
    size = _DEPTH_SIDE + 2
    nearest = rasterize((pixels - low) * scale + 1, -corners[..., 2], size, size).depth
    cell = np.clip(((place - low) * scale + 1).astype(np.intp), 0, size - 1)
    return np.asarray(depth < nearest[cell[:, 1], cell[:, 0]] + _DEPTH_TOLERANCE_M)


def _filled(
    colour: NDArray[np.float32],
    known: NDArray[np.float32],
    cover: NDArray[np.float32],
    usual: NDArray[np.float64],
) -> NDArray[np.float32]:
    """(512, 1024, 3) colours for what nothing shows: those at the border, turning to the hair's own, or to
    the ``usual`` one where next to nothing was seen.
    """
    wide_known = np.concatenate([known, known, known], axis=1) > 0.5
    sample = colour[(known > 0.6) & (cover > 0.5)]
    if len(sample) < _FEWEST:
        return np.broadcast_to(usual.astype(np.float32), colour.shape)
    filled = np.asarray(around(lambda p: padded(p, wide_known), colour), dtype=np.float32)
    unknown = (~wide_known).astype(np.uint8)
    distance = cv2.distanceTransform(unknown, cv2.DIST_L2, 3)[:, _COLUMNS : 2 * _COLUMNS]
    near = np.exp(-distance / (_FADES_OVER * _COLUMNS))[..., None]
    return np.asarray(filled * near + _typical(sample) * (1 - near), dtype=np.float32)


def _typical(sample: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3,) the mean of (N, 3) colours of middling light."""
    light = luminance(sample)
    low, high = np.quantile(light, _TYPICAL)
    return np.asarray(sample[(light >= low) & (light <= high)].mean(axis=0), dtype=np.float64)


def _hair_pixels(given: CompletionInput, mask: HairMask) -> NDArray[np.float32]:
    """(N, 3) 0..1: the photo's colours where it shows hair."""
    rows, columns = np.nonzero(mask.hair)
    place = (np.stack([columns, rows], axis=1) + 0.5) / mask.scale + mask.corner
    return _photo_at(given, mask, place)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets and tubes around the mean head, and cloth to cover them with."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .prop import Prop
from .space import Grid, Space

Points = NDArray[np.float64]

AROUND = 40
"""Places around the head or the neck."""
_FARTHEST_M = 0.34
_RAY_SAMPLES = 96
_CLOTH = 128


_RIM_AT = (0, 60, 90, 125, 180)
_RIMS = {"beanie": (0.046, 0.030, 0.006, -0.012, -0.030)}
_HIGH_RIM = (0.058, 0.050, 0.036, 0.022, 0.012)


def hat_rim(headwear: str, azimuth: NDArray[np.floating]) -> NDArray[np.float64]:
    """(...) height (m) of a hat's rim around the mean head at (...) radians from the front."""
    degrees = np.abs(np.degrees(np.arctan2(np.sin(azimuth), np.cos(azimuth))))
    return np.interp(degrees, _RIM_AT, _RIMS.get(headwear, _HIGH_RIM))


def reach(space: Space, centre: NDArray[np.floating], ways: Points, offset: NDArray[np.floating]) -> Points:
    """(..., 3) where rays from centres leave the last surface at ``offset`` from the skin.

    Args:
        space: the room around the mean head.
        centre: (3,) or (..., 3) inside the head or neck.
        ways: (..., 3) unit directions.
        offset: (...) metres from the skin.
    """
    shape = ways.shape[:-1]
    r = np.linspace(0.02, _FARTHEST_M, _RAY_SAMPLES)
    points = np.asarray(np.broadcast_to(centre, ways.shape)[..., None, :] + ways[..., None, :] * r[:, None])
    flat: Points = points.reshape(-1, 3).astype(np.float64)
    d = space.distance(flat).reshape(*shape, _RAY_SAMPLES) - offset[..., None]
    # The first crossing outward: beyond it may lie a shoulder.
    outside = d > 0
    first = np.where(outside.any(axis=-1), outside.argmax(axis=-1), _RAY_SAMPLES - 1)
    before = np.maximum(first - 1, 0)
    d0 = np.take_along_axis(d, before[..., None], -1)[..., 0]
    d1 = np.take_along_axis(d, first[..., None], -1)[..., 0]
    t = np.where(first > 0, np.clip(-d0 / np.where(d1 - d0 == 0, 1.0, d1 - d0), 0, 1), 0.0)
    radius = r[before] + t * (r[first] - r[before])
    return np.asarray(np.broadcast_to(centre, ways.shape) + ways * radius[..., None])


def sheet(
    name: str,
    rows: Points,
    texture: NDArray[np.uint8],
    closed: bool = True,
    tiles: tuple[float, float] = (1.0, 1.0),
    see_through: bool = False,
    roughness: float = 0.85,
) -> Prop:
    """A grid of points as a surface; closed: the last column meets the first.

    Args:
        name: of the prop.
        rows: (R, C, 3) outside is on the left when going along a row upward from below.
        texture: repeated by mirrored tiles.
        closed: whether the rows are rings.
        tiles: how often the texture repeats along a row and over the rows.
        see_through: whether its alpha matters.
        roughness: of the surface.
    """
    count, columns = rows.shape[:2]
    a = np.arange(count - 1)[:, None] * columns + np.arange(columns if closed else columns - 1)
    right = (
        a
        - np.arange(columns if closed else columns - 1)
        + ((np.arange(columns if closed else columns - 1) + 1) % columns)
    )
    polygons = np.stack([a, right, right + columns, a + columns], axis=-1).reshape(-1, 4)
    u = _mirrored(np.arange(columns + 1) / columns * tiles[0])
    v = _mirrored(np.arange(count) / max(count - 1, 1) * tiles[1])
    k = np.arange(columns if closed else columns - 1)
    uv = np.empty((count - 1, len(k), 4, 2), dtype=np.float32)
    uv[..., 0, 0] = uv[..., 3, 0] = u[k]
    uv[..., 1, 0] = uv[..., 2, 0] = u[k + 1]
    uv[..., 0, 1] = uv[..., 1, 1] = v[:-1, None]
    uv[..., 2, 1] = uv[..., 3, 1] = v[1:, None]
    return Prop(
        rows.reshape(-1, 3).astype(np.float32),
        polygons.astype(np.int32),
        uv.reshape(-1, 4, 2),
        texture,
        name,
        see_through,
        roughness,
    )


def tube(
    name: str, course: Points, radius: float, texture: NDArray[np.uint8], closed: bool, flat: float = 1.0
) -> Prop:
    """A tube along (N, 3) points; ``flat`` scales it across the head's z axis."""
    along = np.gradient(course, axis=0)
    if closed:
        along = np.roll(course, -1, axis=0) - np.roll(course, 1, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.cross(along, [0.05, 0.1, 1.0])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    other = np.cross(along, side)
    turn = np.linspace(0, 2 * np.pi, 7)[:-1]
    ring = (
        course[:, None]
        + radius * np.cos(turn)[None, :, None] * side[:, None]
        + radius * flat * np.sin(turn)[None, :, None] * other[:, None]
    )
    if closed:
        ring = np.concatenate([ring, ring[:1]])
    return sheet(name, ring, texture, roughness=0.3)


def joined(name: str, parts: list[Prop]) -> Prop:
    """Several props of one texture as one."""
    start = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    polygons = [np.where(p.polygons >= 0, p.polygons + s, -1) for p, s in zip(parts, start, strict=True)]
    return Prop(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate(polygons).astype(np.int32),
        np.concatenate([p.uvs for p in parts]),
        parts[0].texture,
        name,
        parts[0].see_through,
        parts[0].roughness,
    )


def bent(prop: Prop, warp: Grid) -> Prop:
    """A prop made around the mean head, carried to a person."""
    moved = prop.vertices + warp.at(prop.vertices)
    return replace(prop, vertices=moved.astype(np.float32))


def plain(rgb: NDArray[np.floating] | tuple[float, ...], alpha: float = 1.0) -> NDArray[np.uint8]:
    """(8, 8, 4) of one sRGB colour."""
    result = np.empty((8, 8, 4), dtype=np.uint8)
    result[..., :3] = np.clip(np.asarray(rgb) * 255 + 0.5, 0, 255)
    result[..., 3] = round(alpha * 255)
    return result


def cloth(rng: np.random.Generator, kind: str | None = None) -> NDArray[np.uint8]:
    """(128, 128, 4) cloth in random colours: "plain", "stripes", "checks" or "knit" (None: any)."""
    kind = kind or str(rng.choice(["plain", "stripes", "checks", "knit"], p=[0.62, 0.16, 0.10, 0.12]))
    main, second = cloth_colour(rng), cloth_colour(rng)
    y, x = np.mgrid[0:_CLOTH, 0:_CLOTH] / _CLOTH
    count = int(rng.integers(4, 14))
    if kind == "stripes":
        share = (np.sin(2 * np.pi * y * count) > rng.uniform(-0.3, 0.6)).astype(float)
    elif kind == "checks":
        share = 0.5 * (np.sin(2 * np.pi * y * count) > 0.2) + 0.5 * (np.sin(2 * np.pi * x * count) > 0.2)
    else:
        share = np.zeros_like(x)
    picture = main + (second - main) * share[..., None]
    weave = rng.normal(0, 0.035, x.shape)
    if kind == "knit":
        weave = weave + 0.13 * np.sin(2 * np.pi * x * 24) + 0.05 * np.sin(2 * np.pi * y * 40)
    folds = cv2.GaussianBlur(rng.normal(0, 1, x.shape), (0, 0), 14)
    picture = picture * (1 + weave + 0.03 * folds / max(float(folds.std()), 1e-6))[..., None]
    result = np.full((_CLOTH, _CLOTH, 4), 255, dtype=np.uint8)
    result[..., :3] = np.clip(picture * 255 + 0.5, 0, 255)
    return result


def cloth_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) sRGB: mostly dark, white or muted, now and then bright."""
    kind = rng.random()
    hue = rng.uniform(0, 180)
    if kind < 0.30:
        hsv = (hue, rng.uniform(0, 60), rng.uniform(15, 70))
    elif kind < 0.50:
        hsv = (hue, rng.uniform(0, 20), rng.uniform(180, 240))
    elif kind < 0.80:
        hsv = (hue, rng.uniform(40, 130), rng.uniform(60, 170))
    else:
        hsv = (hue, rng.uniform(130, 220), rng.uniform(110, 220))
    pixel = np.array([[hsv]], dtype=np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] / 255.0, dtype=np.float64)


def _mirrored(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Repeats without a jump: 0 to 1 and back."""
    return np.asarray(1.0 - np.abs(np.mod(x, 2.0) - 1.0))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of hair: grown step by step around the mean head, then made into strips with a hair texture.

A lock is a polyline from its root. Each step follows the style's combing along the skin, bends to the
ground, keeps the lock's own height over the skin and never enters it: the guide-and-strip way in which
games draw hair, after the survey of K. Ward et al., "A survey on hair modeling" (2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .prop import Prop
from .space import Grid, Space

Comb = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(N, 3) places -> (N, 3) directions in which hair there is combed, any length; 0 is no wish."""

COLUMNS = 8
"""Drawings of a lock beside one another in the texture, from deep in the shade to bright."""
_TEXTURE = (256, 512)
_CLEARANCE_M = 0.0012
_OVER_CLOTHES_M = 0.017  # on the shoulders hair lies on what is worn there


@dataclass(frozen=True)
class Locks:
    """N locks of S + 1 points."""

    points: NDArray[np.float64]
    """(N, S + 1, 3) metres, head axes"""
    width: NDArray[np.float64]
    """(N,) metres at the widest"""
    shade: NDArray[np.float64]
    """(N,) 0 deep inside ... 1 outermost"""


@dataclass(frozen=True)
class Growth:
    """How locks grow; arrays are per lock."""

    length: NDArray[np.float64]
    """(N,) metres"""
    height: NDArray[np.float64]
    """(N,) metres over the skin at which the lock lies"""
    comb: Comb
    gravity: float
    """how soon it hangs: 0 never ... 1 within some centimetres"""
    stiffness: float = 0.5
    """0 turns at once ... 1 keeps its direction"""
    cling: float = 0.5
    """how strongly it is drawn to its height when it stands off"""
    lift: float = 0.6
    """how it leaves the skin: 0 along the combing ... 1 straight up"""
    stray: float = 0.08
    """random deviation of the combing"""


def grow(
    space: Space,
    roots: NDArray[np.floating],
    normals: NDArray[np.floating],
    growth: Growth,
    steps: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(N, steps + 1, 3) polylines from (N, 3) roots with (N, 3) normals on the mean head."""
    count = len(roots)
    points = np.empty((count, steps + 1, 3))
    points[:, 0] = p = roots.astype(np.float64)
    step = (growth.length / steps)[:, None]
    stray = rng.normal(0, growth.stray, (count, 3))
    down = np.array([0.0, -1.0, 0.0])
    first = _unit(_along(growth.comb(p), normals))
    direction = _unit(first * (1 - growth.lift) + normals * growth.lift + stray)
    fallen = np.zeros((count, 1))
    for k in range(1, steps + 1):
        d, out = space.look(p)
        combed = _unit(_along(growth.comb(p) + stray, out))
        fallen = np.minimum(fallen + growth.gravity * step / 0.06, 1.0)
        wish = combed * (1 - fallen) + down * fallen * 1.2 + stray * 0.3
        gap = np.clip((growth.height - d)[:, None] / np.maximum(step, 1e-4), -growth.cling, 1.0)
        wish = wish + out * gap * 0.8
        keep = growth.stiffness if k > 1 else 0.5
        direction = _unit(direction * keep + _unit(wish) * (1 - keep))
        p = p + direction * step
        d, out = space.look(p)
        least = np.minimum(growth.height * 0.6, _CLEARANCE_M + 0.35 * growth.height) * min(1.0, k / 2)
        least = least + _OVER_CLOTHES_M * np.clip((-0.11 - p[:, 1]) / 0.04, 0.0, 1.0)
        p = p + _way_out(p, out) * np.clip(least - d, 0.0, 0.03)[:, None]
        points[:, k] = p
    return points


def _way_out(p: NDArray[np.float64], out: NDArray[np.floating]) -> NDArray[np.float64]:
    """Away from the skin; from the shoulders rather before or behind them than on to them."""
    low = np.clip((-0.09 - p[:, 1:2]) / 0.03, 0.0, 1.0)
    around = out * [0.5, 0.2, 0.5] + np.sign(p[:, 2:] + 0.025) * [0.0, 0.0, 1.0]
    return _unit(out * (1 - low) + around * low)


def wave(
    points: NDArray[np.float64],
    length: NDArray[np.float64],
    amplitude: float,
    wavelength: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Locks swung to and fro about their course: waves, or curls where both are some millimetres."""
    if amplitude <= 0:
        return points
    count, steps = points.shape[0], points.shape[1]
    along = _unit(np.gradient(points, axis=1))
    side = _unit(np.cross(along, np.array([0.3, 1.0, 0.2])))
    other = np.cross(along, side)
    arc = np.linspace(0, 1, steps)[None] * length[:, None]
    # Neighbours swing together; tight curls each for themselves.
    together = np.sin(points[:, 0] @ rng.normal(0, 35.0, (3, 3))).sum(axis=1, keepdims=True) * 2.0
    alone = rng.uniform(0, 2 * np.pi, (count, 1)) * (1.0 if wavelength < 0.07 else 0.12)
    phase = together + alone + 2 * np.pi * arc / (wavelength * rng.uniform(0.9, 1.1, (count, 1)))
    size = amplitude * np.minimum(arc / (0.5 * wavelength), 1.0) * rng.uniform(0.6, 1.3, (count, 1))
    return np.asarray(
        points + side * (np.sin(phase) * size)[..., None] + other * (0.7 * np.cos(phase) * size)[..., None]
    )


def carry(
    points: NDArray[np.float64], warp: Grid, root_displacement: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Locks from the mean head to a person's: the warp, and at the roots the skin's own displacement
    (N, 3), which wears off along the lock."""
    count, steps = points.shape[:2]
    moved = points + warp.at(points.reshape(-1, 3)).reshape(count, steps, 3)
    if root_displacement is not None:
        left = root_displacement - (moved[:, 0] - points[:, 0])
        arc = np.linalg.norm(points - points[:, :1], axis=2)
        moved = moved + left[:, None] * np.exp(-arc / 0.06)[..., None]
    return np.asarray(moved)


def strips(
    name: str,
    locks: Locks,
    facing: NDArray[np.floating],
    texture: NDArray[np.uint8],
    rng: np.random.Generator,
    roll: float = 0.35,
    columns: tuple[int, int] = (0, COLUMNS),
    taper: float = 0.6,
) -> Prop:
    """Locks as flat strips.

    Args:
        name: of the prop.
        locks: where they run.
        facing: (N, S + 1, 3) which way is out.
        texture: from :func:`hair_texture`.
        rng: rolls the strips about their course.
        roll: standard deviation of that, radians.
        columns: first and one past the last of the texture's drawings to use, by shade.
        taper: width at the tip over the widest.
    """
    count, points, _ = locks.points.shape
    along = _unit(np.gradient(locks.points, axis=1))
    side = _unit(np.cross(along, facing))
    other = np.cross(along, side)
    angle = rng.normal(0, roll, (count, 1, 1))
    side = side * np.cos(angle) + other * np.sin(angle)
    t = np.linspace(0, 1, points)
    profile = np.interp(t, [0, 0.15, 0.6, 1.0], [0.75, 1.0, 0.95, taper])
    half = 0.5 * locks.width[:, None] * profile
    vertices = np.stack(
        [locks.points - side * half[..., None], locks.points + side * half[..., None]], axis=2
    ).reshape(-1, 3)
    shading = _unit(_unit(facing) * 0.7 + np.cross(side, along) * 0.3)
    normals = np.repeat(shading.reshape(-1, 3), 2, axis=0).astype(np.float32)
    a = (np.arange(count)[:, None] * points + np.arange(points - 1)) * 2
    polygons = np.stack([a, a + 1, a + 3, a + 2], axis=-1).reshape(-1, 4)
    low, high = columns
    column = low + np.clip((locks.shade * (high - low)).astype(int), 0, high - low - 1)
    left, right = column / COLUMNS, (column + 1) / COLUMNS
    flip = rng.random(count) < 0.5
    left, right = np.where(flip, right, left), np.where(flip, left, right)
    u = np.broadcast_to(np.stack([left, right, right, left], axis=1)[:, None], (count, points - 1, 4))
    v = np.stack([1 - t[:-1], 1 - t[:-1], 1 - t[1:], 1 - t[1:]], axis=1)
    uvs = np.stack([u, np.broadcast_to(v, u.shape)], axis=-1).reshape(-1, 4, 2)
    return Prop(
        vertices.astype(np.float32),
        polygons.astype(np.int32),
        np.ascontiguousarray(uvs, dtype=np.float32),
        texture,
        name,
        see_through=True,
        roughness=0.55,
        normals=normals,
    )


@dataclass(frozen=True)
class HairDrawing:
    """Hair without its colour."""

    light: NDArray[np.float32]
    """(H, W) brightness of each hair about 1"""
    alpha: NDArray[np.float32]
    """(H, W) 0..1"""
    chance: NDArray[np.float32]
    """(H, W) a number 0..1 of each hair's own: which are grey"""


def draw_hair(rng: np.random.Generator, hairs: int = 40, curl: float = 0.0) -> HairDrawing:
    """Draw :data:`COLUMNS` locks of single hairs side by side, roots on top.

    Args:
        rng: decides their course.
        hairs: in a lock, twice: a closed ground of darker ones and lighter ones over it.
        curl: how far they swing, share of the lock's width.
    """
    height, width = _TEXTURE
    light = np.zeros((height, width), dtype=np.float32)
    alpha = np.zeros((height, width), dtype=np.float32)
    chance = np.zeros((height, width), dtype=np.float32)
    column = width // COLUMNS
    rows = np.arange(0, height + 4, 4)
    t = rows / height
    for c in range(COLUMNS):
        for k in range(hairs * 2):
            under = k < hairs
            x0 = rng.uniform(0.08 + 0.8 * curl, 0.92 - 0.8 * curl) * column
            gathered = (column / 2 - x0) * rng.uniform(-0.1, 0.3) * t
            wander = np.cumsum(rng.normal(0, 0.2, len(rows)))
            turns = rng.uniform(5, 10)
            swing = curl * column * rng.uniform(0.6, 1.2) * np.sin(2 * np.pi * (turns * t + rng.random()))
            x = np.clip(x0 + gathered + wander + swing, 1.0, column - 2.0) + c * column
            end = height * (rng.uniform(0.5, 0.95) if under else min(1.0, rng.uniform(0.6, 1.1)))
            line = np.round(np.stack([x, rows], axis=1)[rows <= end] * 8).astype(np.int32)
            thick = int(rng.integers(3, 6)) if under else int(rng.integers(1, 3))
            tone = float(rng.normal(0.9, 0.05) if under else rng.normal(1.03, 0.09))
            for canvas, value in ((light, tone), (chance, float(rng.random())), (alpha, 1.0)):
                cv2.polylines(canvas, [line], False, (value,), thick, cv2.LINE_8, 3)
    soft = cv2.GaussianBlur(alpha, (0, 0), 0.7).astype(np.float32)
    # Where no hair runs the colour of the nearest goes on, or light rims appear.
    empty = (light == 0).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    covered = np.flatnonzero(empty.ravel() == 0)
    index[labels.ravel()[covered]] = covered
    nearest = index[labels.ravel()]
    light = light.ravel()[nearest].reshape(light.shape)
    chance = chance.ravel()[nearest].reshape(chance.shape)
    return HairDrawing(light, soft, chance)


def hair_texture(
    drawing: HairDrawing,
    rgb: tuple[float, float, float],
    greying: float,
    depth: float = 0.72,
    roots: float = 0.8,
    tips: float = 1.1,
) -> NDArray[np.uint8]:
    """(H, W, 4) a drawing in a colour.

    Args:
        drawing: from :func:`draw_hair`.
        rgb: sRGB 0..1.
        greying: share of grey hairs.
        depth: brightness of the deepest column over that of the outermost.
        roots: brightness at the roots.
        tips: brightness at the tips.
    """
    height, width = drawing.light.shape
    tone = np.repeat(np.linspace(depth, 1.12, COLUMNS), width // COLUMNS)[None]
    tone = tone * np.linspace(roots, tips, height)[:, None]
    own = np.array(rgb)
    grey = (drawing.chance < greying)[..., None] * 0.28
    colour = own + (np.maximum(own, [0.70, 0.69, 0.67]) - own) * grey
    shaded = colour * (drawing.light * tone)[..., None]
    picture = np.concatenate([np.clip(shaded, 0, 1), drawing.alpha[..., None]], axis=2)
    return (picture * 255 + 0.5).astype(np.uint8)


def _along(vectors: NDArray[np.float64], out: NDArray[np.floating]) -> NDArray[np.float64]:
    """The part of vectors along the skin."""
    return vectors - (vectors * out).sum(axis=1, keepdims=True) * out


def _unit(v: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))

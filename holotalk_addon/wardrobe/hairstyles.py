# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair of the head: where it grows, how each style is cut and combed.

Everything is made around the mean head, where all numbers (metres, head axes) hold, and carried to the
person. How far hair may stand off comes from MakeHuman's hair helper geometry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.membrane import smoothstep
from .fitting_room import FittingRoom
from .look import Look
from .prop import Prop
from .shapes import hat_rim
from .space import Grid
from .strands import Comb, Growth, Locks, carry, grow, hair_texture, strips, wave

Points = NDArray[np.float64]

_CROWN = np.array([0.0, 0.105, -0.055])
"""where the hair whorls"""

# The hair line: height over azimuth (degrees from the front), full, and how far it may recede.
_LINE_AT = (0, 18, 32, 45, 58, 72, 84, 100, 112, 128, 150, 180)
_LINE = (0.067, 0.066, 0.060, 0.047, 0.030, 0.008, -0.002, 0.010, -0.012, -0.045, -0.060, -0.064)
_SIDEBURNS = (0.0, 0.0, 0.0, 0.0, 0.004, -0.016, -0.022, 0.0, 0.0, 0.0, 0.0, 0.0)
"""what men's hair has more before the ears"""
_RECEDED = (0.022, 0.030, 0.042, 0.036, 0.020, 0.008, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

_FACE_HALF = 0.062
"""half the width of the face that long hair leaves free"""
_BROW_Y = 0.024
_UNDER_HAT_M = 0.005


@dataclass(frozen=True)
class _Cut:
    """A style in numbers: how its locks are cut and combed."""

    comb: Comb
    length: NDArray[np.float64]
    """(N,) of each root's lock"""
    volume: float
    """height of the outermost locks over the skin"""
    steps: int
    width: float = 0.014
    gravity: float = 0.0
    stiffness: float = 0.45
    cling: float = 0.5
    lift: float = 0.4
    stray: float = 0.08
    roll: float = 0.3
    amplitude: float = 0.0
    wavelength: float = 0.05
    taper: float = 0.6
    frees_face: NDArray[np.bool_] | None = None
    """(N,) which locks must not hang before the face"""
    flat_sides: bool = False
    """the sides lie closer than the top"""
    floating: bool = False
    """locks begin at their height, not at the skin: a ball of curls"""


def style_hair(
    room: FittingRoom,
    look: Look,
    vertices: NDArray[np.floating],
    warp: Grid,
    rng: np.random.Generator,
) -> tuple[list[Prop], NDArray[np.float64]]:
    """The hair of a person's head, and how densely it grows.

    Args:
        room: the fitting room.
        look: of what style.
        vertices: (V, 3) the person's posed head.
        warp: carries the mean head's surroundings to the person.
        rng: decides the rest.

    Returns:
        Props, and (V,) 0..1 where the skin is to be painted as covered by hair.
    """
    density = hair_density(room, look, rng)
    style = look.hair_style
    if style == "bald":
        return [], density * 0.10
    if look.headwear == "headscarf":
        return [], density
    count = _COUNTS.get(style, 1000)
    triangles, weights = _roots(room, density, count, rng)
    corners = room.model.triangles[triangles]
    roots = np.einsum("nc,ncd->nd", weights, room.model.mean[corners]).astype(np.float64)
    normals = np.einsum("nc,ncd->nd", weights, room.normals[corners])
    displaced = np.einsum("nc,ncd->nd", weights, vertices[corners]) - roots

    layer = rng.random(count)
    cut = _cut(style, look, roots, layer, rng)
    free = np.einsum("nc,nc->n", weights, room.hair_room[corners])
    height = cut.volume * free * (0.45 + 0.55 * layer) + 0.001
    if cut.flat_sides:
        height = height * (0.35 + 0.65 * _high(roots))
    growth = Growth(cut.length, height, cut.comb, cut.gravity, cut.stiffness, cut.cling, cut.lift, cut.stray)
    start = roots + normals * (height * rng.uniform(0.85, 1.0, count))[:, None] if cut.floating else roots
    points = grow(room.space, start, normals, growth, cut.steps, rng)
    points = wave(points, growth.length, cut.amplitude, cut.wavelength, rng)
    if cut.frees_face is not None:
        points = np.where(cut.frees_face[:, None, None], _off_face(points, rng), points)
    if look.headwear in ("beanie", "cap", "hat"):
        points = _under_hat(room, look.headwear, _off_face(points, rng))
    _, out = room.space.look(points.reshape(-1, 3))
    drawing = room.curls if look.curl > 0.55 and style != "buzz" else room.hair
    texture = hair_texture(drawing, look.hair_rgb, look.greying)
    shade = np.clip(0.9 * layer + rng.normal(0.05, 0.15, count), 0, 1)
    locks = Locks(carry(points, warp, displaced), cut.width * rng.uniform(0.7, 1.3, count), shade)
    props = [strips("hair", locks, out.reshape(points.shape), texture, rng, cut.roll, taper=cut.taper)]
    if style in ("ponytail", "bun"):
        tied = _tail if style == "ponytail" else _knot
        extra, extra_out = tied(room, look, _tie(look), rng)
        moved = Locks(carry(extra.points, warp), extra.width, extra.shade)
        props.append(strips("hair", moved, extra_out, texture, rng, 0.3, taper=0.5))
    return props, density * 0.95


_COUNTS = {
    "buzz": 2400,
    "fringe of hair": 1400,
    "crew": 2000,
    "short": 1500,
    "side part": 1300,
    "swept back": 1300,
    "afro": 1500,
    "curly": 1200,
    "long": 1100,
}


def hair_density(room: FittingRoom, look: Look, rng: np.random.Generator) -> NDArray[np.float64]:
    """(V,) 0..1 where hair grows on the scalp: the same line left and right."""
    model = room.model
    mean = model.mean.astype(np.float64)
    azimuth = np.abs(np.degrees(np.arctan2(mean[:, 0], mean[:, 2])))
    heights = np.array(_LINE) + look.hair_line * np.array(_RECEDED)
    if look.male:
        bearded = look.beard in ("short beard", "full beard", "stubble")
        heights = heights + np.array(_SIDEBURNS) * (1.0 if bearded else rng.uniform(0.2, 1.0))
    line = np.interp(azimuth, _LINE_AT, heights)
    line = line - 0.006 * rng.random()
    result = smoothstep((mean[:, 1] - line) / 0.010 + 0.5)
    if look.hair_style == "fringe of hair":
        result *= smoothstep((0.062 - 0.018 * look.hair_line - mean[:, 1]) / 0.02)
        result *= smoothstep((azimuth - 62.0) / 12.0)
    ears = smoothstep((model.region("ears") - 0.2) / 0.4)
    bare = (1 - ears) * (model.vertex_parts == 0) * (1 - model.region("eye_sockets"))
    return np.asarray(result * bare * (1 - model.region("mouth_inside")) * (model.fade > 0))


def _roots(
    room: FittingRoom, density: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Points]:
    """(N,) triangles and (N, 3) weights of roots, evenly by area times density (systematic sampling)."""
    corners = room.model.mean[room.model.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = np.cumsum(area * density[room.model.triangles].min(axis=1))
    at = (np.arange(count) + rng.random(count)) / count * share[-1]
    triangle = np.minimum(np.searchsorted(share, at), len(share) - 1)
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    return triangle, np.stack([1 - a, a * (1 - b), a * b], axis=1)


def _high(roots: Points) -> NDArray[np.float64]:
    """(N,) 0 at the sides, 1 on top of the head."""
    return smoothstep((roots[:, 1] - 0.03) / 0.055)


def _cut(
    style: str,
    look: Look,
    roots: Points,
    layer: NDArray[np.float64],
    rng: np.random.Generator,
) -> _Cut:
    """The style's numbers for these roots."""
    own, curl = look.hair_length, look.curl
    count = len(roots)
    uneven = rng.uniform(0.85, 1.05, count)
    parting = float(rng.choice([0.0, 0.022, -0.022, 0.034, -0.034], p=[0.36, 0.16, 0.16, 0.16, 0.16]))
    amplitude, wavelength = 0.011 * curl, 0.12 - 0.07 * curl
    # Men's sides are cut shorter than the top.
    high = _high(roots)
    fade = 0.28 + 0.72 * high if look.male else 0.6 + 0.4 * high
    if style in ("buzz", "fringe of hair"):
        volume = max(0.002, 0.4 * own)
        return _Cut(
            _from_crown, own * uneven + 0.004, volume, 3, width=0.012, gravity=0.05, lift=0.4, roll=0.15
        )
    if style == "crew":
        forward = _blend(_from_crown, _forward, 0.5)
        return _Cut(
            forward, own * fade * uneven + 0.003, 0.010, 4, width=0.009, lift=0.5, stray=0.12, roll=0.15
        )
    if style == "short":
        tousle = float(rng.uniform(0.1, 0.4))
        return _Cut(
            _blend(_from_crown, _aside(parting or 0.03), 0.5), own * fade * uneven, 0.018, 6, width=0.011,
            gravity=0.08, lift=0.45, stray=tousle, flat_sides=True,
            amplitude=amplitude, wavelength=wavelength,
        )  # fmt: skip
    if style == "swept back":
        return _Cut(
            _swept_back, own * fade * uneven, float(rng.uniform(0.012, 0.026)), 7,
            gravity=0.1, lift=0.45, stiffness=0.55, stray=0.06, flat_sides=True,
            amplitude=amplitude, wavelength=wavelength,
        )  # fmt: skip
    if style == "side part":
        return _Cut(
            _side_part(parting or 0.034), own * fade * uneven, float(rng.uniform(0.012, 0.022)), 7,
            gravity=0.1, lift=0.5, stiffness=0.55, stray=0.07, flat_sides=True,
            amplitude=amplitude, wavelength=wavelength,
        )  # fmt: skip
    if style == "afro":
        return _Cut(
            _any_way(rng), np.full(count, 0.035), own, 6, width=0.020, lift=0.0, stray=1.2, roll=0.6,
            amplitude=0.004, wavelength=0.02, taper=0.9, floating=True, cling=0.0,
        )  # fmt: skip
    if style == "curly":
        front = smoothstep((roots[:, 2] - 0.035) / 0.02) * smoothstep((0.06 - np.abs(roots[:, 0])) / 0.02)
        fallen = np.maximum(own * uneven * (0.6 + 0.4 * high), 0.04)
        fallen = fallen + (np.minimum(fallen, 0.055) - fallen) * front
        return _Cut(
            _blend(_from_crown, _aside(parting), 0.4), fallen, 0.032, 16, width=0.013, gravity=0.3, lift=0.8,
            stray=0.3, roll=0.7, amplitude=0.009, wavelength=0.035,
            frees_face=rng.random(count) > 0.15 * front,
        )  # fmt: skip
    if style in ("ponytail", "bun"):
        tie = _tie(look)
        reach = np.linalg.norm(tie - roots, axis=1) * 1.12 + 0.01
        return _Cut(_toward(tie), reach, 0.007, 10, gravity=0.0, cling=1.0, lift=0.15, stray=0.03, roll=0.15)
    # Long styles are cut at one height all round, or longer behind.
    lowest = 0.105 - own
    drop = roots[:, 1] - lowest
    arch = 0.35 * np.hypot(roots[:, 0] * 0.6, np.maximum(0.1 - np.abs(roots[:, 2]), 0.0) * 0.3)
    ragged = 0.03 if style == "bob" else 0.16
    length = np.maximum((drop + arch) * rng.uniform(1 - ragged, 1.02, count), 0.05)
    comb = _parted(parting)
    if rng.random() < 0.35 and style != "bangs":
        comb = _behind_ears(comb)
    before = np.zeros(count, dtype=bool)
    if style == "bangs":
        before = _fringe(roots) > 0.3
        brow = np.stack([roots[:, 0], np.full(count, _BROW_Y), np.full(count, 0.103)], axis=1)
        to_brow = np.linalg.norm(roots - brow, axis=1) * rng.uniform(1.04, 1.12, count)
        length = np.where(before, to_brow, length)
        comb = _with_fringe(comb)
    return _Cut(
        comb, length, float(rng.uniform(0.010, 0.018)), 16, width=0.018, gravity=0.4, stiffness=0.55,
        stray=0.04 + 0.06 * curl, roll=0.14, amplitude=amplitude, wavelength=wavelength,
        taper=0.9 if style == "bob" else 0.65, frees_face=~before,
    )  # fmt: skip


# How hair is combed: directions over places.


def _from_crown(p: Points) -> Points:
    """Down from the whorl to every side."""
    return _unit(p - _CROWN)


def _forward(p: Points) -> Points:
    top = smoothstep((p[:, 1] - 0.06) / 0.03)[:, None]
    return np.array([0.0, 0.1, 1.0]) * top + _from_crown(p) * (1 - top)


def _swept_back(p: Points) -> Points:
    behind = smoothstep((-0.03 - p[:, 2]) / 0.04)[:, None]
    low = smoothstep((0.05 - p[:, 1]) / 0.05)[:, None]
    back = np.array([0.0, 0.25, -1.0]) * (1 - low) + np.array([0.0, -0.6, -0.8]) * low
    return back * (1 - behind) + np.array([0.0, -1.0, -0.2]) * behind


def _side_part(at: float) -> Comb:
    """Over the top from one side to the other, the sides down and back."""

    def comb(p: Points) -> Points:
        across = -np.sign(at) * np.where(np.sign(at) * (p[:, 0] - at) > 0, -1.0, 1.0)
        top = np.stack([across, np.full(len(p), 0.25), np.full(len(p), 0.15)], axis=1)
        on_top = smoothstep((p[:, 1] - 0.055) / 0.03) * smoothstep((p[:, 2] + 0.06) / 0.04)
        sides = _from_crown(p) + np.array([0.0, -0.4, -0.5])
        return top * on_top[:, None] + sides * (1 - on_top)[:, None]

    return comb


def _aside(at: float) -> Comb:
    def comb(p: Points) -> Points:
        before = smoothstep((p[:, 2] + 0.03) / 0.04)
        aside = np.stack([np.sign(p[:, 0] - at), np.full(len(p), -0.2), np.full(len(p), 0.1)], axis=1)
        return np.asarray(aside * before[:, None])

    return comb


def _parted(at: float) -> Comb:
    """Away from a parting at x = at, and down behind the crown."""

    def comb(p: Points) -> Points:
        side = np.sign(p[:, 0] - at * smoothstep((p[:, 1] - 0.05) / 0.03))
        aside = np.stack([side, np.full(len(p), -0.3), np.full(len(p), -0.25)], axis=1)
        behind = smoothstep((-0.01 - p[:, 2]) / 0.06)[:, None]
        return aside * (1 - behind) + (_from_crown(p) + np.array([0, -0.5, 0])) * behind

    return comb


def _behind_ears(comb: Comb) -> Comb:
    def tucked(p: Points) -> Points:
        near = smoothstep((0.055 - p[:, 1]) / 0.03) * smoothstep((p[:, 2] + 0.035) / 0.02)
        near = (near * (p[:, 1] > -0.05))[:, None]
        return comb(p) * (1 - near) + np.array([0.0, -0.25, -1.6]) * near

    return tucked


def _fringe(p: Points) -> NDArray[np.float64]:
    """(N,) 0..1 where hair is combed over the forehead."""
    return smoothstep((0.050 - np.abs(p[:, 0])) / 0.008) * smoothstep((p[:, 2] + 0.01) / 0.02)


def _with_fringe(comb: Comb) -> Comb:
    def fringed(p: Points) -> Points:
        front = _fringe(p)[:, None]
        ahead = np.stack([0.6 * p[:, 0] / 0.05, np.full(len(p), -0.1), np.ones(len(p))], axis=1)
        return comb(p) * (1 - front) + ahead * front

    return fringed


def _toward(tie: Points) -> Comb:
    def comb(p: Points) -> Points:
        return _unit(tie - p)

    return comb


def _nowhere(p: Points) -> Points:
    return np.zeros_like(p)


def _any_way(rng: np.random.Generator) -> Comb:
    """Each place another way, smoothly random."""
    waves = rng.normal(0, 90.0, (3, 3, 3))

    def comb(p: Points) -> Points:
        return np.sin(np.einsum("nd,dcw->ncw", p, waves)).sum(axis=2)

    return comb


def _blend(a: Comb, b: Comb, share: float) -> Comb:
    def comb(p: Points) -> Points:
        return a(p) * (1 - share) + b(p) * share

    return comb


# What is tied.


def _tie(look: Look) -> Points:
    """Where a ponytail or a bun is tied: high, middle or low behind the head."""
    # The length, which nothing else uses to choose, tells which: the same in every part of one person.
    third = int(look.hair_length * 1e4) % 3
    return np.array([[0.0, 0.095, -0.098], [0.0, 0.035, -0.126], [0.0, -0.028, -0.118]])[third]


def _tail(room: FittingRoom, look: Look, tie: Points, rng: np.random.Generator) -> tuple[Locks, Points]:
    count, steps = 170, 14
    away = _unit(tie - np.array([0.0, 0.5 * tie[1], -0.02]))
    length = max(look.hair_length * 0.8, 0.10)
    growth = Growth(np.array([length]), np.array([0.016]), _nowhere, 0.55, 0.7, 0.0, 1.0, 0.0)
    guide = grow(room.space, tie[None], away[None], growth, steps, rng)
    # Every lock keeps to the guide; the tail swells below the band and is cut unevenly.
    t = np.linspace(0, 1, steps + 1)
    own = t[None] * rng.uniform(0.72, 1.0, (count, 1))
    points = np.stack([np.interp(own, t, guide[0, :, k]) for k in range(3)], axis=2)
    spread = np.interp(t, [0, 0.3, 0.8, 1], [0.35, 1.0, 0.9, 0.5])
    points = np.asarray(points + rng.normal(0, 0.010, (count, 1, 3)) * spread[None, :, None])
    points = wave(points, np.full(count, length), 0.012 * look.curl, 0.12 - 0.06 * look.curl, rng)
    return Locks(points, np.full(count, 0.014), rng.random(count)), points - guide + away * 0.004


def _knot(room: FittingRoom, look: Look, tie: Points, rng: np.random.Generator) -> tuple[Locks, Points]:
    """A bun: locks wound about the axis that leads away from the head."""
    count, steps = 150, 12
    away = _unit(tie - np.array([0.0, 0.0, -0.02]))
    radius = 0.024 + 0.012 * (look.hair_length * 1e3 % 1.0)
    centre = tie + away * radius * 0.75
    start = rng.uniform(0, 2 * np.pi, (count, 1))
    turn = start + np.linspace(0, rng.uniform(1.0, 2.6), steps + 1)[None]
    up = rng.uniform(-0.85, 0.95, (count, 1)) + rng.normal(0, 0.12, (count, 1)) * np.linspace(
        -1, 1, steps + 1
    )
    up = np.clip(up, -0.95, 0.98)
    size = radius * (1 + 0.06 * rng.normal(0, 1, (count, 1)))
    side = _unit(np.cross(away, [0.0, 1.0, 0.3]))
    other = np.cross(away, side)
    ring = np.sqrt(1 - up**2) * size
    points: Points = (
        centre
        + side * (np.cos(turn) * ring)[..., None]
        + other * (np.sin(turn) * ring)[..., None]
        + away * (up * size * 0.75)[..., None]
    )
    return Locks(points, np.full(count, 0.012), rng.random(count)), points - centre


def _under_hat(room: FittingRoom, headwear: str, points: Points) -> Points:
    """Hair above a hat's rim is pressed down to the skin."""
    flat = points.reshape(-1, 3)
    d, out = room.space.look(flat)
    rim = hat_rim(headwear, np.arctan2(flat[:, 0], flat[:, 2]))
    pressed = smoothstep((flat[:, 1] - rim + 0.012) / 0.012)
    sunk = (d - np.minimum(d, _UNDER_HAT_M)) * pressed
    return np.asarray((flat - out * sunk[:, None]).reshape(points.shape))


def _off_face(points: Points, rng: np.random.Generator) -> Points:
    """Hair that would hang before the face is pushed to the side it has started on."""
    side = np.where(points[:, -1:, 0] >= 0, 1.0, -1.0)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    least = _FACE_HALF * rng.uniform(0.92, 1.15, (len(points), 1))
    least = least * smoothstep((z - 0.02) / 0.035) * smoothstep((0.062 - y) / 0.03)
    result = points.copy()
    result[..., 0] = np.where(side * x < least, side * least, x)
    return result


def _unit(v: NDArray[np.floating]) -> Points:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9), dtype=np.float64)

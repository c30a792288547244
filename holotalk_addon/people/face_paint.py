# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn on a face by hand: brows, stubble, wrinkles, freckles, moles, blush, make-up.

It is drawn on the face's canvas, the mean face rolled off a cylinder at 0.3 mm a pixel (half that where
nothing is fine), from the landmarks of the face mesh, and carried to the texture. The strengths are ours,
set by looking.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..wardrobe.beards import beard_density
from ..wardrobe.face_canvas import CANVAS_PIXEL_M, CHIN, SIDES, Picture, Points, canvas_size, on_canvas
from .person import PersonAttributes
from .workshop import Workshop

_NOSE_TIP = 4
_SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel

_LIPSTICKS = (
    (0.62, 0.12, 0.16),
    (0.70, 0.25, 0.28),
    (0.55, 0.18, 0.28),
    (0.74, 0.38, 0.36),
    (0.45, 0.10, 0.18),
)
_SHADOWS = (
    (0.35, 0.25, 0.22),
    (0.30, 0.28, 0.36),
    (0.50, 0.33, 0.25),
    (0.28, 0.22, 0.25),
    (0.45, 0.40, 0.42),
)


@dataclass(frozen=True)
class FacePaint:
    """Layers on the canvas, (h, w) each."""

    melanin: Picture
    """added to the logarithm of melanin"""
    blood: Picture
    """added to the logarithm of blood"""
    shade: Picture
    """added to the logarithm of the colour: creases"""
    hair: Picture
    """0..1 short hair: brows and stubble"""
    eyes: NDArray[np.float32] | None
    """(h, w, 2) cover of eye shadow and of eye liner; None without make-up"""
    shadow: tuple[float, float, float]
    """sRGB of the eye shadow"""
    lipstick: tuple[float, float, float, float]
    """sRGB and cover on the lips"""


def paint_face(shop: Workshop, attributes: PersonAttributes, rng: np.random.Generator) -> FacePaint:
    """Draw a person's face on the canvas."""
    width, height = canvas_size()
    marks = on_canvas(shop.model.landmarks(shop.model.mean)).astype(np.float64)
    small = (height // 2, width // 2)
    melanin, blood = np.zeros(small, np.float32), np.zeros(small, np.float32)
    shade, spots = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    hair = np.zeros((height, width), np.float32)

    _tones(attributes, marks, melanin, blood, rng)
    _spots(attributes, marks, spots, rng)
    _wrinkles(attributes, marks, shade, rng)
    _brows(attributes, marks, hair, rng)
    stubble = beard_density(shop.room, attributes.beard)
    if stubble is not None:
        grain = (
            np.clip(0.55 + 0.45 * shop.noise[0][:height, :width], 0, 1)
            if shop.size >= max(height, width)
            else np.full((height, width), 0.5, np.float32)
        )
        strength = {"stubble": 0.55, "moustache": 0.7}.get(attributes.beard, 0.8)
        grown = cv2.resize(stubble, (width, height)) * strength * (0.45 + 0.55 * grain)
        hair = np.maximum(hair, grown.astype(np.float32))
    elif attributes.male and attributes.age > 18:  # shaved: a shadow of a beard
        shaved = beard_density(shop.room, "full beard")
        if shaved is not None:
            dark = float(np.clip(0.5 - np.mean(attributes.hair_rgb), 0, 0.5)) * rng.uniform(0.0, 0.6)
            hair = np.maximum(hair, (cv2.resize(shaved, (width, height)) * dark).astype(np.float32))
    eyes, shadow, lipstick = _make_up(attributes, marks, rng)
    large = (width, height)
    return FacePaint(
        (cv2.resize(melanin, large) + spots).astype(np.float32),
        cv2.resize(blood, large).astype(np.float32),
        shade,
        hair,
        eyes,
        shadow,
        lipstick,
    )


def _blob(picture: Picture, at: Points, radius_m: tuple[float, float], amount: float) -> None:
    """Add a Gaussian spot to a half-size picture; radius: standard deviations along x and y."""
    height, width = picture.shape
    sx, sy = (r / (2 * CANVAS_PIXEL_M) for r in radius_m)
    x, y = at / 2
    left, right = max(0, int(x - 3 * sx)), min(width, int(x + 3 * sx) + 1)
    top, bottom = max(0, int(y - 3 * sy)), min(height, int(y + 3 * sy) + 1)
    across = np.exp(-0.5 * ((np.arange(left, right) - x) / sx) ** 2)
    down = np.exp(-0.5 * ((np.arange(top, bottom) - y) / sy) ** 2)
    picture[top:bottom, left:right] += (amount * down[:, None] * across[None]).astype(np.float32)


def _tones(
    attributes: PersonAttributes, marks: Points, melanin: Picture, blood: Picture, rng: np.random.Generator
) -> None:
    """Blush, nose, dark rings: the face is never of one colour."""
    red = 0.25 + 0.75 * attributes.blush
    for side in SIDES:
        outward = np.sign(marks[side.canthus][0] - marks[side.inner][0])
        cheek = marks[side.cheek] + rng.normal(0, 0.002 / CANVAS_PIXEL_M, 2)
        _blob(blood, cheek, (0.016, 0.013), 0.55 * red)
        lid = marks[side.lower_lid].mean(axis=0)
        ring = lid + np.array([-outward * 0.004, 0.0075]) / CANVAS_PIXEL_M
        _blob(melanin, ring, (0.011, 0.0045), 0.45 * attributes.under_eye)
        _blob(blood, ring, (0.011, 0.0045), 0.5 * attributes.under_eye)
        upper = marks[side.upper_lid].mean(axis=0) - np.array([0.0, 0.003 / CANVAS_PIXEL_M])
        _blob(blood, upper, (0.012, 0.005), 0.3)
        _blob(melanin, upper, (0.014, 0.006), 0.15)
        _blob(blood, marks[side.alar], (0.006, 0.007), 0.35)
    _blob(blood, marks[_NOSE_TIP], (0.009, 0.009), 0.55 * red)
    _blob(blood, marks[CHIN[2]], (0.011, 0.008), 0.3 * red)
    _blob(blood, marks[10] + np.array([0.0, 0.01 / CANVAS_PIXEL_M]), (0.035, 0.018), -0.25)
    _blob(melanin, marks[10] + np.array([0.0, 0.01 / CANVAS_PIXEL_M]), (0.035, 0.02), 0.08)


def _spots(attributes: PersonAttributes, marks: Points, melanin: Picture, rng: np.random.Generator) -> None:
    def dot(at: Points, radius_m: float, amount: float) -> None:
        centre = tuple(int(v) for v in np.round(at * 2**_SHIFT))
        radius = max(1, round(radius_m / CANVAS_PIXEL_M * 2**_SHIFT))
        layer = np.zeros_like(patch)
        cv2.circle(layer, centre, radius, (amount,), -1, cv2.LINE_AA, _SHIFT)
        np.maximum(patch, layer, out=patch)

    _height, width = melanin.shape
    if attributes.freckles > 0:
        count = int(60 + 420 * attributes.freckles)
        middle = marks[[SIDES[0].cheek, SIDES[1].cheek]].mean(axis=0)
        at = middle + rng.normal(0, 1, (count, 2)) * np.array([0.036, 0.017]) / CANVAS_PIXEL_M
        at[: count // 4] = (
            middle + rng.normal(0, 1, (count // 4, 2)) * np.array([0.05, 0.05]) / CANVAS_PIXEL_M
        )
        freckles = np.zeros_like(melanin)
        for place, size, dark in zip(
            at, rng.uniform(0.4, 1.1, count), rng.uniform(0.25, 0.8, count), strict=True
        ):
            centre = tuple(int(v) for v in np.round(place * 2**_SHIFT))
            radius = round(size * 1e-3 / CANVAS_PIXEL_M * 2**_SHIFT)
            cv2.circle(freckles, centre, radius, (float(dark),), -1, cv2.LINE_8, _SHIFT)
        melanin += cv2.GaussianBlur(freckles, (0, 0), 1.2) * (0.5 + 0.5 * attributes.freckles)
    patch = np.zeros_like(melanin)
    for _ in range(attributes.moles):
        place = np.array([width * 0.5, marks[_NOSE_TIP][1]])
        dot(
            place + rng.normal(0, 1, 2) * np.array([0.04, 0.045]) / CANVAS_PIXEL_M,
            rng.uniform(7e-4, 1.8e-3),
            1.3,
        )
    for _ in range(int(max(0.0, attributes.age - 55) * rng.uniform(0, 0.5))):  # age spots
        place = np.array([width * 0.5, marks[10][1]])
        dot(
            place + rng.normal(0, 1, 2) * np.array([0.07, 0.05]) / CANVAS_PIXEL_M,
            rng.uniform(1e-3, 3e-3),
            0.35,
        )
    if patch.any():
        melanin += cv2.GaussianBlur(patch, (0, 0), 1.3)


def _beside(at: Points, x: float, y: float) -> Points:
    """A place some pixels off."""
    return at + np.array([x, y])


def _curve(points: Points, count: int = 16) -> Points:
    """(count, 2) smooth through the given points: Lagrange for three, straight otherwise."""
    t = np.linspace(0, 1, count)[:, None]
    if len(points) == 3:
        a, b, c = points
        return np.asarray(a * (1 - t) * (1 - 2 * t) + b * 4 * t * (1 - t) + c * t * (2 * t - 1))
    at = np.linspace(0, 1, len(points))
    return np.stack([np.interp(t[:, 0], at, points[:, k]) for k in range(2)], axis=1)


def _wrinkles(attributes: PersonAttributes, marks: Points, shade: Picture, rng: np.random.Generator) -> None:
    """Creases: a dark line, with the lit fold above it."""
    deep = attributes.wrinkles
    mm = 1e-3 / CANVAS_PIXEL_M
    lines: list[tuple[Points, float, float]] = []  # course, depth, half width in mm
    smiling = max(0.0, attributes.smile)
    for side in SIDES:
        corner, alar, canthus = marks[side.corner], marks[side.alar], marks[side.canthus]
        inner = marks[side.inner]
        out = float(np.sign(canthus[0] - inner[0]))
        fold = np.array(
            [
                _beside(alar, out * 1.5 * mm, -2 * mm),
                (alar + corner) / 2 + [out * 5.5 * mm, 0],
                _beside(corner, out * 7 * mm, 4 * mm),
            ]
        )
        lines.append((_curve(fold), 0.10 + 0.15 * smiling + 0.55 * deep, 1.6))
        if deep > 0.2:
            down = np.array(
                [
                    _beside(corner, out * 2 * mm, 2 * mm),
                    _beside(corner, out * 5 * mm, 9 * mm),
                    _beside(corner, out * 6 * mm, 17 * mm),
                ]
            )
            lines.append((_curve(down), 0.5 * (deep - 0.2), 1.2))
        for k in range(int(1 + 4 * deep)):
            angle = np.radians(-35 + 28 * k + rng.normal(0, 6))
            begin = canthus + np.array([out * 4.5 * mm, 0]) + rng.normal(0, 0.8 * mm, 2)
            way = np.array([out * np.cos(angle), np.sin(angle)])
            end = begin + way * rng.uniform(7, 13) * mm
            lines.append((_curve(np.array([begin, (begin + end) / 2 + rng.normal(0, 0.7 * mm, 2), end])),
                          0.45 * deep + 0.08 * smiling, 0.8))  # fmt: skip
        lid = marks[side.lower_lid]
        for k in range(2):
            below = lid[2:8] + np.array([0.0, (6.0 + 4.5 * k) * mm])
            lines.append(
                (_curve(below[[0, 2, 5]] + [0, 1.0 * mm]), (0.07 + 0.30 * deep) * (1 - 0.35 * k), 1.1)
            )
        brow = marks[side.upper_brow[0]]
        if deep > 0.25 and rng.random() < 0.8:
            glabella = np.array(
                [
                    _beside(brow, out * -1.5 * mm, 6 * mm),
                    _beside(brow, out * -2 * mm, -2 * mm),
                    _beside(brow, out * -1 * mm, -9 * mm),
                ]
            )
            lines.append((_curve(glabella), 0.4 * deep, 0.9))
    top, low = marks[10][1], marks[9][1]
    count = int(rng.integers(2, 5) * min(1.0, deep * 2.0) + 0.5)
    for k in range(count):
        y = low + (top - low) * (0.25 + 0.6 * (k + rng.normal(0.5, 0.1)) / max(count, 1))
        x = np.linspace(-1, 1, 24) * rng.uniform(22, 36) * mm + marks[10][0] + rng.normal(0, 3 * mm)
        wobble = cv2.GaussianBlur(rng.normal(0, 3.2 * mm, (24, 1)), (1, 9), 3).ravel() - 2 * mm * np.cos(
            np.linspace(-2.2, 2.2, 24)
        )
        lines.append((np.stack([x, y + wobble], axis=1), 0.5 * deep * rng.uniform(0.5, 1), 1.0))
    for k in range(2):  # rings of the neck
        if deep > 0.15:
            y = marks[152][1] + (30 + 16 * k) * mm
            x = np.linspace(-1, 1, 24) * 45 * mm + marks[10][0]
            sag = 5 * mm * np.cos(np.linspace(-1.5, 1.5, 24)) + rng.normal(0, 0.4 * mm, 24)
            lines.append((np.stack([x, y + sag], axis=1), 0.3 * deep, 1.3))
    for course, depth, half in lines:
        if depth < 0.02:
            continue
        _crease(shade, course, depth, half * mm)


def _crease(shade: Picture, course: Points, depth: float, half: float) -> None:
    """Add one crease that fades at its ends to the picture, in place."""
    reach = int(5 * half) + 3
    low = np.maximum(np.floor(course.min(axis=0)).astype(int) - reach, 0)
    high = np.minimum(np.ceil(course.max(axis=0)).astype(int) + reach, np.array(shade.shape[::-1]))
    if (high - low < 3).any():
        return
    patch = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    for k in range(len(course) - 1):
        strength = float(np.sin(np.pi * (k + 0.7) / (len(course) + 0.4)) ** 0.7)
        ends = np.round((course[k : k + 2] - low) * 2**_SHIFT).astype(int)
        cv2.line(patch, tuple(ends[0]), tuple(ends[1]), (strength,), max(1, round(half)), cv2.LINE_AA, _SHIFT)
    dark = cv2.GaussianBlur(patch, (0, 0), 0.6 * half)
    wide = cv2.GaussianBlur(patch, (0, 0), 1.7 * half)
    peak = max(float(dark.max()), 1e-6)
    shade[low[1] : high[1], low[0] : high[0]] += depth / peak * (-1.15 * dark + 0.9 * wide - 0.35 * wide)


def _brows(attributes: PersonAttributes, marks: Points, hair: Picture, rng: np.random.Generator) -> None:
    """Single hairs: upward at the inner end, along the brow at the outer one."""
    mm = 1e-3 / CANVAS_PIXEL_M
    full = attributes.brows
    t = np.linspace(0, 1, 5)
    thick = 0.5 + 0.75 * full + (0.15 if attributes.male else 0.0)
    arch = rng.normal(0, 0.6) * mm
    for side in SIDES:
        upper, lower = marks[side.upper_brow], marks[side.lower_brow]
        middle, across = (upper + lower) / 2, (upper - lower) / 2
        out = float(np.sign(middle[-1, 0] - middle[0, 0]))
        middle = middle + np.array([0.0, 1.0]) * (-arch * np.sin(np.pi * t))[:, None]
        middle[0] += [-out * rng.uniform(-1, 2.0) * mm * full, 0]
        count = int(170 + 260 * full)
        s = rng.beta(1.0, 1.15, count)
        off = (
            np.clip(rng.normal(0, 0.42, count), -1, 1)
            * thick
            * np.interp(s, [0, 0.15, 0.6, 1], [0.8, 1.0, 0.8, 0.25])
        )
        base = np.stack(
            [np.interp(s, t, middle[:, k]) + off * np.interp(s, t, across[:, k]) for k in range(2)], axis=1
        )
        ahead = np.stack([np.interp(s, t[:-1] + 0.125, np.diff(middle[:, k]) * 4) for k in range(2)], axis=1)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        up = np.interp(s, [0, 0.3, 0.7, 1], [1.3, 0.55, 0.1, -0.05]) + rng.normal(0, 0.15, count) - 0.25 * off
        way = ahead + np.array([0.0, -1.0]) * up[:, None]
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        tip = base + way * (rng.uniform(3.0, 6.5, count) * (0.7 + 0.5 * full) * mm)[:, None]
        ends = np.round(np.stack([base, tip], axis=1) * 2**_SHIFT).astype(np.int32)
        patch = np.zeros_like(hair)
        for pair in ends:
            cv2.line(patch, tuple(pair[0]), tuple(pair[1]), (1.0,), 1, cv2.LINE_AA, _SHIFT)
        soft = cv2.GaussianBlur(patch, (0, 0), 3.5)
        strength = 0.55 + 0.4 * full
        np.maximum(hair, np.clip(0.75 * patch + 0.75 * soft, 0, 1) * strength, out=hair)


def _make_up(
    attributes: PersonAttributes, marks: Points, rng: np.random.Generator
) -> tuple[NDArray[np.float32] | None, tuple[float, float, float], tuple[float, float, float, float]]:
    strong = attributes.make_up
    lipstick = _LIPSTICKS[rng.integers(len(_LIPSTICKS))]
    shadow = _SHADOWS[rng.integers(len(_SHADOWS))]
    cover = strong * float(rng.uniform(0.3, 0.95))
    lined = rng.random() < 0.7
    if strong <= 0:
        return None, shadow, (*lipstick, 0.0)
    width, height = canvas_size()
    mm = 1e-3 / CANVAS_PIXEL_M
    small = np.zeros((height // 2, width // 2), np.float32)
    line = np.zeros((height, width), np.float32)
    for side in SIDES:
        upper, lower = marks[side.upper_lid], marks[side.lower_lid]
        out = float(np.sign(upper[-1, 0] - upper[0, 0]))
        _blob(small, _beside(upper[3:].mean(axis=0), out * 2 * mm, -3 * mm), (0.010, 0.0042), 0.75 * strong)
        if lined:
            wing = np.concatenate([upper, _beside(upper[-1:], out * 3 * mm, -1.2 * mm)])
            for course, thick in ((wing, 4), (lower[3:], 2)):
                points = np.round(course * 2**_SHIFT).astype(np.int32)
                cv2.polylines(line, [points], False, (1.0,), thick, cv2.LINE_AA, _SHIFT)
    line = cv2.GaussianBlur(line, (0, 0), 1.2) * min(1.0, 0.35 + strong)
    shade = np.clip(cv2.resize(small, (width, height)), 0, 0.9)
    return np.stack([shade, line], axis=2).astype(np.float32), shadow, (*lipstick, cover)

# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person is photographed: lamps and surroundings, camera, background, at random and as plain data.

Directions and places are in head axes (see :mod:`holotalk_addon.head`) of a head that looks straight at the
camera: they stay with the camera when the head turns. Colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]

LIGHTS = ("studio", "window", "hard sun", "overcast", "coloured", "room")
BACKGROUNDS = ("plain", "gradient", "wall", "bokeh", "foliage", "room")
BACKGROUND_SIZE = 256


@dataclass(frozen=True)
class Lamp:
    """A lamp far away."""

    direction: tuple[float, float, float]
    """unit, from the head to the lamp"""
    colour: Colour
    """linear RGB, its largest part 1"""
    strength: float
    """irradiance at normal incidence; 1 lights a white surface to white (radiance 1 / pi times that)"""
    angle: float
    """degrees across, as seen from the head: 0.5 is the sun, 60 a large window"""


@dataclass(frozen=True)
class Light:
    """Lamps, and the light that comes from all around."""

    kind: str
    """one of :data:`LIGHTS`"""
    lamps: tuple[Lamp, ...]
    sky: Colour
    """radiance from above"""
    horizon: Colour
    """from the sides"""
    ground: Colour
    """from below"""


@dataclass(frozen=True)
class ShotCamera:
    """A camera that looks at the head along its z axis."""

    focal_mm: float
    """on a sensor 36 mm wide"""
    distance: float
    """metres from the middle between the eyes"""
    centre: tuple[float, float]
    """x and y (metres, head axes) of the place in the middle of the picture"""
    width: float
    """metres at the distance of the eyes across the picture"""
    yaw: float
    """degrees by which the head is turned, conventions of the package"""
    pitch: float
    roll: float


@dataclass(frozen=True)
class Shot:
    """All about one photograph but the person."""

    light: Light
    camera: ShotCamera
    background_kind: str
    """one of :data:`BACKGROUNDS`"""
    background: NDArray[np.uint8]
    """(256, 256, 3) sRGB, first row on top"""


def random_shot(rng: np.random.Generator) -> Shot:
    """A random photograph; the same generator state gives the same one."""
    streams = [np.random.default_rng(s) for s in rng.integers(0, 2**63, (3, 2))]
    kind = str(streams[2].choice(BACKGROUNDS))
    return Shot(random_light(streams[0]), random_camera(streams[1]), kind, draw_background(kind, streams[2]))


def random_light(rng: np.random.Generator) -> Light:
    """Lamps and surroundings as portraits have them: bright enough for the face in all of them."""
    kind = str(rng.choice(LIGHTS, p=[0.25, 0.2, 0.15, 0.15, 0.1, 0.15]))
    side = float(rng.choice([-1.0, 1.0]))
    grey = np.ones(3)
    if kind == "studio":  # key, fill, rim
        key = rng.uniform(2.0, 3.0)
        lamps = [
            _lamp(side * rng.uniform(20, 55), rng.uniform(15, 50), grey, key, rng.uniform(20, 60), rng),
            _lamp(
                -side * rng.uniform(30, 70), rng.uniform(-5, 25), grey, key * rng.uniform(0.2, 0.6), 60, rng
            ),
        ]
        if rng.random() < 0.6:
            lamps.append(_lamp(-side * rng.uniform(120, 165), 35, grey, rng.uniform(1, 3), 20, rng))
        around = grey * rng.uniform(0.05, 0.25)
        return _light(kind, lamps, around, around, around * 0.8)
    if kind == "window":
        day = _kelvin(rng.uniform(5500, 8000))
        lamps = [_lamp(side * rng.uniform(40, 85), rng.uniform(0, 30), day, rng.uniform(2, 3.2), 60, rng)]
        room = _kelvin(rng.uniform(3500, 6000)) * rng.uniform(0.12, 0.35)
        return _light(kind, lamps, room, room, room * 0.7)
    if kind == "hard sun":
        sun = _kelvin(rng.uniform(4200, 5800))
        lamps = [_lamp(side * rng.uniform(0, 110), rng.uniform(20, 65), sun, rng.uniform(2.5, 4.0), 0.6, rng)]
        sky = np.array([0.35, 0.55, 0.95]) * rng.uniform(0.4, 0.8)
        ground = np.array([0.30, 0.26, 0.18]) * rng.uniform(0.4, 1.2)
        return _light(kind, lamps, sky, (sky + 0.4) / 2, ground)
    if kind == "overcast":
        sky = _kelvin(rng.uniform(6000, 7500)) * rng.uniform(0.8, 1.2)
        lamps = [_lamp(rng.uniform(-90, 90), 75, grey, rng.uniform(0.2, 0.8), 90, rng)]
        return _light(kind, lamps, sky, sky * 0.8, sky * rng.uniform(0.15, 0.4))
    if kind == "coloured":
        first, second = _vivid(rng), _vivid(rng)
        lamps = [
            _lamp(side * rng.uniform(25, 80), rng.uniform(-10, 40), first, rng.uniform(1.5, 3), 30, rng),
            _lamp(-side * rng.uniform(40, 110), rng.uniform(-10, 40), second, rng.uniform(1.5, 3), 30, rng),
            _lamp(0, 20, grey, rng.uniform(0.3, 1.0), 60, rng),
        ]
        around = (first + second) * rng.uniform(0.04, 0.12)
        return _light(kind, lamps, around, around, around)
    bulbs = _kelvin(rng.uniform(2900, 4500))
    lamps = [
        _lamp(
            rng.uniform(-180, 180), rng.uniform(35, 80), bulbs, rng.uniform(0.8, 2.0), rng.uniform(8, 40), rng
        )
        for _ in range(int(rng.integers(1, 4)))
    ]
    walls = bulbs * rng.uniform(0.3, 0.6)
    return _light(kind, lamps, walls, walls * rng.uniform(0.7, 1.0), walls * rng.uniform(0.3, 0.8))


def random_camera(rng: np.random.Generator) -> ShotCamera:
    """From a phone held at arm's length to a portrait lens; the head about as large in either."""
    width = float(rng.uniform(0.36, 0.62))
    focal = float(np.exp(rng.uniform(np.log(26), np.log(105))))
    distance = focal * width / 36.0
    return ShotCamera(
        focal_mm=focal,
        distance=max(distance, 0.30),
        centre=(float(rng.normal(0, 0.015)), float(rng.normal(-0.035, 0.02))),
        width=max(distance, 0.30) * 36.0 / focal,
        yaw=float(np.clip(rng.normal(0, 14), -45, 45)),
        pitch=float(np.clip(rng.normal(0, 7), -25, 25)),
        roll=float(np.clip(rng.normal(0, 5), -20, 20)),
    )


def draw_background(kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(256, 256, 3) sRGB: what is behind the person, mostly out of focus.

    Raises:
        ValueError: kind is not one of :data:`BACKGROUNDS`.
    """
    size = BACKGROUND_SIZE
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    base, other = _muted(rng), _muted(rng)
    if kind == "plain":
        picture = np.tile(base, (size, size, 1))
    elif kind == "gradient":
        turn = rng.uniform(0, 2 * np.pi)
        if rng.random() < 0.5:
            share = np.clip(0.5 + (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn), 0, 1)
        else:
            share = np.clip(1.3 * np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.2, 0.6)), 0, 1)
        picture = base + (other - base) * share[..., None]
    elif kind == "wall":
        picture = base * (1 + 0.10 * _clouds(rng, size, 2.0) + 0.06 * _clouds(rng, size, 14.0))[..., None]
        if rng.random() < 0.5:
            rows, columns = int(rng.integers(6, 16)), int(rng.integers(3, 8))
            row = np.floor(y * rows)
            joint = (np.mod(y * rows, 1) < 0.1) | (np.mod(x * columns + 0.5 * np.mod(row, 2), 1) < 0.05)
            tone = rng.uniform(0.85, 1.1, (rows, columns + 2))
            brick = tone[row.astype(int), np.floor(x * columns + 0.5 * np.mod(row, 2)).astype(int)]
            picture = np.where(joint[..., None], picture * 0.75, picture * brick[..., None])
        picture = _blurred(picture, rng.uniform(0.5, 5))
    elif kind == "bokeh":
        picture = np.tile(base * 0.35, (size, size, 1)).astype(np.float32)
        for _ in range(int(rng.integers(15, 70))):
            disc = np.zeros((size, size), np.float32)
            place = tuple(int(v) for v in rng.integers(0, size, 2))
            cv2.circle(
                disc, place, int(rng.integers(4, 26)), (float(rng.uniform(0.15, 0.7)),), -1, cv2.LINE_AA
            )
            picture = picture + disc[..., None] * (0.4 + 0.6 * _vivid(rng))
        picture = _blurred(picture, rng.uniform(1, 4))
    elif kind == "foliage":
        leaf = np.array([rng.uniform(0.15, 0.4), rng.uniform(0.30, 0.55), rng.uniform(0.08, 0.25)])
        tone = 0.5 + 0.25 * _clouds(rng, size, 6.0) + 0.25 * _clouds(rng, size, 2.0)
        gap = np.clip(_clouds(rng, size, 10.0) * 1.5 - 1.2, 0, 1)[..., None]
        picture = leaf * (0.4 + tone)[..., None] * (1 - gap) + np.array([0.85, 0.92, 0.9]) * gap
        picture = _blurred(picture, rng.uniform(1, 7))
    elif kind == "room":
        floor = rng.uniform(0.7, 1.0)
        picture = np.where((y < floor)[..., None], base, other * 0.7) * (1.1 - 0.3 * y)[..., None]
        picture = picture.astype(np.float32)
        for _ in range(int(rng.integers(3, 12))):  # doors, shelves, pictures, windows
            left, top = rng.integers(-40, size, 2)
            wide, tall = rng.integers(15, 130, 2)
            colour = _muted(rng) if rng.random() < 0.75 else np.array([1.0, 0.98, 0.94])
            corner = (int(left + wide), int(top + tall))
            cv2.rectangle(picture, (int(left), int(top)), corner, tuple(float(c) for c in colour), -1)
        picture = _blurred(picture, rng.uniform(1.5, 8))
    else:
        raise ValueError(f"Unknown background {kind!r}: it is one of {', '.join(BACKGROUNDS)}.")
    noisy = picture + rng.normal(0, 0.006, picture.shape)
    return (np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8)


def _lamp(
    azimuth: float,
    elevation: float,
    colour: NDArray[np.floating],
    strength: float,
    angle: float,
    rng: np.random.Generator,
) -> Lamp:
    a, e = np.radians(azimuth + rng.normal(0, 4)), np.radians(np.clip(elevation + rng.normal(0, 4), -89, 89))
    way = (float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e)))
    return Lamp(way, _colour(colour / colour.max()), float(strength), float(angle))


def _light(
    kind: str,
    lamps: list[Lamp],
    sky: NDArray[np.floating],
    horizon: NDArray[np.floating],
    ground: NDArray[np.floating],
) -> Light:
    return Light(kind, tuple(lamps), _colour(sky), _colour(horizon), _colour(ground))


def _colour(rgb: NDArray[np.floating]) -> Colour:
    red, green, blue = (float(v) for v in rgb)
    return red, green, blue


def _kelvin(temperature: float) -> NDArray[np.float64]:
    """(3,) linear RGB of daylight or a bulb, its largest part 1, relative to 6500 K: Planck's law at
    610, 550 and 465 nm."""
    nm = np.array([610.0, 550.0, 465.0])

    def planck(kelvin: float) -> NDArray[np.float64]:
        return np.asarray(1.0 / (nm**5 * np.expm1(1.4388e7 / (nm * kelvin))))

    rgb = planck(temperature) / planck(6500.0)
    return np.asarray(rgb / rgb.max())


def _vivid(rng: np.random.Generator) -> NDArray[np.float64]:
    pixel = np.array([[[rng.uniform(0, 180), rng.uniform(90, 230), 255]]], dtype=np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] / 255.0, dtype=np.float64)


def _muted(rng: np.random.Generator) -> NDArray[np.float64]:
    hsv = [rng.uniform(0, 180), rng.beta(1.2, 3) * 200, rng.uniform(25, 245)]
    pixel = np.array([[hsv]], dtype=np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] / 255.0, dtype=np.float64)


def _clouds(rng: np.random.Generator, size: int, sigma: float) -> NDArray[np.float64]:
    """(size, size) smooth noise, mean 0, deviation 1."""
    smooth = cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigma)
    return np.asarray((smooth - smooth.mean()) / smooth.std())


def _blurred(picture: NDArray[np.floating], sigma: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float64), (0, 0), float(sigma)))

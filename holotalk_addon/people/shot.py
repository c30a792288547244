# SPDX-License-Identifier: GPL-3.0-or-later
"""How somebody is photographed: lamps, surroundings, camera, pose and what is behind them, drawn at random.

Axes here are the sitter's: x to the picture's right for somebody who looks straight at the camera, y up, z
toward the camera. Light stands where it is put; whoever turns their head turns it in this light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..face import rotation_from_angles
from ..head.camera import Camera
from ..head.view import View
from .backdrop import BACKGROUNDS, draw_background

LIGHTS = ("studio", "window", "sun", "overcast", "lamp", "coloured")
SENSOR_MM = 36.0
"""Width of the picture on the film that focal lengths are told for."""


@dataclass(frozen=True)
class Lamp:
    """A round, soft lamp that shines on the head's origin."""

    direction: tuple[float, float, float]
    """Unit vector from the head toward it, sitter's axes."""
    distance: float
    """metres"""
    radius: float
    """metres: the larger, the softer its shadows"""
    colour: tuple[float, float, float]
    """linear, brightest channel 1"""
    light: float
    """The light that it throws on a surface at the head's origin that faces it, in units in which a white
    surface under 1 is white in the picture."""


@dataclass(frozen=True)
class Shot:
    """One way of photographing somebody."""

    kind: str
    """of light, one of :data:`LIGHTS`"""
    lamps: tuple[Lamp, ...]
    sky: tuple[float, float, float]
    """linear light of the surroundings from above; a white surface all round which it is 1 is white"""
    horizon: tuple[float, float, float]
    """the same from all sides"""
    ground: tuple[float, float, float]
    """the same from below"""
    yaw: float
    """degrees, as everywhere: positive turns the nose to the picture's right"""
    pitch: float
    """degrees, positive raises the nose"""
    roll: float
    """degrees, positive tilts the head clockwise"""
    focal_mm: float
    """for a film :data:`SENSOR_MM` wide"""
    face_share: float
    """height of a head over the picture's side"""
    centre: tuple[float, float]
    """where the head's origin lies in the picture, in its sides from its middle: right, down"""
    background_kind: str
    """one of :data:`.backdrop.BACKGROUNDS`"""
    background: NDArray[np.uint8]
    """(H, W, 3) sRGB, any size, to be stretched over the picture"""

    def rotation(self) -> NDArray[np.float64]:
        """(3, 3) head axes -> camera axes."""
        return rotation_from_angles(self.yaw, self.pitch, self.roll)

    def view(self, size: int) -> View:
        """The camera's view, ``size`` pixels a side: as far off as the framing asks with that lens."""
        focal = self.focal_mm / SENSOR_MM * size
        distance = focal * HEAD_METRES / (self.face_share * size)
        x, y = (0.5 + self.centre[0]) * size, (0.5 + self.centre[1]) * size
        camera = Camera.of_picture(size, size, focal)
        return View(size, camera, self.rotation(), camera.unproject(np.array([x, y]), distance))


HEAD_METRES = 0.23
"""From the crown to the chin of the mean head."""


def random_shot(rng: np.random.Generator) -> Shot:
    """A random way of photographing somebody; the same generator state gives the same one."""
    kind = str(rng.choice(LIGHTS, p=[0.28, 0.22, 0.14, 0.16, 0.1, 0.1]))
    lamps, sky, horizon, ground = _light(kind, rng)
    exposure = float(np.exp2(rng.normal(0.0, 0.25))) / _brightness(lamps, sky, horizon, ground)
    lamps = tuple(
        Lamp(lamp.direction, lamp.distance, lamp.radius, lamp.colour, lamp.light * exposure) for lamp in lamps
    )
    frontal = rng.random() < 0.55
    yaw = float(rng.normal(0, 8) if frontal else np.clip(rng.normal(0, 28), -60, 60))
    background_kind = str(rng.choice(BACKGROUNDS))
    return Shot(
        kind=kind,
        lamps=lamps,
        sky=_scaled(sky, exposure),
        horizon=_scaled(horizon, exposure),
        ground=_scaled(ground, exposure),
        yaw=yaw,
        pitch=float(np.clip(rng.normal(0, 7), -25, 25)),
        roll=float(np.clip(rng.normal(0, 5), -20, 20)),
        focal_mm=float(np.exp(rng.uniform(np.log(26.0), np.log(110.0)))),
        face_share=float(rng.uniform(0.38, 0.72)),
        centre=(float(rng.normal(0, 0.03)), float(rng.normal(-0.02, 0.03))),
        background_kind=background_kind,
        background=draw_background(background_kind, rng),
    )


Colour = tuple[float, float, float]


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (float(c * factor) for c in colour)
    return red, green, blue


def _tint(kelvin: float) -> Colour:
    """Linear colour of a black body against daylight, brightest channel 1 (a fit to Planck's law by
    T. Helland, undone from sRGB's gamma)."""
    t = kelvin / 100.0
    red = 255.0 if t <= 66 else 329.7 * (t - 60) ** -0.1332
    green = 99.47 * np.log(t) - 161.1 if t <= 66 else 288.1 * (t - 60) ** -0.0755
    blue = 255.0 if t >= 66 else (0.0 if t <= 19 else 138.5 * np.log(t - 10) - 305.0)
    rgb = np.clip(np.array([red, green, blue]) / 255.0, 0.02, 1.0) ** 2.2
    # The camera's white balance takes most of it back.
    rgb = rgb**0.5
    return _scaled((rgb[0], rgb[1], rgb[2]), 1.0 / float(rgb.max()))


def _toward(across: float, up: float) -> Colour:
    """Unit vector, degrees to the picture's right of the camera and above it."""
    a, b = np.radians(across), np.radians(up)
    return float(np.sin(a) * np.cos(b)), float(np.sin(b)), float(np.cos(a) * np.cos(b))


def _light(kind: str, rng: np.random.Generator) -> tuple[tuple[Lamp, ...], Colour, Colour, Colour]:
    side = float(rng.choice([-1.0, 1.0]))
    grey = _tint(float(rng.uniform(4500, 8000)))

    def lamp(
        across: float, up: float, light: float, radius: float, colour: Colour, distance: float = 1.8
    ) -> Lamp:
        return Lamp(_toward(across, up), distance, radius, colour, light)

    if kind == "studio":
        warm = _tint(float(rng.uniform(4800, 6500)))
        lamps = [lamp(side * rng.uniform(15, 55), rng.uniform(15, 50), 1.0, rng.uniform(0.3, 0.7), warm)]
        lamps.append(
            lamp(-side * rng.uniform(20, 70), rng.uniform(-5, 25), rng.uniform(0.15, 0.6), 0.7, warm)
        )
        if rng.random() < 0.5:
            lamps.append(
                lamp(-side * rng.uniform(120, 165), rng.uniform(15, 45), rng.uniform(0.4, 1.2), 0.25, warm)
            )
        level = float(rng.uniform(0.08, 0.3))
        return tuple(lamps), _scaled(grey, level), _scaled(grey, level), _scaled(grey, 0.5 * level)
    if kind == "window":
        cool = _tint(float(rng.uniform(6000, 9000)))
        lamps = [lamp(side * rng.uniform(35, 85), rng.uniform(0, 25), 1.0, rng.uniform(0.6, 1.0), cool, 1.6)]
        level = float(rng.uniform(0.12, 0.4))
        room = _tint(float(rng.uniform(3800, 6000)))
        return tuple(lamps), _scaled(room, level), _scaled(room, level), _scaled(room, 0.6 * level)
    if kind == "sun":
        lamps = [
            lamp(
                side * rng.uniform(10, 130),
                rng.uniform(25, 65),
                1.0,
                rng.uniform(0.02, 0.06),
                _tint(5400),
                3.0,
            )
        ]
        level = float(rng.uniform(0.25, 0.6))
        earth = (1.0, 0.9, 0.75)
        return (
            tuple(lamps),
            _scaled(_tint(11000), level),
            _scaled(grey, 0.8 * level),
            _scaled(earth, 0.5 * level),
        )
    if kind == "overcast":
        level = 1.0
        lamps = [lamp(side * rng.uniform(0, 60), rng.uniform(30, 70), rng.uniform(0.1, 0.4), 1.0, grey)]
        return (
            tuple(lamps),
            _scaled(grey, level),
            _scaled(grey, 0.7 * level),
            _scaled(grey, float(rng.uniform(0.15, 0.4))),
        )
    if kind == "lamp":
        warm = _tint(float(rng.uniform(2700, 4200)))
        lamps = [
            lamp(side * rng.uniform(0, 80), rng.uniform(20, 75), 1.0, rng.uniform(0.08, 0.25), warm, 1.4)
        ]
        if rng.random() < 0.5:
            lamps.append(
                lamp(-side * rng.uniform(30, 100), rng.uniform(0, 50), rng.uniform(0.2, 0.6), 0.2, warm)
            )
        level = float(rng.uniform(0.1, 0.3))
        return tuple(lamps), _scaled(warm, level), _scaled(warm, level), _scaled(warm, 0.6 * level)

    def saturated() -> Colour:
        rgb = rng.dirichlet([0.7, 0.7, 0.7])
        rgb = 0.25 + 0.75 * rgb / rgb.max()
        return float(rgb[0]), float(rgb[1]), float(rgb[2])

    lamps = [
        lamp(side * rng.uniform(20, 90), rng.uniform(-5, 45), 1.0, rng.uniform(0.2, 0.6), saturated()),
        lamp(-side * rng.uniform(20, 100), rng.uniform(-5, 40), rng.uniform(0.4, 1.0), 0.4, saturated()),
    ]
    level = float(rng.uniform(0.1, 0.35))
    return tuple(lamps), _scaled(grey, level), _scaled(grey, level), _scaled(grey, level)


def _brightness(lamps: tuple[Lamp, ...], sky: Colour, horizon: Colour, ground: Colour) -> float:
    """Light on a face as the camera's meter sees it: a mean over surfaces that look to all sides."""
    normals = np.array([_toward(a, b) for a in (-45, 0, 45) for b in (-25, 15)])
    around = 0.5 * np.mean(horizon) + 0.3 * np.mean(sky) + 0.2 * np.mean(ground)
    total = np.full(len(normals), around)
    for lamp in lamps:
        total += lamp.light * np.mean(lamp.colour) * np.clip(normals @ np.array(lamp.direction), 0, None)
    return float(max(total.mean(), 1e-3))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair of the head: where it grows and how each style is combed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..surface import smoothstep
from .person import PersonAttributes, Prop
from .space import Grid
from .strands import Comb, Growth, Locks, carry, grow, hair_texture, strips, wave
from .workshop import Workshop

_CROWN = np.array([0.0, 0.105, -0.055])
"""where the hair whorls, on the mean head"""

# The hair line: height (m) over azimuth (degrees from the front) on the mean head, full and receded.
_LINE_AT = (0, 18, 32, 45, 58, 72, 84, 100, 112, 128, 150, 180)
_LINE = (0.067, 0.066, 0.060, 0.047, 0.030, 0.008, -0.002, 0.010, -0.012, -0.045, -0.060, -0.064)
_RECEDED = (0.022, 0.030, 0.042, 0.036, 0.020, 0.008, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def grow_hair(
    shop: Workshop,
    attributes: PersonAttributes,
    vertices: NDArray[np.floating],
    warp: Grid,
    rng: np.random.Generator,
) -> tuple[list[Prop], NDArray[np.float64]]:
    """The hair of a person's head, and how densely it grows.

    Args:
        shop: the workshop.
        attributes: whose hair.
        vertices: (V, 3) the person's posed head.
        warp: carries the mean head's surroundings to the person.
        rng: decides the rest.

    Returns:
        Props, and (V,) 0..1 where the skin is to be painted as covered by hair.
    """
    density = hair_density(shop, attributes, rng)
    style = attributes.hair_style
    if style == "bald":
        return [], density * 0.12
    plan = _plan(attributes, rng)
    triangles, weights = _roots(shop, density, plan.count, rng)
    corners = shop.model.triangles[triangles]
    roots = np.einsum("nc,ncd->nd", weights, shop.model.mean[corners])
    normals = np.einsum("nc,ncd->nd", weights, shop.normals[corners])
    displaced = np.einsum("nc,ncd->nd", weights, vertices[corners]) - roots
    layer = rng.random(plan.count)
    growth = plan.growth(roots, layer, rng)
    points = grow(shop.space, roots, normals, growth, plan.steps, rng)
    points = wave(points, growth.length, plan.amplitude, plan.wavelength, rng)
    _, out = shop.space.look(points.reshape(-1, 3))
    width = plan.width * rng.uniform(0.7, 1.3, plan.count)
    texture = hair_texture(shop.hair, attributes.hair_rgb, attributes.greying)
    locks = Locks(
        carry(points, warp, displaced), width, np.clip(layer + rng.normal(0, 0.15, len(layer)), 0, 1)
    )
    hair = strips("hair", locks, out.reshape(points.shape), texture, rng, plan.roll)
    return [hair], density * plan.undercoat


@dataclass(frozen=True)
class _Plan:
    """A style in numbers."""

    length: float
    comb: Comb
    count: int = 900
    steps: int = 8
    width: float = 0.013
    volume: float = 0.012
    gravity: float = 0.3
    stiffness: float = 0.45
    cling: float = 0.5
    lift: float = 0.4
    stray: float = 0.1
    roll: float = 0.35
    amplitude: float = 0.0
    wavelength: float = 0.05
    undercoat: float = 0.9
    fringe: float | None = None
    """length of the hair over the forehead, where it is cut shorter"""

    def growth(
        self, roots: NDArray[np.floating], layer: NDArray[np.floating], rng: np.random.Generator
    ) -> Growth:
        length = self.length * rng.uniform(0.8, 1.08, len(roots))
        if self.fringe is not None:
            front = smoothstep((roots[:, 2] - 0.035) / 0.02) * smoothstep(
                (0.052 - np.abs(roots[:, 0])) / 0.01
            )
            length = length + front * (self.fringe * rng.uniform(0.9, 1.05, len(roots)) - length)
        height = self.volume * (0.15 + 0.85 * layer) + 0.001
        return Growth(
            length, height, self.comb, self.gravity, self.stiffness, self.cling, self.lift, self.stray
        )


def hair_density(
    shop: Workshop, attributes: PersonAttributes, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(V,) 0..1 where hair grows on the scalp: the same line left and right."""
    model = shop.model
    mean = model.mean.astype(np.float64)
    azimuth = np.abs(np.degrees(np.arctan2(mean[:, 0], mean[:, 2])))
    line = np.interp(azimuth, _LINE_AT, np.array(_LINE) + attributes.hair_line * np.array(_RECEDED))
    line = line - 0.006 * rng.random()
    result = smoothstep((mean[:, 1] - line) / 0.010 + 0.5)
    if attributes.hair_style == "fringe of hair":
        result *= smoothstep((0.062 - 0.018 * attributes.hair_line - mean[:, 1]) / 0.02)
        result *= smoothstep((azimuth - 62.0) / 12.0)
    ears = smoothstep((model.region("ears") - 0.2) / 0.4)
    bare = (1 - ears) * (model.vertex_parts == 0) * (1 - model.region("eye_sockets"))
    return np.asarray(result * bare * (1 - model.region("mouth_inside")) * (model.fade > 0))


def _roots(
    shop: Workshop, density: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """(N,) triangles and (N, 3) weights of roots, evenly by area times density (systematic sampling)."""
    corners = shop.model.mean[shop.model.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = np.cumsum(area * density[shop.model.triangles].min(axis=1))
    at = (np.arange(count) + rng.random(count)) / count * share[-1]
    triangle = np.searchsorted(share, at)
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    return triangle, np.stack([1 - a, a * (1 - b), a * b], axis=1)


def _from_crown(p: NDArray[np.float64]) -> NDArray[np.float64]:
    away = p - _CROWN
    return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)


def _swept_back(p: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.tile([0.0, 0.25, -1.0], (len(p), 1))
    behind = smoothstep((-0.03 - p[:, 2]) / 0.04)[:, None]
    return result * (1 - behind) + np.array([0.0, -1.0, -0.2]) * behind


def _parted(at: float) -> Comb:
    """Hair combed away from a parting at x = at (m), and down behind the crown."""

    def comb(p: NDArray[np.float64]) -> NDArray[np.float64]:
        side = np.sign(p[:, 0] - at)
        aside = np.stack([side, np.full(len(p), -0.2), np.full(len(p), -0.25)], axis=1)
        behind = smoothstep((-0.01 - p[:, 2]) / 0.06)[:, None]
        return aside * (1 - behind) + (_from_crown(p) + np.array([0, -0.4, 0])) * behind

    return comb


def _outward(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return _from_crown(p) * 0.3


def _plan(attributes: PersonAttributes, rng: np.random.Generator) -> _Plan:
    style, length, curl = attributes.hair_style, attributes.hair_length, attributes.curl
    at = float(rng.choice([0.0, 0.025, -0.025, 0.035, -0.035]))
    amplitude, wavelength = 0.012 * curl, 0.11 - 0.07 * curl
    if style in ("buzz", "fringe of hair"):
        return _Plan(length, _from_crown, count=1300, steps=3, width=0.009, volume=max(0.002, length * 0.4),
                     gravity=0.05, lift=0.5, undercoat=0.75)  # fmt: skip
    if style == "crew":
        return _Plan(
            length, _from_crown, count=1100, steps=4, width=0.010, volume=0.010, gravity=0.05, lift=0.6
        )
    if style == "short":
        return _Plan(
            length,
            _from_crown,
            steps=5,
            volume=0.016,
            gravity=0.1,
            lift=0.55,
            stray=0.25,
            amplitude=amplitude,
            wavelength=wavelength,
        )
    if style == "swept back":
        return _Plan(
            length,
            _swept_back,
            volume=0.018,
            gravity=0.12,
            lift=0.6,
            amplitude=amplitude,
            wavelength=wavelength,
        )
    if style == "side part":
        return _Plan(
            length,
            _parted(at or 0.03),
            volume=0.018,
            gravity=0.15,
            lift=0.6,
            amplitude=amplitude,
            wavelength=wavelength,
        )
    if style == "afro":
        return _Plan(length, _outward, count=1500, steps=4, width=0.016, volume=length, gravity=0.0, lift=1.0,
                     stray=0.4, roll=1.2, amplitude=0.004, wavelength=0.02)  # fmt: skip
    if style == "curly":
        return _Plan(length, _from_crown, count=1100, steps=14, width=0.010, volume=0.03, gravity=0.35,
                     stray=0.3, lift=0.8, roll=0.8, amplitude=0.009, wavelength=0.035)  # fmt: skip
    if style == "bangs":
        return _Plan(
            length,
            _from_crown,
            count=800,
            steps=12,
            volume=0.016,
            gravity=0.4,
            fringe=0.085,
            amplitude=amplitude,
            wavelength=wavelength,
        )
    return _Plan(
        length,
        _parted(at),
        count=800,
        steps=14,
        volume=0.016,
        gravity=0.4,
        amplitude=amplitude,
        wavelength=wavelength,
    )

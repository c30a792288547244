# SPDX-License-Identifier: GPL-3.0-or-later
"""Painting the head: skin, lips, eyes, teeth and what lies on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..head.head import PARTS
from ..head.skin_optics import skin_colour, srgb_bytes, to_linear
from ..wardrobe.beards import brow_rgb
from .face_paint import paint_face
from .person import PersonAttributes
from .workshop import Workshop

_IRIS_ANGLE = np.radians(25.0)
_IRIS = {
    "dark brown": ((0.13, 0.075, 0.05), (0.07, 0.04, 0.03)),
    "brown": ((0.30, 0.18, 0.10), (0.15, 0.09, 0.05)),
    "hazel": ((0.42, 0.29, 0.13), (0.25, 0.24, 0.12)), "green": ((0.42, 0.40, 0.20), (0.25, 0.33, 0.22)),
    "blue": ((0.45, 0.55, 0.64), (0.22, 0.33, 0.46)), "grey": ((0.52, 0.55, 0.57), (0.32, 0.36, 0.40)),
}  # fmt: skip


def paint(
    shop: Workshop, attributes: PersonAttributes, scalp_hair: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """(S, S, 4) sRGB albedo and alpha of a person's head.

    Args:
        shop: the workshop.
        attributes: what to paint.
        scalp_hair: (V,) 0..1 how densely hair grows there: the skin under it is painted in its colour.
        rng: decides the details.
    """
    model = shop.model
    rolled = [np.roll(n, rng.integers(0, shop.size, 2), (0, 1)) for n in shop.noise]
    face = paint_face(shop, attributes, rng)
    melanin, blood = _pigments(shop, attributes)
    field = shop.spread(
        np.stack([melanin, blood, scalp_hair, model.region("mouth_inside"), model.region("lips")], axis=1)
    )
    drawn = shop.from_canvas(np.stack([face.melanin, face.blood, face.shade, face.hair], axis=2))
    fine, middle, coarse, coarsest = rolled
    log_melanin = field[..., 0] + drawn[..., 0]
    log_blood = field[..., 1] + drawn[..., 1]
    for noise, in_melanin, in_blood in (
        (fine, 0.04, 0.075), (middle, 0.04, 0.075), (coarse, 0.03, 0.12), (coarsest, 0.03, 0.08),
    ):  # fmt: skip
        log_melanin += np.float32(in_melanin) * noise
        log_blood += np.float32(in_blood) * noise
    colour = skin_colour(shop.room.skin, log_melanin, log_blood)
    colour *= np.exp(drawn[..., 2] + np.float32(0.02) * rolled[0])[..., None]
    flat = colour.reshape(-1, 3)
    red, green, blue, cover = face.lipstick
    _lay(flat, field[..., 4] * np.float32(cover), to_linear(np.array([red, green, blue])))
    if face.eyes is not None:
        made_up = shop.from_canvas(face.eyes)
        _lay(flat, made_up[..., 0], to_linear(np.array(face.shadow)))
        _lay(flat, made_up[..., 1], to_linear(np.array([0.05, 0.04, 0.04])))
    _lay(flat, drawn[..., 3], to_linear(brow_rgb(attributes)))
    hair = np.clip(field[..., 2] * (1.06 + 0.10 * rolled[0]), 0, 0.97)
    _lay(flat, hair, to_linear(np.array(attributes.hair_rgb)) * np.float32(0.8))
    _lay(flat, field[..., 3], np.array([0.15, 0.025, 0.022], dtype=np.float32))
    _paint_parts(shop, colour, attributes, rng)
    result = np.empty((shop.size, shop.size, 4), dtype=np.uint8)
    result[..., :3] = srgb_bytes(colour)
    result[..., 3] = shop.lash_alpha
    return result


def _lay(flat: NDArray[np.float32], cover: NDArray[np.float32], rgb: NDArray[np.float32]) -> None:
    """Cover (N, 3) colours in place by one colour, as far as (H, W) cover says."""
    share = cover.ravel()
    where = np.flatnonzero(share > 0.004)
    below = flat[where]
    flat[where] = below + share[where, None] * (rgb - below)


def _pigments(
    shop: Workshop, attributes: PersonAttributes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(V,) logarithms of melanin and blood, before detail."""
    model = shop.model
    lips = model.region("lips")
    melanin = np.full(len(model.mean), np.log(attributes.melanin))
    blood = np.full(len(model.mean), np.log(attributes.haemoglobin))
    dark = np.clip(np.log(attributes.melanin / 0.08), 0.0, 1.2)
    blood += lips * 1.7 + 0.35 * model.region("ears")
    melanin += lips * (0.1 - 0.15 * dark)
    melanin -= 0.12 * model.region("neck") * (model.mean[:, 2] > 0.0)
    return melanin, blood


def _paint_parts(
    shop: Workshop, colour: NDArray[np.float32], attributes: PersonAttributes, rng: np.random.Generator
) -> None:
    flat = colour.reshape(-1, 3)
    part = shop.part.ravel()
    flat[part == PARTS.index("teeth")] = to_linear(np.array([0.88, 0.85, 0.78]))
    flat[part == PARTS.index("tongue")] = to_linear(np.array([0.70, 0.40, 0.38]))
    flat[part == PARTS.index("lashes")] = to_linear(np.array([0.06, 0.05, 0.045]))
    off, around = shop.eye_angles.T
    share = off / _IRIS_ANGLE
    inner, outer = (to_linear(np.array(c)) for c in _IRIS[attributes.eye_colour])
    fibre = np.cos(around * 37 + 3 * np.sin(around * 11)) * 0.5 + np.cos(around * 61) * 0.5
    iris = inner + (outer - inner) * np.clip(share * 1.6 - 0.5, 0, 1)[:, None]
    iris = iris * (1 + 0.22 * fibre * (share > 0.4))[:, None]
    ring = np.clip((share - 0.82) / 0.14, 0, 1)[:, None]
    iris = iris * (1 - 0.75 * ring)
    pupil = float(rng.uniform(0.28, 0.42))
    iris = np.where((share < pupil)[:, None], 0.004, iris)
    white = to_linear(np.array([0.86, 0.83, 0.80])) * (1 - 0.25 * np.clip(off - 0.7, 0, 1))[:, None]
    edge = np.clip((share - 0.97) / 0.06, 0, 1)[:, None]
    flat[shop.eye_texels] = iris * (1 - edge) + white * edge

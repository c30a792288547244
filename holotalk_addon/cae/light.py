# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a photo, told by the skin that it shows, and what skin that it does not show is like in it.

A person's skin has about one colour all over: how bright it is where it faces which way tells the light. That
is a share from everywhere alike and distant lamps all around, each of which lights a matte surface by the
cosine of the angle to it (Lambert). None is negative, so that what follows for the back, of which no photo
tells, is a light that there can be; and lamps are held back, so that light of which nothing tells that it has
a direction is even.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..face.srgb import decode, encode
from ..head.colours import luminance
from ..head.completion import HeadTexture, SeenHead
from ..head.fill import at_vertices
from ..head.head import PARTS
from ..head.membrane import membrane
from ..head.morphable_model import HeadModel
from .stacks import DARKEST

_LAMPS = 64  # evenly over the sphere: 25 degrees apart, where each lights half of it
_HELD_BACK = 0.2  # weight of the lamps' mean square (0.02 to 5 were tried, on 11 bald people in two lights)
_STEPS = 300
_ROUNDS = 6
_NOISE = 0.2  # of the skin's brightness: differences up to this weigh alike (0.05 to 0.2 were tried there)
_GUESSED = 1e-6  # weight of skin that was filled in: it decides where nothing was seen
_SEEN = 0.35  # a vertex counts as seen from here on
_NOT_SKIN = ("lips", "brows", "eyelids")
_BELIEVED = 0.3  # of the light, per vertex; what was seen has 1, and so has evenness (less was worse there)


@dataclass(frozen=True)
class SkinLight:
    """How bright a person's skin is by the way it faces. Linear luminance."""

    even: float
    """By the light from everywhere."""
    lamps: NDArray[np.float64]
    """(L,) by each lamp, where it faces it."""

    def brightness(self, normals: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) sRGB 0..1 of skin with these (N, 3) unit normals, head axes."""
        return encode(self.even + _facing(normals) @ self.lamps)


def find_light(
    normals: NDArray[np.floating], brightness: NDArray[np.floating], weight: NDArray[np.floating]
) -> SkinLight:
    """The light that explains skin: least absolute differences, so that beards and shadows tell little.

    They are found as weighted least squares, by the multiplicative steps that keep shares above 0
    (Daube-Witherspoon and Muehllehner 1986, "An iterative image space reconstruction algorithm").

    Args:
        normals: (N, 3) unit normals, head axes.
        brightness: (N,) sRGB 0..1 of the skin there.
        weight: (N,) >= 0, not all 0.
    """
    linear = decode(brightness)
    scale = max(float(np.average(linear, weights=weight)), 1e-6)
    parts = np.column_stack([np.ones(len(normals)), _facing(normals)])
    share = np.full(parts.shape[1], 0.5 / _LAMPS)
    share[0] = 0.5
    trusted = weight
    for _ in range(_ROUNDS):
        weighted = parts * (trusted / trusted.sum())[:, None]
        square, wanted = weighted.T @ parts, weighted.T @ (linear / scale)
        square[1:, 1:] += np.eye(_LAMPS) * (_HELD_BACK / _LAMPS)
        for _ in range(_STEPS):
            share *= wanted / np.maximum(square @ share, 1e-12)
        trusted = weight / np.maximum(np.abs(linear / scale - parts @ share), _NOISE)
    return SkinLight(float(scale * share[0]), scale * share[1:])


def _facing(normals: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, L) how much each lamp lights surfaces with these (N, 3) unit normals. Lamps lie on a spiral from
    pole to pole, each in an equal share of the sphere (a Fibonacci lattice)."""
    number = np.arange(_LAMPS) + 0.5
    up = 1.0 - 2.0 * number / _LAMPS
    around = np.pi * (1.0 + np.sqrt(5.0)) * number
    aside = np.sqrt(1.0 - up**2)
    lamps = np.stack([aside * np.sin(around), up, aside * np.cos(around)], axis=1)
    return np.asarray(np.maximum(normals @ lamps.T, 0.0))


@dataclass(frozen=True)
class LitSkin:
    """A head's skin in the photo's light."""

    light: SkinLight
    change: NDArray[np.float64]
    """(V,) natural logarithm: how much lighter than it was filled in skin is to be, to lie in this light."""


def light_skin(seen_head: SeenHead, filled: HeadTexture) -> LitSkin:
    """Find the photo's light, and what it makes of the skin that was filled in.

    What was filled in has the brightness of the skin that it grew from, whichever way that faced. The change
    is a smooth field: none where the skin was seen, so that there is no seam, and away from there what the
    light asks for. Detail that was filled in stays.
    """
    model = seen_head.model
    posed = seen_head.fit.posed(model)
    normals = model.normals(posed).astype(np.float64)
    shown = np.asarray(filled.pixels[..., :3], dtype=np.float32) / np.float32(255.0)
    found = at_vertices(model, np.dstack([shown, filled.seen]))
    brightness, seen = luminance(found[:, :3]), found[:, 3]
    bare = (model.vertex_parts == PARTS.index("skin")).astype(np.float64)
    for region in _NOT_SKIN if seen_head.hair is None else (*_NOT_SKIN, "scalp"):
        bare *= 1.0 - model.region(region)
    light = find_light(
        normals, brightness, _areas(model, posed) * bare * np.where(seen > _SEEN, seen, _GUESSED)
    )
    lit = np.log((light.brightness(normals) + DARKEST) / (brightness + DARKEST))
    known = seen > _SEEN
    change = membrane(
        model.edges, model.mean, np.where(known, 0.0, lit)[:, None], np.where(known, seen, _BELIEVED)
    )
    return LitSkin(light, change[:, 0])


def _areas(model: HeadModel, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
    """(V,) square metres: thrice the surface that belongs to each of these (V, 3) vertices."""
    corners = vertices[model.triangles].astype(np.float64)
    twice = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    total = np.bincount(model.triangles.ravel(), np.repeat(twice / 2, 3), len(vertices))
    return np.asarray(total, dtype=np.float64)

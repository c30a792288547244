# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyeballs and lashes of a completed texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .colours import luminance
from .completion import SeenHead
from .head import PARTS
from .texture import BakedPhoto

_IRIS_ANGLE = np.radians(22.0)  # an iris of 12 mm on the model's eyeballs, as seen from their centre
_PUPIL_ANGLE = np.radians(7.0)
_PLAIN_IRIS, _PLAIN_PUPIL = 0.35, 0.15  # brightness over the white's, and over the iris's
_EYE_REACH = np.radians(100.0)


def complete_eyes(seen_head: SeenHead, result: NDArray[np.float32], own: BakedPhoto) -> None:
    """Complete the eyeballs in place: what was seen of iris and white is turned about the gaze.

    The colour at each angle from the pole of the eye is the mean of what either eye shows there; the
    white beyond is the mean of the three brightest rings.
    """
    model, layout = seen_head.model, seen_head.layout
    on_eye = layout.of_part(model, "eyes")
    theta = _angle_from_gaze(seen_head, on_eye)
    texel = layout.texel[on_eye]
    seen = own.seen.reshape(-1)[texel]
    colour = own.colour.reshape(-1, 3)[texel]
    rings = 40
    position = theta / _EYE_REACH * rings
    ring = np.minimum(position.astype(int), rings - 1)
    weight = np.bincount(ring, seen**2, rings)
    mean = np.stack([np.bincount(ring, seen**2 * colour[:, c], rings) for c in range(3)], axis=1)
    known = weight > max(3.0, 2e-6 * layout.size**2)
    pixels = result.reshape(-1, 3)
    base = pixels[texel]
    if known.any():
        profile = np.where(known[:, None], mean / np.maximum(weight, 1e-6)[:, None], 0.0)
        index = np.arange(rings)
        outer = known & (index / rings * _EYE_REACH > _IRIS_ANGLE)
        candidates = np.flatnonzero(outer if outer.any() else known)
        bright = candidates[np.argsort(luminance(profile[candidates]))[-3:]]
        white = profile[bright].mean(axis=0)
        for c in range(3):
            profile[:, c] = np.interp(index, index[known], profile[known, c])
        # From the iris outward the lids' shadow and the lashes creep into what was seen.
        beyond = np.clip((index / rings * _EYE_REACH - _IRIS_ANGLE) / np.radians(8.0), 0, 1)[:, None]
        profile = profile * (1 - beyond) + white * beyond
        for c in range(3):
            base[:, c] = np.interp(position - 0.5, index, profile[:, c])
    inner = np.arange(rings) / rings * _EYE_REACH < _IRIS_ANGLE
    if not (known & inner).any():  # closed or hidden: an eye without an iris looks dead
        base[theta < _IRIS_ANGLE] *= _PLAIN_IRIS
        base[theta < _PUPIL_ANGLE] *= _PLAIN_PUPIL
    # The rim of what was seen is darkened by lid and lashes: believe its middle most.
    pixels[texel] = base + (colour - base) * (seen**2)[:, None]


def lash_alpha(seen_head: SeenHead) -> NDArray[np.float32]:
    """(S, S) 1 everywhere but on the lashes, where it draws tapering hairs."""
    model, layout = seen_head.model, seen_head.layout
    on_lash = layout.of_part(model, "lashes")
    texel = layout.texel[on_lash]
    tip = layout.interpolate(model, model.lash_roots, on_lash)
    # About 60 hairs across a lash, which is 0.11 of the picture wide.
    comb = 0.5 + 0.5 * np.cos(2 * np.pi * (texel % layout.size) / layout.size * 60 / 0.11)
    hair = np.clip((comb - 0.25 - 0.6 * tip) * 3.0, 0.0, 1.0) * np.clip(1.3 - 1.3 * tip, 0, 1)
    alpha = np.ones(layout.size**2, dtype=np.float32)
    alpha[texel] = 0.75 * hair
    return alpha.reshape(layout.size, layout.size)


def _angle_from_gaze(seen_head: SeenHead, on_eye: NDArray[np.intp]) -> NDArray[np.float32]:
    """(M,) radians between the place of each of these texels on its eyeball and the eyeball's front pole."""
    model, layout = seen_head.model, seen_head.layout
    arm = np.zeros_like(model.mean)
    gaze = np.ones_like(model.mean)
    for pole in model.poles(model.mean):
        side = np.sign(model.mean[:, 0]) == np.sign(pole[0])
        mine = side & (model.vertex_parts == PARTS.index("eyes"))
        centre = model.mean[mine].mean(axis=0)
        arm[mine] = model.mean[mine] - centre
        gaze[mine] = pole - centre
    arm_at, gaze_at = (layout.interpolate(model, field, on_eye) for field in (arm, gaze))
    length = np.linalg.norm(arm_at, axis=1) * np.linalg.norm(gaze_at, axis=1)
    cosine = np.einsum("nd,nd->n", arm_at, gaze_at) / np.maximum(length, 1e-12)
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)), dtype=np.float32)

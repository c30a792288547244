# SPDX-License-Identifier: GPL-3.0-or-later
"""How much light a face got, and brightening a photo in which it got far too little.

Black is transparent in a hologram pyramid: a dark face is an invisible one. What is burnt out is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .mesh import FACE_OVAL
from .photo import Photo
from .srgb import decode, encode

DARK = 0.09
"""Light of a face's brightest twentieth (linear, 1 is white) below which it is far too dark. Seventy faces
of real photos have 0.17-0.98, at a tenth of their light 0.02-0.10; the darkest skins of 184 rendered people
under dim lamps have 0.10: it is the glints on skin and eyes that are measured, not the skin."""

LIT = 0.35
"""Where the brightest twentieth of the face comes to by brightening; a quarter of those faces have less."""

MOST_GAIN = 16.0
"""Four stops: an 8-bit picture has nothing below that."""

BURNT = 0.06
"""Share of a face with two of three colours at their end from which it is burnt out: of those real faces one
has 0.03 and all others less than 0.005, at four times their light half of them have over 0.5."""

_FULL = 254
_BRIGHTENED_BELOW = {"auto": DARK, "lift": LIT, "keep": 0.0}
_SHOULDER = 0.6  # linear light up to which brightening is a mere gain
_COLOUR_RADIUS = 0.02  # of the face's width: colours are smoothed over so much
_REC709 = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


@dataclass(frozen=True)
class Exposure:
    """The light on a face."""

    bright: float
    """Linear light of its brightest twentieth, 0..1."""
    burnt: float
    """Share of it that has two of three colours at their end."""


def face_exposure(pixels: NDArray[np.uint8], mesh: NDArray[np.float64]) -> Exposure:
    """The light on a face: (H, W, 3) uint8 sRGB, mesh (468, 3) in its pixels."""
    import cv2

    outline = mesh[list(FACE_OVAL), :2]
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    high = np.ceil(outline.max(axis=0)).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    inside = np.zeros(part.shape[:2], dtype=np.uint8)
    if inside.size:
        cv2.fillPoly(inside, [np.round(outline - low).astype(np.int32)], (1.0,))
    face = part[inside > 0]
    if not len(face):
        return Exposure(1.0, 0.0)
    second = np.sort(face, axis=1)[:, 1]
    return Exposure(
        float(np.quantile(_linear(face) @ _REC709, 0.95)), float((second >= _FULL).mean(dtype=np.float64))
    )


def with_light(photo: Photo, mesh: NDArray[np.float64], exposure: str = "auto") -> Photo:
    """The photo, brightened for this face with a word to the user where that is asked for: ``auto`` where it
    is far too dark, ``lift`` where it is darker than it would become, ``keep`` never. Mesh (468, 3).
    """
    bright = face_exposure(photo.pixels, mesh).bright
    if bright >= _BRIGHTENED_BELOW[exposure]:
        return photo
    said = (
        f"The photo was brightened {_gain(bright):.1f} times for its dark face, noise and all: "
        "one with more light on the face is better, or keep this as it is (exposure)."
    )
    pixels = brightened(photo.pixels, bright, float(np.ptp(mesh[:, 0])))
    return replace(photo, pixels=pixels, warnings=(*photo.warnings, said))


def brightened(pixels: NDArray[np.uint8], bright: float, face_width: float) -> NDArray[np.uint8]:
    """(H, W, 3) a picture with more light: a gain in linear light, softly bent below white.

    Only the light is multiplied: colours are those of the surroundings, as a local linear function of the
    light (the guided filter of He et al. 2010), for of what a dark picture holds it is the colours that are
    mostly noise.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        bright: the face's :attr:`Exposure.bright`, which becomes :data:`LIT`.
        face_width: of the face, in pixels.
    """
    gain = np.float32(_gain(bright))
    radius = max(3, round(_COLOUR_RADIUS * face_width))
    out = np.empty_like(pixels)
    rows = 512  # in strips, for the sake of memory; each with the surroundings that it needs
    for top in range(0, len(pixels), rows):
        first, last = max(0, top - 2 * radius), min(len(pixels), top + rows + 2 * radius)
        colour = _linear(pixels[first:last])
        light = colour @ _REC709
        smooth = _guided(colour, light, radius)
        wanted = _with_shoulder(light * gain)
        smooth *= (wanted / np.maximum(smooth @ _REC709, np.float32(1e-6)))[..., None]
        # Colours beyond the screen's pale toward their own light.
        over = np.maximum(smooth.max(axis=-1), np.float32(1.0)) - wanted
        share = np.clip((np.float32(1.0) - wanted) / np.maximum(over, np.float32(1e-6)), 0.0, 1.0)
        smooth = wanted[..., None] + (smooth - wanted[..., None]) * share[..., None]
        out[top : top + rows] = _encoded(smooth)[top - first : top - first + rows]
    return out


def _gain(bright: float) -> float:
    return float(np.clip(LIT / max(bright, 1e-6), 1.0, MOST_GAIN))


def _guided(colour: NDArray[np.float32], light: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """(H, W, 3) colours, never below 0, as a linear function of the light around each pixel."""
    import cv2

    size = (2 * radius + 1, 2 * radius + 1)

    def mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(picture, size, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    mean_light = mean(light)
    spread = np.maximum(mean(light * light) - mean_light**2, 0.0)
    # Differences below a step of the 8-bit picture or two, at this light, are noise.
    spread += (np.float32(2.0) * _step(mean_light)) ** 2
    out = np.empty_like(colour)
    for channel in range(3):
        one = np.ascontiguousarray(colour[..., channel])
        mean_one = mean(one)
        slope = (mean(one * light) - mean_one * mean_light) / spread
        out[..., channel] = mean(slope) * light + mean(mean_one - slope * mean_light)
    return np.maximum(out, np.float32(0.0))


def _with_shoulder(light: NDArray[np.float32]) -> NDArray[np.float32]:
    room = np.float32(1.0 - _SHOULDER)
    bent = np.float32(1.0) - room * np.exp((np.float32(_SHOULDER) - light) / room)
    return np.where(light < _SHOULDER, light, bent).astype(np.float32)


def _step(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much linear light one step of 8-bit sRGB makes at a linear light."""
    slope = np.float32(1.055 / 2.4) * np.maximum(light, np.float32(0.0031308)) ** np.float32(1 / 2.4 - 1)
    return (np.float32(1 / 255) / slope).astype(np.float32)


def _linear(srgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Linear light 0..1 of 8-bit sRGB."""
    return np.asarray(decode(np.arange(256) / 255.0).astype(np.float32)[srgb], dtype=np.float32)


def _encoded(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """8-bit sRGB of linear light."""
    return np.asarray(encode(np.clip(linear, np.float32(0.0), np.float32(1.0))) * 255.0 + 0.5).astype(
        np.uint8
    )

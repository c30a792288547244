# SPDX-License-Identifier: GPL-3.0-or-later
"""The open mouth as the photo shows it: what lies between the lips, which of it is teeth, and the upper teeth
brought to where they were seen.

The network's points of the lips' inner edge say where the mouth is open. The fitted lips end a millimetre or
two beside them, so what lies between the points never belongs to skin, and what lies on the lips never to
teeth.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .colours import luminance
from .fitting import HeadFit
from .head import PARTS
from .morphable_model import HeadModel

_LEAST_OPEN = 0.06  # height over width: below, the points of touching lips
_MARGIN = 0.02  # of the width: how far off the points of the lips' edge may be
# Teeth are no redder than skin and lips and, in a mouth's shade, not much darker than skin. Looked at on 35
# open mouths of portraits: teeth were found in all but two in deep shade, and little else.
_LEAST_LIGHT = 0.55
_REDNESS_LEEWAY = 0.01
_ROWS, _COLUMNS = 24, 21
_LOWER_M, _RAISE_M = 0.008, 0.004  # an upper incisor's crown is 10.5 mm high, of which the model's shows 2
_MIDDLE_M = 0.008  # the two upper incisors on either side


def between_lips(fit: HeadFit, height: int, width: int, margin: float = 0.0) -> NDArray[np.float32]:
    """(height, width) 0..1: the photo's pixels between the lips; 0 everywhere where the mouth is closed.

    Args:
        fit: with the points of the lips' inner edge.
        height: of the photo.
        width: of the photo.
        margin: of the mouth's width, by which what is found is larger; negative: smaller.
    """
    mask = np.zeros((height, width), dtype=np.float32)
    if fit.lips is None or not is_open(fit):
        return mask
    across = float(np.linalg.norm(fit.lips[0] - fit.lips[10]))
    corners = np.round(fit.lips * 16.0 - 8.0).astype(np.int32)  # pixel centres at .5, four bits of fraction
    cv2.fillPoly(mask, [corners], (1.0,), cv2.LINE_8, 4)
    steps = round(abs(margin) * across)
    if steps:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * steps + 1, 2 * steps + 1))
        mask = np.asarray((cv2.dilate if margin > 0 else cv2.erode)(mask, kernel), dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.5 * _MARGIN * across)), dtype=np.float32)


def off_the_lips(fit: HeadFit, height: int, width: int) -> NDArray[np.float32]:
    """(height, width) 0..1: the photo's pixels that skin and lips must not take."""
    return between_lips(fit, height, width, _MARGIN)


def teeth_seen(model: HeadModel, fit: HeadFit, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) 0..1: which of the photo's (H, W, 3) pixels show teeth."""
    height, width = pixels.shape[:2]
    inside = between_lips(fit, height, width, -_MARGIN)
    if not inside.any():
        return inside
    like = _like_teeth(model, fit, pixels, pixels.astype(np.float32) / np.float32(255.0))
    return np.asarray(inside * cv2.GaussianBlur(like.astype(np.float32), (0, 0), 0.7), dtype=np.float32)


def meet_teeth(model: HeadModel, fit: HeadFit, pixels: NDArray[np.uint8]) -> HeadFit:
    """The fit with the upper teeth lowered or raised so that they end where the photo's do.

    How far they show under the lip is each person's own; the model's hardly do, and its tongue would show
    where the photo has teeth.

    Args:
        model: the morphable model.
        fit: the head as it stood before the photo's camera.
        pixels: (H, W, 3) uint8 sRGB.
    """
    if fit.lips is None or not is_open(fit):
        return fit
    upper, lower = fit.lips[:11], np.concatenate([fit.lips[:1], fit.lips[:9:-1]])
    places = np.linspace(3.5, 6.5, _COLUMNS)  # the middle of the mouth
    top, bottom = (
        np.stack([np.interp(places, np.arange(11), edge[:, axis]) for axis in (0, 1)], axis=1)
        for edge in (upper, lower)
    )
    share = ((np.arange(_ROWS) + 0.5) / _ROWS)[:, None, None]
    grid = (top * (1 - share) + bottom * share).astype(np.float32)
    colours = cv2.remap(
        pixels, grid[..., 0] - 0.5, grid[..., 1] - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    rows = _like_teeth(model, fit, pixels, colours.astype(np.float32) / np.float32(255.0)).mean(axis=1) > 0.5
    if not rows.any():
        return fit
    first = int(rows.argmax())
    end = first + int(np.append(rows[first:], False).argmin())
    edge = (top + (bottom - top) * end / _ROWS).mean(axis=0)

    at = fit.to_camera(fit.posed(model))
    teeth = _upper_teeth(model)
    middle = teeth[np.abs(model.mean[teeth, 0]) < _MIDDLE_M]
    tip = middle[model.mean[middle, 1].argmin()]
    down = fit.camera.jacobian(at[tip][None])[0] @ fit.rotation @ np.array([0.0, -1.0, 0.0])
    off = float((edge - fit.camera.project(at[tip][None])[0]) @ down / (down @ down))
    vertices = fit.vertices.copy()
    vertices[teeth, 1] -= np.clip(off, -_RAISE_M, _LOWER_M)
    return replace(fit, vertices=vertices)


def is_open(fit: HeadFit) -> bool:
    """Whether the photo shows anything between the lips."""
    if fit.lips is None:
        return False
    height = np.linalg.norm(fit.lips[5] - fit.lips[15])
    return bool(height > _LEAST_OPEN * np.linalg.norm(fit.lips[0] - fit.lips[10]))


def _upper_teeth(model: HeadModel) -> NDArray[np.intp]:
    """The vertices of the teeth that do not follow the jaw."""
    jaw = model.expression_basis[list(model.expression_names).index("jawOpen")]
    still = np.linalg.norm(jaw, axis=1) < 1e-4
    return np.flatnonzero(still & (model.vertex_parts == PARTS.index("teeth")))


def _like_teeth(
    model: HeadModel, fit: HeadFit, pixels: NDArray[np.uint8], colours: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which of (..., 3) colours 0..1 between the lips are those of teeth, told by the face's skin."""
    lips = model.region("lips")
    skin = _median_colour(
        model, fit, pixels, model.region("face") * (1.0 - np.maximum(lips, model.region("brows")))
    )
    redness = (_redness(skin) + _redness(_median_colour(model, fit, pixels, lips))) / 2.0
    allowed = min(redness, _redness(skin) + _REDNESS_LEEWAY)
    return np.asarray((_redness(colours) <= allowed) & (luminance(colours) >= _LEAST_LIGHT * luminance(skin)))


def _median_colour(
    model: HeadModel, fit: HeadFit, pixels: NDArray[np.uint8], where: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(3,) 0..1 sRGB: the median over a region of the skin that faces the camera, (V,) 0..1."""
    at = fit.to_camera(fit.posed(model))
    facing = -np.einsum("vd,vd->v", model.normals(at), at) > 0.5 * np.linalg.norm(at, axis=1)
    height, width = pixels.shape[:2]
    x, y = np.floor(fit.camera.project(at[facing & (where > 0.5)])).astype(int).T
    shown = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    outside = off_the_lips(fit, height, width)[y[shown], x[shown]] < 0.5
    found = pixels[y[shown], x[shown]][outside]
    return np.asarray(np.median(found, axis=0) / 255.0) if len(found) else np.full(3, 0.5)


def _redness(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """(...) how much more of the light is red than green."""
    total = np.maximum(rgb.sum(axis=-1), 0.05)
    return np.asarray((rgb[..., 0] - rgb[..., 1]) / total)

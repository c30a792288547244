# SPDX-License-Identifier: GPL-3.0-or-later
"""The small grey pictures that HOLOTALK's autoencoder knows: a head on black, always at the same scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..face import angles_from_rotation
from ..head.colours import luminance
from ..head.drawing import draw_head
from ..head.fitting import HeadFit
from ..head.morphable_model import HeadModel
from ..head.template import template_colours
from ..head.view import View, level_view
from ..learning.shards import SNAPSHOT_SIDE, SNAPSHOT_YAWS, open_data

_LIGHT = np.array([0.0, 0.5, 1.0])
"""Toward the template's light, camera axes."""


@dataclass(frozen=True)
class Snapshots:
    """Samples of the preset ``holotalk``."""

    person: NDArray[np.int64]
    """(N,) who."""
    yaw: NDArray[np.int16]
    """(N,) one of :data:`..learning.shards.SNAPSHOT_YAWS`."""
    front: NDArray[np.uint8]
    """(N, 64, 64) grey."""
    side: NDArray[np.uint8]
    """(N, 64, 64) grey, at yaw - 90."""


def read_snapshots(folder: Path) -> Snapshots:
    """All samples of a folder that ``holotalk render-data --preset holotalk`` has filled.

    Raises:
        OptionError: there are none, or they are damaged or not complete.
    """
    data = open_data(folder, "holotalk")
    return Snapshots(*(data.column(name) for name in ("person", "yaw", "front", "side")))


def stacked(front: NDArray[np.uint8], side: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 128, 64, 1) 0..1: fronts over sides, both (N, 64, 64) uint8, as the network takes them."""
    pictures = np.concatenate([front, side], axis=1)[..., None]
    return pictures.astype(np.float32) / np.float32(255.0)


def rounded_yaw(yaw: float) -> int:
    """The nearest of :data:`..learning.shards.SNAPSHOT_YAWS` to a turn in degrees, whichever way it is."""
    return int(min(SNAPSHOT_YAWS, key=lambda known: abs(known - abs(yaw))))


def photo_snapshot(
    model: HeadModel, fit: HeadFit, pixels: NDArray[np.uint8], person: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """(64, 64) grey: a person cut out of their photo as training snapshots are: same scale, upright, on
    black by the person mask, the bust fading out where the head model's does.

    Args:
        model: the morphable model.
        fit: the head before the photo's camera.
        pixels: (H, W, 3) uint8 sRGB.
        person: (H, W) 0..1.
    """
    view = level_view(0.0, SNAPSHOT_SIDE)
    (origin,) = fit.camera.project(fit.translation[None])
    up = fit.rotation[:2, 1] * [1.0, -1.0]
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    # Weak perspective about the head's origin: photo pixels a snapshot pixel.
    step = (fit.camera.focal / -fit.translation[2]) * (-view.translation[2] / view.camera.focal)
    # The snapshot's down and right, in the photo.
    down, right = -up, np.array([-up[1], up[0]])
    cut = np.dstack([pixels.astype(np.float32) / np.float32(255.0), person.astype(np.float32)])
    cut[..., :3] *= cut[..., 3:]
    if step > 1.5:  # average first: a warp alone would pick single pixels
        cut = cv2.resize(cut, None, fx=1.0 / step, fy=1.0 / step, interpolation=cv2.INTER_AREA)
        shrunk = np.array([cut.shape[1] / pixels.shape[1], cut.shape[0] / pixels.shape[0]])
    else:
        shrunk = np.ones(2)
    matrix = np.stack([right * step, down * step, np.zeros(2)], axis=1) * shrunk[:, None]
    (middle,) = view.project(np.zeros((1, 3)))
    # Pixel centres lie at .5 in both pictures, and at 0 for OpenCV.
    matrix[:, 2] = origin * shrunk - 0.5 - matrix[:, :2] @ (middle - 0.5)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    small = cv2.warpAffine(
        cut, matrix, (SNAPSHOT_SIDE, SNAPSHOT_SIDE), flags=flags, borderMode=cv2.BORDER_CONSTANT
    )
    grey = luminance(small[..., :3].astype(np.float64)) * _fade_by_row(model, view)[:, None]
    return (np.clip(grey, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def photo_yaw(fit: HeadFit) -> float:
    """Degrees the head is turned in the photo, nose to the picture's right."""
    return float(angles_from_rotation(fit.rotation)[0])


def template_snapshot(model: HeadModel, yaw: float) -> NDArray[np.uint8]:
    """(64, 64) grey: the template person turned by ``yaw`` degrees, under one soft light."""
    view = level_view(yaw, SNAPSHOT_SIDE)
    normals = model.normals(view.to_camera(model.mean)).astype(np.float64)
    light = 0.45 + 0.55 * np.clip(normals @ (_LIGHT / np.linalg.norm(_LIGHT)), 0.0, 1.0)
    shown = template_colours(model) * (light * model.fade)[:, None]
    drawn = draw_head(model, model.mean, view).field(model, shown)
    return (np.clip(luminance(drawn.astype(np.float64)), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def template_sides(model: HeadModel) -> NDArray[np.uint8]:
    """(5, 64, 64) grey: the template's sides for :data:`..learning.shards.SNAPSHOT_YAWS`, at yaw - 90."""
    return np.stack([template_snapshot(model, yaw - 90.0) for yaw in SNAPSHOT_YAWS])


def _fade_by_row(model: HeadModel, view: View) -> NDArray[np.float64]:
    """(64,) how bright the bust is at the height of each row, 1 at the head: at the front of the neck, where
    the fade sits highest."""
    front = model.mean[:, 2] > 0.0
    height, fade = model.mean[front, 1], model.fade[front]
    edges = np.linspace(float(height.min()), float(height.max()), 61)
    slot = np.clip(np.digitize(height, edges) - 1, 0, 59)
    count = np.bincount(slot, minlength=60)
    mean = np.bincount(slot, fade, 60)[count > 0] / count[count > 0]
    middle = ((edges[1:] + edges[:-1]) / 2.0)[count > 0]
    steps = np.arange(float(height.min()), float(height.max()), 0.001)
    levels = np.stack([np.zeros_like(steps), steps, np.zeros_like(steps)], axis=1)
    row = view.project(levels)[::-1, 1]
    return np.asarray(np.interp(np.arange(view.size) + 0.5, row, np.interp(steps, middle, mean)[::-1]))

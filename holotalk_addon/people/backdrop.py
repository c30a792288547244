# SPDX-License-Identifier: GPL-3.0-or-later
"""What is behind a person in a photograph: walls, rooms, lights and leaves, mostly out of focus."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUNDS = ("plain", "gradient", "wall", "bokeh", "foliage", "room")
BACKGROUND_SIZE = 256


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

# SPDX-License-Identifier: GPL-3.0-or-later
"""Glasses: frames about the mean head's eyes, temples over its ears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fitting_room import FittingRoom
from .look import Look
from .prop import Prop
from .shapes import joined, plain, sheet, tube

Points = NDArray[np.float64]

_FRAMES = ((0.05, 0.05, 0.05), (0.20, 0.12, 0.07), (0.35, 0.33, 0.32), (0.62, 0.52, 0.32), (0.10, 0.12, 0.25),
           (0.45, 0.10, 0.12))  # fmt: skip


def glasses(room: FittingRoom, look: Look, rng: np.random.Generator) -> list[Prop]:
    """Frame and lenses."""
    kind = look.glasses
    model = room.model
    poles = model.poles(model.mean)
    bridge = model.landmarks(model.mean)[168]
    frame_rgb = np.array(_FRAMES[rng.integers(len(_FRAMES))])
    if kind == "thin":
        frame_rgb = np.array(_FRAMES[rng.choice([0, 2, 3])])
    frame = plain(frame_rgb)
    radius = {"thin": 0.0009, "thick": 0.0022, "rimless": 0.0007, "sunglasses": 0.0018}[kind]
    half_w = float(rng.uniform(0.0235, 0.028)) + (0.002 if kind == "sunglasses" else 0.0)
    half_h = half_w * float(rng.uniform(0.62, 0.95))
    power = float(rng.uniform(2.0, 4.5))  # a superellipse: round to square
    turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power) * half_w
    up = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power) * half_h
    parts: list[Prop] = []
    lenses: list[Prop] = []
    before = max(float(poles[:, 2].max()) + 0.012, float(bridge[2]) - 0.004)
    inner_ends = []
    for side in (-1.0, 1.0):
        centre = np.array([side * 0.0325, -0.003, before])
        rim = centre + np.stack(
            [across, up, -0.14 * np.abs(across * side + 0.0) * 0.0 - 0.12 * across * side], axis=1
        )
        if kind != "rimless":
            parts.append(tube("glasses", rim, radius, frame, closed=True))
        tint = np.array([0.04, 0.04, 0.045]) if kind == "sunglasses" else np.array([0.75, 0.80, 0.82])
        alpha = float(rng.uniform(0.72, 0.92)) if kind == "sunglasses" else 0.10
        fan = np.stack([centre + (rim - centre) * s for s in (1.0, 0.5, 0.02)])
        lens = sheet("lenses", fan, plain(tint, alpha), see_through=True, roughness=0.05)
        lenses.append(lens)
        inner_ends.append(rim[np.argmin(rim[:, 0] * side)] + [0, 0.25 * half_h, 0])
        hinge = rim[np.argmax(rim[:, 0] * side)] + [0, 0.35 * half_h, -0.001]
        ear = np.array([side * 0.081, 0.004, -0.002])
        behind = np.array([side * 0.079, -0.022, -0.022])
        corner = np.array([side * 0.0775, hinge[1], hinge[2] - 0.012])
        course = np.concatenate(
            [
                np.linspace(hinge, corner, 4)[:-1],
                np.linspace(corner, ear, 8)[:-1],
                np.linspace(ear, behind, 4),
            ]
        )
        parts.append(tube("glasses", course, max(radius * 0.9, 0.0009), frame, closed=False))
    t = np.linspace(0, 1, 9)[:, None]
    arc = inner_ends[0] * (1 - t) + inner_ends[1] * t
    arc[:, 1] += 0.003 * np.sin(np.pi * t[:, 0])
    arc[:, 2] = np.maximum(arc[:, 2], bridge[2] + 0.0015) + 0.002 * np.sin(np.pi * t[:, 0])
    parts.append(tube("glasses", arc, radius, frame, closed=False))
    return [joined("glasses", parts), joined("lenses", lenses)]

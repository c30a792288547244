# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wear on their heads: hats, caps, beanies, headbands, headscarves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..head.membrane import smoothstep
from .collars import around_neck
from .fitting_room import FittingRoom
from .look import Look
from .prop import Prop
from .shapes import AROUND, cloth, hat_rim, joined, reach, sheet

Points = NDArray[np.float64]

_SKULL = np.array([0.0, 0.015, -0.012])


def _dome(room: FittingRoom, rim: Points, turn: Points, rows: int, offset: Points) -> Points:
    """(rows, N, 3) from the rim to the top, at (rows, N) offsets from the skin."""
    lowest = np.arctan2(rim - _SKULL[1], 0.098)
    t = np.linspace(0, 1, rows)[:, None]
    elevation = lowest + (np.pi / 2 - 1e-3 - lowest) * t
    ways = np.stack(
        [np.sin(turn) * np.cos(elevation), np.sin(elevation), np.cos(turn) * np.cos(elevation)], axis=-1
    )
    return reach(room.space, _SKULL, ways, offset)


def headwear(room: FittingRoom, look: Look, rng: np.random.Generator) -> list[Prop]:
    """A hat, cap, beanie, headband or headscarf."""
    turn = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    if look.headwear == "beanie":
        rim = hat_rim("beanie", turn) + rng.normal(0, 0.004)
        t = np.linspace(0, 1, 14)[:, None]
        slouch = float(rng.uniform(0.0, 0.035))
        offset = 0.015 + slouch * smoothstep((t - 0.3) / 0.7) * np.ones(AROUND)
        offset = offset + 0.005 * smoothstep((0.34 - t) / 0.02)
        return [sheet("hat", _dome(room, rim, turn, 14, offset), cloth(rng, "knit"), tiles=(6.0, 2.0))]
    if look.headwear == "headband":
        return [_headband(room, turn, rng)]
    if look.headwear == "headscarf":
        return _headscarf(room, rng)
    rim = hat_rim(look.headwear, turn)
    t = np.linspace(0, 1, 12)[:, None]
    fabric = cloth(rng, "plain")
    if look.headwear == "cap":
        offset = 0.011 + 0.014 * np.sin(np.pi * np.clip(t * 0.8, 0, 1)) * (1 + 0.4 * np.cos(turn))
        crown = sheet("hat", _dome(room, rim, turn, 12, offset), fabric, tiles=(4.0, 2.0))
        angle = np.linspace(-1.05, 1.05, 17)
        edge = _dome(room, hat_rim("cap", angle), angle, 2, np.full((2, 17), 0.012))[0]
        out = np.linspace(0, 1, 6)[:, None]
        length = float(rng.uniform(0.058, 0.075)) * np.cos(angle / 1.05 * np.pi / 2) ** 0.6
        bill = edge[None] + np.stack(
            [
                0.10 * out * length * np.sin(angle),
                -out * (0.010 + 0.10 * length) - 0.016 * out * (np.abs(angle) / 1.05) ** 2,
                out * length,
            ],
            axis=-1,
        )
        return [joined("hat", [crown, sheet("hat", bill, fabric, closed=False)])]
    base = _dome(room, rim, turn, 2, np.full((2, AROUND), 0.013))[0]
    middle = base.mean(axis=0)
    tall = float(rng.uniform(0.085, 0.115))
    rows = []
    brim = float(rng.uniform(0.035, 0.075))
    for wide in (1.0, 0.6, 0.2):
        away = base - middle
        away[:, 1] = 0
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        ring = base + away * brim * wide
        ring[:, 1] += 0.012 * wide * np.cos(2 * turn + np.pi) - 0.004 * wide
        rows.append(ring)
    for up, size in (
        (0.0, 1.0),
        (0.25, 0.99),
        (0.6, 0.95),
        (0.9, 0.90),
        (1.0, 0.80),
        (0.98, 0.4),
        (0.96, 0.02),
    ):
        ring = middle + (base - middle) * size
        ring[:, 1] = base[:, 1] * (1 - up) + (middle[1] + tall) * up
        rows.append(ring)
    band = fabric.copy()
    band[int(0.50 * len(band)) : int(0.62 * len(band)), :, :3] = (band[..., :3].mean() * 0.5).astype(np.uint8)
    return [sheet("hat", np.stack(rows), band)]


def _headband(room: FittingRoom, turn: Points, rng: np.random.Generator) -> Prop:
    low = hat_rim("beanie", turn)
    wide = float(rng.uniform(0.02, 0.04))
    rows = []
    for share, offset in ((0.0, 0.011), (0.08, 0.014), (0.92, 0.014), (1.0, 0.011)):
        rows.append(_dome(room, low + wide * share, turn, 2, np.full((2, AROUND), offset))[0])
    return sheet("hat", np.stack(rows), cloth(rng), tiles=(6.0, 1.0))


def _headscarf(room: FittingRoom, rng: np.random.Generator) -> list[Prop]:
    """A hood about the face's opening, and a cape over neck and shoulders."""
    fabric = cloth(rng, str(rng.choice(["plain", "plain", "stripes"])))
    turn = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)  # about the face, 0 is up
    opening = np.radians(np.interp(np.cos(turn), [-1, -0.5, 0, 0.6, 1], [66, 54, 46, 38, 33]))
    t = np.linspace(0, 1, 16)[:, None]
    # Downward it ends in the neck, or its rays would run along the body.
    end = np.radians(np.interp(np.cos(turn), [-1, -0.6, -0.1, 1], [78, 95, 150, 179]))
    off = opening + (end - opening) * t
    ways = np.stack([np.sin(turn) * np.sin(off), np.cos(turn) * np.sin(off), np.cos(off)], axis=-1)
    folds = 0.002 * np.sin(turn * 9 + 3 * t)
    offset = 0.010 + 0.010 * smoothstep(t / 0.3) + folds
    hood = sheet("hat", reach(room.space, _SKULL, ways, offset)[::-1], fabric, tiles=(3.0, 3.0))
    # Behind, the cape goes up under the hood.
    up = 0.13 * smoothstep((0.35 - np.cos(turn)) / 0.7)
    t = np.linspace(0, 1, 12)
    wobble = np.array([0.005 * np.sin(turn * 5 + rng.uniform(0, 6)) * (1 - s) + up * s**2 for s in t])
    heights = tuple(np.linspace(-0.235, -0.085, 12))
    offsets = tuple(np.interp(t, [0, 0.3, 0.7, 1], [0.020, 0.026, 0.020, 0.017]))
    cape = around_neck(room, "hat", heights, offsets, fabric, 0.45, wobble)
    return [joined("hat", [hood, cape])]

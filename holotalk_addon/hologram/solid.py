# SPDX-License-Identifier: GPL-3.0-or-later
"""The pyramid in space: screen, mirrors and their edges, and the device that has the screen.

The axes are those of :func:`screen_corners`: x to the right of a viewer at the front, y away from them, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..hologram.layout import PyramidLayout, pyramid_dimensions

SCREEN_MM = (70.0, 150.0)
"""The pyramid in space: screen, mirrors and their edges, and the device that has the screen.

The axes are those of :func:`screen_corners`: x to the right of a viewer at the front, y away from them, z up.
"""


def screen_corners(layout: PyramidLayout) -> NDArray[np.float64]:
    """Where the frame's corners lie when the screen is in its place.

    Returns:
        (4, 3) pixels from the middle of the pyramid's lower end, x to the right of a viewer at the front,
        y away from them, z up; the picture's lower left, lower right, upper right and upper left corner.
        A screen that faces down was turned over about its x axis.

    """
    half_width, half_height = np.array(layout.frame) / 2.0
    xy = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height)
    if layout.screen == "up":
        return np.column_stack([xy, np.zeros(4)])
    return np.column_stack([xy * (1, -1), np.full(4, float(layout.panel_height))])


def mirror_corners(layout: PyramidLayout) -> NDArray[np.float64]:
    """The four mirrors, rising at 45 degrees.

    Returns:
        (4, 4, 3) pixels in the axes of :func:`screen_corners`: front, right (+x), back, left; of each the
        lower left, lower right, upper right and upper left corner, as a viewer at that side sees them.

    """
    a, h = float(layout.half_gap), float(layout.panel_height)
    low, high = (a, a + h) if layout.screen == "up" else (a + h, a)
    front = np.array([(-low, -low, 0.0), (low, -low, 0.0), (high, -high, h), (-high, -high, h)])
    # Counter-clockwise seen from above: front, +x, back, -x.
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return np.stack([front @ np.linalg.matrix_power(quarter, k).T for k in range(4)])


def metres_per_pixel(layout: PyramidLayout, screen_mm: tuple[float, float] = SCREEN_MM) -> float:
    """Size of a frame's pixel on a screen that shows the whole frame as large as it can, the longer side of
    the frame along the longer side of the screen.

    Raises:
        OptionError: A screen that cannot carry a pyramid.

    """
    pyramid_dimensions(screen_mm, layout.gap)  # checks both
    short, long = sorted(screen_mm)
    return min(short / min(layout.frame), long / max(layout.frame)) / 1000.0


@dataclass(frozen=True)
class Device:
    """A phone or tablet, in metres."""

    width: float
    """Of the body along x."""
    depth: float
    """Of the body along y."""
    thickness: float
    radius: float
    """Of its rounded corners."""


def device_of(layout: PyramidLayout, screen_mm: tuple[float, float]) -> Device:
    """A device whose screen has these two sides in millimetres, lying as the frame lies."""
    short, long = (side / 1000.0 for side in sorted(screen_mm))
    rim = 0.05 * short
    across, along = (long, short) if layout.frame[0] > layout.frame[1] else (short, long)
    return Device(across + 2 * rim, along + 2 * rim, 0.11 * short, 0.13 * short)


def square() -> NDArray[np.float64]:
    """(4, 3): the corners of a square of side 2 in the plane z = 0."""
    return np.array([(-1.0, -1.0, 0.0), (1.0, -1.0, 0.0), (1.0, 1.0, 0.0), (-1.0, 1.0, 0.0)])


def sheet_edges(sheets: NDArray[np.float64], thin: float) -> NDArray[np.float64]:
    """(12, 2, 3): both ends of the pyramid's edges, a little outside of the sheets, which stay clear."""
    left_low, right_low, right_high, left_high = np.moveaxis(sheets, 1, 0)
    up_left, up_right = left_high - left_low, right_high - right_low
    along = thin / np.linalg.norm(up_left, axis=1, keepdims=True)
    left_low, right_low = left_low - along * up_left, right_low - along * up_right
    left_high, right_high = left_high + along * up_left, right_high + along * up_right
    pairs = [(left_low, left_high), (left_low, right_low), (left_high, right_high)]
    return np.concatenate([np.stack(pair, axis=1) for pair in pairs])


def bars(ends: NDArray[np.float64], thickness: float) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Square bars between (N, 2, 3) ends: (8 N, 3) corners and 6 N faces."""
    points: list[NDArray[np.float64]] = []
    faces: list[list[int]] = []
    for start, end in ends:
        axis = (end - start) / np.linalg.norm(end - start)
        side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
        side *= thickness / 2 / np.linalg.norm(side)
        other = np.cross(axis, side)
        ring = np.array([side + other, other - side, -side - other, side - other])
        first = len(points) * 8
        points.append(np.concatenate([start + ring, end + ring]))
        faces += [[first + k, first + (k + 1) % 4, first + 4 + (k + 1) % 4, first + 4 + k] for k in range(4)]
        faces += [[first + 3, first + 2, first + 1, first], [first + 4, first + 5, first + 6, first + 7]]
    return np.concatenate(points), faces


def slab(device: Device, bottom: float, top: float) -> tuple[NDArray[np.float64], list[list[int]]]:
    """A flat body with rounded corners and bevelled rims between two heights."""
    steps = 12
    bevel = 0.18 * (top - bottom)
    turn = np.linspace(0.0, np.pi / 2, steps)
    rings = []
    for z, inset in ((bottom, bevel), (bottom + bevel, 0.0), (top - bevel, 0.0), (top, bevel)):
        radius = device.radius - inset
        x, y = device.width / 2 - device.radius, device.depth / 2 - device.radius
        arcs = [
            np.column_stack([cx + radius * np.cos(turn + a), cy + radius * np.sin(turn + a)])
            for a, cx, cy in ((0, x, y), (np.pi / 2, -x, y), (np.pi, -x, -y), (1.5 * np.pi, x, -y))
        ]
        ring = np.concatenate(arcs)
        rings.append(np.column_stack([ring, np.full(len(ring), z)]))
    count = len(rings[0])
    faces = [list(range(count))[::-1], list(range(3 * count, 4 * count))]
    for r in range(3):
        a, b = r * count, (r + 1) * count
        faces += [[a + k, a + (k + 1) % count, b + (k + 1) % count, b + k] for k in range(count)]
    return np.concatenate(rings), faces


def box_corners(device: Device, bottom: float) -> NDArray[np.float64]:
    """(8, 3): the corners of the device's box."""
    x, y = device.width / 2, device.depth / 2
    heights = (bottom, bottom + device.thickness)
    return np.array([(sx * x, sy * y, z) for sx in (-1, 1) for sy in (-1, 1) for z in heights])

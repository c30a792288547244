# SPDX-License-Identifier: GPL-3.0-or-later
"""How large and how high the head stands in its panel: as large as the mirrors can show.

The cameras stand upright, level with the origin of the head axes, at a fixed distance, so that the
perspective is the same for all of them; only the focal length and a vertical shift are free. A
point of the turned head lands at u = s * x', v = t + s * y', with x', y' its slopes as the camera
sees them. Every limit of the mirror is linear in (s, t), so the largest s has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import PyramidLayout

CAMERA_DISTANCE = 2.4
"""Metres from the turning axis. A viewer half a metre from a head that stands 5 cm tall in the pyramid sees
it under the angle, and so in the perspective, of a living head 2.4 m away."""
PANEL_MARGIN = 4.0
"""Pixels between the head and the edges of what the mirror shows."""
VIEW_MARGIN = 0.03
"""The same for single views, as a share of the picture's side."""
FULL_TURN = np.arange(0.0, 360.0, 5.0)


@dataclass(frozen=True)
class Framing:
    """A camera, level with the head's origin and looking at its axis."""

    width: int
    """Pixels of the picture."""
    height: int
    distance: float
    """Metres from the camera to the turning axis."""
    focal: float
    """s: pixels per unit of slope."""
    axis_height: float
    """t: pixels from the lower edge of the picture to the height of the head's origin."""

    def project(self, points: NDArray[np.floating[Any]], yaw: float = 0.0) -> NDArray[np.float64]:
        """(N, 3) metres in head axes, turned by ``yaw`` degrees -> (N, 2) pixels: u right from
        the middle, v up from the lower edge.
        """
        slopes = slopes_at(points, yaw, self.distance)
        placed: NDArray[np.float64] = slopes * self.focal + np.array([0.0, self.axis_height])
        return placed

    def lens(self, sensor_width: float) -> float:
        """Focal length in millimetres for a sensor of that width, fitted horizontally."""
        return self.focal * sensor_width / self.width

    @property
    def shift_y(self) -> float:
        """Vertical shift of the lens in widths of the picture; positive looks up."""
        return (self.height / 2 - self.axis_height) / self.width


def slopes_at(points: NDArray[np.floating[Any]], yaw: float, distance: float) -> NDArray[np.float64]:
    """(N, 2) x/depth and y/depth of head-axes points, turned by ``yaw`` degrees about y, for a
    camera ``distance`` metres before the axis.
    """
    angle = np.radians(yaw)
    x, y, z = np.asarray(points, dtype=np.float64).T
    turned_x = np.cos(angle) * x + np.sin(angle) * z
    depth = distance - (np.cos(angle) * z - np.sin(angle) * x)
    return np.stack([turned_x / depth, y / depth], axis=1)


def frame_panel(
    points: NDArray[np.floating[Any]], yaws: NDArray[np.floating[Any]], layout: PyramidLayout
) -> Framing:
    """The largest framing that keeps the points inside the mirror's trapezoid at every yaw.

    Args:
        points: (N, 3) metres in head axes.
        yaws: Degrees the head is turned as the cameras see it: all frames and all cameras.
        layout: Panels and the way the screen faces.

    """
    a, h, w, m = layout.half_gap, layout.panel_height, layout.panel_width, PANEL_MARGIN
    # With one point: up   |u| <= a + v:      s(|x| - y) - t <= a - m
    #                 down |u| <= a + h - v:  s(|x| + y) + t <= a + h - m
    sign = -1.0 if layout.screen == "up" else 1.0
    top, bottom, wide, slant = _extremes(points, yaws, sign)
    if layout.screen == "up":
        # t >= s*slant - (a - m), t >= s*bottom + m, t <= h - m - s*top
        scale = min((a + h - 2 * m) / (slant + top), (h - 2 * m) / (top + bottom), (w / 2 - m) / wide)
        low, high = max(scale * slant - (a - m), scale * bottom + m), h - m - scale * top
    else:
        scale = min((a + h - 2 * m) / (slant + bottom), (h - 2 * m) / (top + bottom), (w / 2 - m) / wide)
        low, high = scale * bottom + m, min(a + h - m - scale * slant, h - m - scale * top)
    return Framing(w, h, CAMERA_DISTANCE, scale, (low + high) / 2)


def frame_view(points: NDArray[np.floating[Any]], size: int) -> Framing:
    """One framing for square single views of any yaw: scale and centre come from the full turn.

    Args:
        points: (N, 3) metres in head axes.
        size: Side of the picture in pixels.

    """
    m = VIEW_MARGIN * size
    top, bottom, wide, _ = _extremes(points, FULL_TURN, 0.0)
    scale = min((size - 2 * m) / (top + bottom), (size / 2 - m) / wide)
    return Framing(size, size, CAMERA_DISTANCE, scale, (size + scale * (bottom - top)) / 2)


def _extremes(
    points: NDArray[np.floating[Any]], yaws: NDArray[np.floating[Any]], sign: float
) -> tuple[float, float, float, float]:
    """Over all points and yaws, the largest y, -y, |x| and |x| + sign * y (all as slopes)."""
    best = np.full(4, -np.inf)
    for yaw in np.unique(np.round(np.mod(yaws, 360.0), 6)):
        x, y = slopes_at(points, float(yaw), CAMERA_DISTANCE).T
        wide = np.abs(x)
        best = np.maximum(best, [y.max(), (-y).max(), wide.max(), (wide + sign * y).max()])
    return float(best[0]), float(best[1]), float(best[2]), float(best[3])

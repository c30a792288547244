# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo's camera: a pinhole with square pixels, its axis through the middle of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels. Camera axes: x right, y up, z toward the viewer, looking along -z."""

    focal: float
    centre_x: float
    centre_y: float

    @classmethod
    def of_picture(cls, width: int, height: int, focal: float) -> Camera:
        """The camera of a whole picture of this size (pixels)."""
        return cls(focal, width / 2.0, height / 2.0)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) camera axes, metres, z < 0 -> (N, 2) pixels."""
        p = np.asarray(points, dtype=np.float64)
        scale = self.focal / -p[..., 2]
        return np.stack([self.centre_x + p[..., 0] * scale, self.centre_y - p[..., 1] * scale], axis=-1)

    def unproject(
        self, pixels: NDArray[np.floating], distance: NDArray[np.floating] | float
    ) -> NDArray[np.float64]:
        """(N, 2) pixels at a distance (metres along the axis, > 0) -> (N, 3) camera axes: the inverse of
        :meth:`project`.
        """
        q = np.asarray(pixels, dtype=np.float64)
        d = np.broadcast_to(np.asarray(distance, dtype=np.float64), q.shape[:-1])
        x = (q[..., 0] - self.centre_x) * d / self.focal
        y = (self.centre_y - q[..., 1]) * d / self.focal
        return np.stack([x, y, -d], axis=-1)

    def jacobian(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 2, 3) derivative of :meth:`project` by the point."""
        p = np.asarray(points, dtype=np.float64)
        d = -p[:, 2]
        J = np.zeros((len(p), 2, 3))
        J[:, 0, 0] = self.focal / d
        J[:, 1, 1] = -self.focal / d
        J[:, 0, 2] = self.focal * p[:, 0] / d**2
        J[:, 1, 2] = -self.focal * p[:, 1] / d**2
        return J

# SPDX-License-Identifier: GPL-3.0-or-later
"""A view of a head: where it stands before a camera, and the picture that the camera takes.

The hologram's own views, the training pictures and the truth about them are all told as these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Camera

VIEW_DISTANCE_M = 2.4
"""Of level views: where the viewer of a small hologram seems to stand (see ``hologram.framing``)."""
SNAPSHOT_METRES = 0.33
"""What a snapshot shows, measured on the turning axis: the mean head, which is 0.29 m from the crown to the
cut of the bust, with room for hair. The same for everybody, so that a child's head is smaller."""
SNAPSHOT_CENTRE_M = -0.008
"""Height of a snapshot's middle over the eyes."""


@dataclass(frozen=True)
class View:
    """A square picture of a head. ``p_camera = rotation @ p_head + translation``, as everywhere."""

    size: int
    """Pixels of the picture's side."""
    camera: Camera
    rotation: NDArray[np.float64]
    """(3, 3) head axes -> camera axes."""
    translation: NDArray[np.float64]
    """(3,) metres, camera axes: where the head's origin stands; the last is negative."""

    def to_camera(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 3) metres, head axes -> camera axes."""
        return np.asarray(np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) metres, head axes -> (N, 2) pixels, x right, y down."""
        return self.camera.project(self.to_camera(points))

    def camera_place(self) -> NDArray[np.float64]:
        """(4, 4) camera axes -> head axes: where the camera stands as the head sees it."""
        place = np.eye(4)
        place[:3, :3] = self.rotation.T
        place[:3, 3] = -self.rotation.T @ self.translation
        return place


def level_view(
    yaw: float,
    size: int,
    metres: float = SNAPSHOT_METRES,
    centre: float = SNAPSHOT_CENTRE_M,
    distance: float = VIEW_DISTANCE_M,
) -> View:
    """A view by a camera that stands level with the head's origin and looks at the turning axis.

    Args:
        yaw: degrees the head is turned: positive turns the nose to the picture's right.
        size: pixels of the picture's side.
        metres: what the picture shows, on the axis.
        centre: metres over the origin that are shown in the middle of the picture.
        distance: metres from the camera to the axis.
    """
    angle = np.radians(yaw)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
    pixels_per_metre = size / metres
    camera = Camera(pixels_per_metre * distance, size / 2.0, size / 2.0 + centre * pixels_per_metre)
    return View(size, camera, turn, np.array([0.0, 0.0, -distance]))

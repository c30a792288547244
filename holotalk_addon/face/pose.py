# SPDX-License-Identifier: GPL-3.0-or-later
"""How a head is turned: rotation matrices, their three angles, and two ways to measure them.

A rotation R takes head axes (x to the person's left, which is the picture's right for a head that
looks at the camera; y up; z out of the face) to camera axes (x right, y up, z toward the viewer):
``p_camera = R @ p_head + t``. R = Rx(-pitch) @ Ry(yaw) @ Rz(-roll) with right-handed turns about
the camera's axes; angles in degrees: yaw > 0 turns the nose to the picture's right, pitch > 0 raises
it, roll > 0 tilts the head clockwise in the picture.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

STABLE_POINTS = (
    # middle line: forehead, between the brows, bridge and tip of the nose, its base
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2,
    # forehead at the hairline and temples, right and left in turn
    109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356, 234, 454,
    # eye corners, outer and inner
    33, 263, 133, 362,
    # cheekbones and below the eyes
    116, 345, 117, 346, 118, 347, 101, 330, 50, 280,
    # flanks and wings of the nose
    122, 351, 196, 419, 198, 420, 48, 278, 98, 327,
)  # fmt: skip
"""Points of the mesh that expressions move least: over seven expressions of one person, aligned by
them, they stray by 1-2 mm, those of mouth, jaw and brows by 3-9 mm. Thinned to even spacing, so that the
densely covered nose does not outvote the forehead."""

_MIRROR_PAIRS = (
    (33, 263), (133, 362), (127, 356), (234, 454), (93, 323), (103, 332), (67, 297), (116, 345),
)  # fmt: skip

CHIN = 152
"""The lowest of the 468 points."""
_FOREHEAD = 10

_FACE_LEAN = math.radians(11.6)
"""How far the line from chin to forehead of the mesh leans forward on a level head (mean of 20 photos)."""

SIX_POINTS = np.array(
    [
        (0.0, 0.0, 0.0),
        (0.0, -330.0, -65.0),
        (-225.0, 170.0, -135.0),
        (225.0, 170.0, -135.0),
        (-150.0, -150.0, -125.0),
        (150.0, -150.0, -125.0),
    ]
)
"""(6, 3) the generic head of the six-point method in head axes (its own unit): tip of the nose, chin,
outer corners of the right and the left eye, right and left corner of the mouth; the table that this
method is commonly published with."""

SIX_OF_68 = (30, 8, 36, 45, 48, 54)
"""Which of the 68 landmarks those are."""


def rotation_from_angles(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """(3, 3) rotation from head axes to camera axes. Degrees; exact inverse of
    :func:`angles_from_rotation` for -90 < yaw < 90.
    """
    cy, sy = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    cr, sr = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]])
    about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_z = np.array([[cr, sr, 0.0], [-sr, cr, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_x @ about_y @ about_z, dtype=np.float64)


def angles_from_rotation(R: NDArray[np.floating[Any]]) -> tuple[float, float, float]:
    """(yaw, pitch, roll) in degrees of a (3, 3) rotation from head axes to camera axes:
    yaw = asin(R[0,2]), pitch = atan2(R[1,2], R[2,2]), roll = atan2(R[0,1], R[0,0]).
    """
    yaw = math.asin(min(1.0, max(-1.0, float(R[0, 2]))))
    pitch = math.atan2(float(R[1, 2]), float(R[2, 2]))
    roll = math.atan2(float(R[0, 1]), float(R[0, 0]))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def tilt(R: NDArray[np.floating[Any]]) -> float:
    """Degrees by which the crown points clockwise from the picture's upward direction; 0 where the picture
    is level with the head, whatever its yaw and pitch.
    """
    return math.degrees(math.atan2(float(R[0, 1]), float(R[1, 1])))


def level_yaw(R: NDArray[np.floating[Any]]) -> float:
    """The yaw in degrees that the head has when its tilt is taken out of the picture."""
    tilted = math.radians(tilt(R))
    return math.degrees(
        math.asin(float(np.clip(R[0, 2] * math.cos(tilted) - R[1, 2] * math.sin(tilted), -1, 1)))
    )


def mesh_rotation(
    mesh: NDArray[np.floating[Any]],
    canonical_mesh: NDArray[np.floating[Any]] | None,
    focal_px: float,
    width: int,
    height: int,
) -> NDArray[np.float64]:
    """(3, 3) rotation from head axes to camera axes of a face whose mesh (468, 3) is known.

    Procrustes (Kabsch 1976) of the :data:`STABLE_POINTS` in 3D against ``canonical_mesh``, (468, 3) in
    head axes of a level head; without one, from the mesh's own lines of symmetry, which is a little
    less exact. The network sees the face alone, as if the camera pointed at it; the picture's camera,
    (``focal_px``, middle of ``width`` x ``height``) does not, so the direction to the face is turned in.
    """
    seen = np.asarray(mesh, dtype=np.float64) * [1.0, -1.0, -1.0]  # picture (z away) -> camera axes
    if canonical_mesh is None:
        local = _rotation_by_symmetry(seen)
    else:
        chosen = list(STABLE_POINTS)
        local = _procrustes(np.asarray(canonical_mesh, dtype=np.float64)[chosen], seen[chosen])
    middle = seen[list(STABLE_POINTS), :2].mean(axis=0) - [width / 2.0, -height / 2.0]
    return _turn_to(np.array([middle[0], middle[1], -focal_px])) @ local


def pose_six_points(
    landmarks68: NDArray[np.floating[Any]], focal_px: float, width: int, height: int
) -> NDArray[np.float64]:
    """(3, 3) rotation by HOLOTALK's own method, kept as the baseline to be measured against: six of the
    68 landmarks (68, 2) in pixels and OpenCV's ``solvePnP``, principal point in the picture's middle.
    """
    import cv2

    points = np.asarray(landmarks68, dtype=np.float64)[list(SIX_OF_68)]
    camera = np.array([[focal_px, 0.0, width / 2.0], [0.0, focal_px, height / 2.0], [0.0, 0.0, 1.0]])
    # Started from a head that faces the camera: six points admit a mirrored solution behind it.
    spread = float(np.ptp(points[:, 1])) or 1.0
    depth = focal_px * float(np.ptp(SIX_POINTS[:, 1])) / spread
    offset = (points.mean(axis=0) - [width / 2.0, height / 2.0]) * depth / focal_px
    _, turn, _ = cv2.solvePnP(
        SIX_POINTS,
        points.reshape(-1, 1, 2),
        camera,
        np.zeros(4),
        rvec=np.array([[math.pi], [0.0], [0.0]]),
        tvec=np.array([[offset[0]], [offset[1]], [depth]]),
        useExtrinsicGuess=True,
        flags=cv2.SOLVEPNP_ITERATIVE,
    )
    # OpenCV's camera has y down and looks along +z.
    return np.asarray(np.diag([1.0, -1.0, -1.0]) @ cv2.Rodrigues(turn)[0], dtype=np.float64)


def _procrustes(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation (no reflection) that best turns ``source`` to ``target``, both (N, 3)."""
    product = (target - target.mean(axis=0)).T @ (source - source.mean(axis=0))
    left, _, right = np.linalg.svd(product)
    sign = 1.0 if np.linalg.det(left @ right) > 0.0 else -1.0
    return np.asarray(left @ np.diag([1.0, 1.0, sign]) @ right, dtype=np.float64)


def _rotation_by_symmetry(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    across = sum((seen[left] - seen[right] for right, left in _MIRROR_PAIRS), np.zeros(3))
    x = across / np.linalg.norm(across)
    up = seen[_FOREHEAD] - seen[CHIN]
    up = up - x * (up @ x)
    up = up / np.linalg.norm(up)
    out = np.cross(x, up)
    # The forehead lies before the chin by the face's lean: take that back.
    y = math.cos(_FACE_LEAN) * up - math.sin(_FACE_LEAN) * out
    return np.column_stack([x, y, np.cross(x, y)])


def _turn_to(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation that takes the camera's line of sight, -z, to ``direction``."""
    to = direction / np.linalg.norm(direction)
    axis = np.cross([0.0, 0.0, -1.0], to)
    cosine = -float(to[2])
    K = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return np.asarray(np.eye(3) + K + K @ K / (1.0 + cosine), dtype=np.float64)

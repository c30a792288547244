# SPDX-License-Identifier: GPL-3.0-or-later
"""What about a face in a photo will hurt the result, in words for the user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mesh import CROP_PER_BOX, crop_square, level_square, picture_to_crop

SMALL_FACE = 80
"""Pixels of width below which the head will be coarse."""

FAR_TURNED = 45.0
"""Degrees of yaw from which on half of the face is a guess."""

BLURRED = 0.66
"""Blur measure (0 sharp .. 1) from which a face counts as blurred: 21 ordinary photos have 0.27-0.55,
the large ones among them blurred by 1 % of the face's width 0.72-0.83."""

OTHER_COLOUR = 13.0
"""CIELAB chroma distance of one part of the face from the others: ordinary photos have up to 12 (beards),
faces with a part covered in grey, black or a colour 13-43."""

_REGIONS = {
    "forehead": (9, 107, 108, 151, 337, 336),
    "right cheek": (50, 101, 36, 205),
    "left cheek": (280, 330, 266, 425),
    "chin": (199, 200, 201, 208, 428, 421),
    "nose": (195, 197, 5, 4, 51, 281),
}
"""Patches of bare skin as points of the mesh; "right" and "left" are the person's."""


def face_warnings(pixels: NDArray[np.uint8], mesh: NDArray[np.float64], yaw: float) -> tuple[str, ...]:
    """Sentences for the user about one face: (H, W, 3) uint8 sRGB, mesh (468, 3), yaw in degrees."""
    height, width = pixels.shape[:2]
    points = mesh[:, :2]
    found = []
    if abs(yaw) > FAR_TURNED:
        found.append(
            f"The head is turned by {abs(yaw):.0f} degrees: the far side of the face is a guess. "
            "A photo from the front gives a better likeness."
        )
    face_width = float(np.ptp(points[:, 0]))
    if face_width < SMALL_FACE:
        found.append(f"The face is only {face_width:.0f} pixels wide: the head will look coarse.")
    outside = ((points < 0.0) | (points > [width, height])).any(axis=1)
    if float(outside.mean()) > 0.02:
        found.append(
            f"The edge of the picture cuts off {100.0 * float(outside.mean()):.0f} % of the face: "
            "what is missing is a guess."
        )
    if blur(pixels, mesh) > BLURRED:
        found.append("The face is blurred: the head will lack detail. Use a sharper photo.")
    odd = _odd_regions(pixels, mesh, outside, yaw)
    if odd:
        found.append(
            f"Part of the face ({' and '.join(odd)}) is hidden or lit in another colour, "
            "which will show on the head."
        )
    return tuple(found)


def blur(pixels: NDArray[np.uint8], mesh: NDArray[np.float64]) -> float:
    """0 (sharp) .. 1 (blurred) of a face, at its own resolution or at 256 pixels where that is less: how
    little of the differences between neighbours a further blur takes away (Crete et al. 2007).
    """
    import cv2

    centre, side, roll = level_square(mesh)
    side /= CROP_PER_BOX
    size = int(np.clip(round(side), 32, 256))
    grey = cv2.cvtColor(crop_square(pixels, centre, side, roll, size), cv2.COLOR_RGB2GRAY).astype(np.float32)
    measures = []
    for axis, window in ((0, (1, 9)), (1, (9, 1))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, window), axis=axis))
        lost = float(np.maximum(before - after, 0.0).sum())
        measures.append(1.0 - lost / max(float(before.sum()), 1e-6))
    return max(measures)


def _odd_regions(
    pixels: NDArray[np.uint8], mesh: NDArray[np.float64], outside: NDArray[Any], yaw: float
) -> list[str]:
    """Names of skin patches whose colour is not that of the others: hands, masks, hair, scarves. The
    mesh network itself draws a face through anything, and its score does not tell.
    """
    import cv2

    size = 192
    centre, side, roll = level_square(mesh)
    crop = crop_square(pixels, centre, side, roll, size)
    lab = cv2.cvtColor(crop.astype(np.float32) / np.float32(255.0), cv2.COLOR_RGB2LAB)
    level = picture_to_crop(mesh[:, :2], centre, side, roll, size)
    colours: dict[str, NDArray[Any]] = {}
    # A cheek on the far side of a turned head is seen at a glance, with the ground behind it.
    far = "left cheek" if yaw > 30.0 else "right cheek" if yaw < -30.0 else ""
    for name, points in _REGIONS.items():
        if name == far or outside[list(points)].any():
            continue
        patch = np.zeros((size, size), dtype=np.uint8)
        outline = cv2.convexHull(level[list(points)].astype(np.float32)).astype(np.int32)
        cv2.fillConvexPoly(patch, outline, (1.0,))
        if patch.any():
            colours[name] = np.median(lab[patch > 0][:, 1:], axis=0)
    if len(colours) < 3:
        return []
    usual = np.median(np.array(list(colours.values())), axis=0)
    return [name for name, colour in colours.items() if float(np.hypot(*(colour - usual))) > OTHER_COLOUR]

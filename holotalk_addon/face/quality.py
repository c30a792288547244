# SPDX-License-Identifier: GPL-3.0-or-later
"""What about a face in a photo will hurt the result, in words for the user."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .exposure import BURNT, DARK, face_exposure
from .mesh import CROP_PER_BOX, crop_square, level_square, picture_to_crop, share_outside

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

COVER_UNLIKE_SKIN, LIPS_UNSEEN, COVER_SURE = 4.0, 2.5, 11.0
"""Distances in CIELAB, lightness weighed by 0.3: chin, nose and both cheeks are covered where each differs
by the first from the forehead and from between the eyes, while the lips differ by less than the second from
what surrounds them; or where each differs by the third. Set on half of 50 real faces, bare and with six masks
painted on, and with painted beards, make-up, red noses, shadows, coloured light and blur. On the other half:
none of 19 bare faces and 2 of 247 painted ones is taken for covered (lips in the skin's colour), 11 of 69
masks are missed (in grey photos, and of the skin's colour)."""

NO_SKIN = -3.0
"""CIELAB a and b of skin are above, but for a burnt one's noise: neither green nor blue."""

_LIGHTNESS = 0.3

_REGIONS = {
    "forehead": (9, 107, 108, 151, 337, 336),
    "right cheek": (50, 101, 36, 205),
    "left cheek": (280, 330, 266, 425),
    "chin": (199, 200, 201, 208, 428, 421),
    "nose": (195, 197, 5, 4, 51, 281),
}
"""Patches of bare skin as points of the mesh; "right" and "left" are the person's."""

_BETWEEN_EYES = (168, 6, 122, 196, 197, 419, 351)
_LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
_AROUND_LIPS = (164, 167, 165, 92, 186, 57, 43, 106, 182, 83, 18, 313, 406, 335, 273, 287, 410, 322, 391, 393)


def face_warnings(pixels: NDArray[np.uint8], mesh: NDArray[np.float64], yaw: float) -> tuple[str, ...]:
    """Sentences for the user about one face: (H, W, 3) uint8 sRGB, mesh (468, 3), yaw in degrees."""
    points = mesh[:, :2]
    found = []
    if abs(yaw) > FAR_TURNED:
        found.append(
            f"The head is turned by {abs(yaw):.0f} degrees: the far side of the face is a guess. "
            "A photo from the front gives a better likeness."
        )
    face_width = float(np.ptp(points[:, 0]))
    if face_width < SMALL_FACE:
        found.append(
            f"The face is only {face_width:.0f} pixels wide: the head will look coarse. "
            "Use a larger picture of it."
        )
    cut = share_outside(mesh, pixels.shape)
    if cut > 0.02:
        found.append(
            f"The edge of the picture cuts off {100.0 * cut:.0f} % of the face: "
            "what is missing is a guess. Use a photo with the whole face."
        )
    if blur(pixels, mesh) > BLURRED:
        found.append("The face is blurred: the head will lack detail. Use a sharper photo.")
    light = face_exposure(pixels, mesh)
    if light.bright < DARK:
        found.append(
            "The face is far too dark, and black cannot be seen in a pyramid: use a photo with more light on "
            "the face, or have this one brightened (exposure)."
        )
    patches = _Patches(pixels, mesh, yaw)
    covered = patches.covered()
    if light.burnt > BURNT and not covered:
        found.append(
            f"{100.0 * light.burnt:.0f} % of the face is burnt out to white, which nothing brings back: "
            "use a photo with less light on the face."
        )
    if covered:
        found.append(
            "Mouth and cheeks are covered (a mask?): the head keeps the cover. Use a photo of the bare face."
        )
    elif odd := patches.odd():
        found.append(
            f"Part of the face ({' and '.join(odd)}) is hidden or lit in another colour, "
            "which will show on the head. Use a photo without that."
        )
    return tuple(found)


def is_covered(pixels: NDArray[np.uint8], mesh: NDArray[np.float64], yaw: float) -> bool:
    """Whether mouth, nose and cheeks lie under a mask or a scarf; arguments as for :func:`face_warnings`."""
    return _Patches(pixels, mesh, yaw).covered()


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


class _Patches:
    """The colours of patches of a face. The mesh network itself draws a face through anything, and its score
    does not tell.
    """

    def __init__(self, pixels: NDArray[np.uint8], mesh: NDArray[np.float64], yaw: float) -> None:
        """Arguments as for :func:`face_warnings`."""
        import cv2

        size = 192
        centre, side, roll = level_square(mesh)
        crop = crop_square(pixels, centre, side, roll, size)
        self._lab = cv2.cvtColor(crop.astype(np.float32) / np.float32(255.0), cv2.COLOR_RGB2LAB)
        self._level = picture_to_crop(mesh[:, :2], centre, side, roll, size)
        points = mesh[:, :2]
        self._outside = ((points < 0.0) | (points > [pixels.shape[1], pixels.shape[0]])).any(axis=1)
        # A cheek on the far side of a turned head is seen at a glance, with the ground behind it.
        far = "left cheek" if yaw > 30.0 else "right cheek" if yaw < -30.0 else ""
        found = {name: self._colour(points) for name, points in _REGIONS.items() if name != far}
        self._colours = {name: colour for name, colour in found.items() if colour is not None}

    def _mask(self, points: tuple[int, ...]) -> NDArray[np.uint8]:
        import cv2

        patch = np.zeros(self._lab.shape[:2], dtype=np.uint8)
        outline = cv2.convexHull(self._level[list(points)].astype(np.float32)).astype(np.int32)
        cv2.fillConvexPoly(patch, outline, (1.0,))
        return patch

    def _colour(self, points: tuple[int, ...], without: tuple[int, ...] = ()) -> NDArray[np.float64] | None:
        """(3,) middle CIELAB of the patch between some points of the mesh; None beyond the picture."""
        import cv2

        if self._outside[list(points)].any():
            return None
        patch = self._mask(points)
        if without:
            patch[cv2.dilate(self._mask(without), np.ones((5, 5), np.uint8)) > 0] = 0
        if not patch.any():
            return None
        return np.asarray(np.median(self._lab[patch > 0], axis=0), dtype=np.float64)

    def odd(self) -> list[str]:
        """Names of those whose hue is not that of the others: hands, hair, scarves."""
        if len(self._colours) < 3:
            return []
        hues = {name: colour[1:] for name, colour in self._colours.items()}
        usual = np.median(np.array(list(hues.values())), axis=0)
        return [name for name, hue in hues.items() if float(np.hypot(*(hue - usual))) > OTHER_COLOUR]

    def covered(self) -> bool:
        """Whether all of mouth, nose and cheeks differ from the skin above them. Most of the face is then the
        cover's, so it is not the majority that tells.
        """
        below = [colour for name, colour in self._colours.items() if name != "forehead"]
        # A fringe or a hat may hide the one.
        above = [self._colours.get("forehead"), self._colour(_BETWEEN_EYES)]
        skin = [colour for colour in above if colour is not None]
        lips, around = self._colour(_LIPS), self._colour(_AROUND_LIPS, without=_LIPS)
        if len(below) < 3 or not skin or lips is None or around is None:
            return False
        nearest = min(_distance(a, b) for a in skin for b in below)
        if nearest > COVER_UNLIKE_SKIN and _distance(lips, around) < LIPS_UNSEEN:
            return True
        # Patterns may look like lips. But then it may also be a cloth that lies above.
        return nearest > COVER_SURE and any(float(colour[1:].min()) > NO_SKIN for colour in skin)


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.linalg.norm((a - b) * [_LIGHTNESS, 1.0, 1.0]))

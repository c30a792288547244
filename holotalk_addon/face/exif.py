# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera wrote into a picture file (EXIF): orientation, sizes, and the focal length that follows."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

from PIL import Image

DEFAULT_FOCAL_PER_SIDE = 1.5
"""Focal length over the longer side where the file does not tell: the project's contract. It is a
54 mm lens on a 36 mm wide film, between a phone's selfie camera (about 0.8) and a portrait lens
(about 2.4)."""

PLAUSIBLE_FOCAL_PER_SIDE = (0.35, 20.0)
"""EXIF values outside (angles of view over 110 or under 3 degrees) are writing errors."""

CAMERA_SHAPES = (3 / 2, 4 / 3, 16 / 9)
"""Longer side over shorter of what cameras and phones take. A square or 5:4 is nearly always a crop, and many
editors give the crop's size to EXIF's own and keep the focal length."""

SAME_SHAPE = 0.02
"""Relative difference up to which two shapes are the same: a rounded size, a picture levelled by a degree."""

FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)

# EXIF tag numbers (Exif 2.32, table 4 and following).
IMAGE_WIDTH, IMAGE_HEIGHT = 0x0100, 0x0101
ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_FOCAL_LENGTH = 0x920A
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
FOCAL_LENGTH_35 = 0xA405

DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    KeyError,
    IndexError,
)
"""What Pillow's readers raise on damaged files."""


def focal_length(exif: dict[int, Any], size: tuple[int, int]) -> tuple[float, bool]:
    """Focal length in pixels of the picture in the file, and whether EXIF told it.

    ``exif`` maps tag numbers to values, ``size`` is (width, height) in the file. In this order:

    1. FocalLengthIn35mmFilm, by the diagonal as CIPA DCG-001 defines that equivalence:
       ``f35 / 43.27 mm * diagonal in pixels`` (the same as ``f35 / 36 mm * longer side`` at 3:2).
    2. FocalLength times FocalPlaneXResolution, which is pixels of the sensor over its width, brought
       from the size at capture (PixelXDimension) to the size in the file.
    3. 1.5 times the longer side.

    Neither of the first two holds in a cropped picture (:func:`is_cropped`), nor are implausible values
    believed: the default then.
    """
    width, height = size
    longer = max(width, height)
    default = DEFAULT_FOCAL_PER_SIDE * longer
    if is_cropped(exif, size):
        return default, False
    focal = 0.0
    film = positive_number(exif.get(FOCAL_LENGTH_35))
    millimetres = positive_number(exif.get(_FOCAL_LENGTH))
    resolution = positive_number(exif.get(_PLANE_X_RESOLUTION))
    if film:
        focal = film / FILM_DIAGONAL_MM * math.hypot(width, height)
    elif millimetres and resolution:
        unit_mm = {2: 25.4, 3: 10.0, 4: 1.0}.get(int(positive_number(exif.get(_PLANE_UNIT)) or 2), 25.4)
        captured = max(positive_number(exif.get(_PIXEL_X)), positive_number(exif.get(_PIXEL_Y)))
        focal = millimetres * resolution / unit_mm * (longer / captured if captured else 1.0)
    low, high = PLAUSIBLE_FOCAL_PER_SIDE
    if not low * longer <= focal <= high * longer:
        return default, False
    return focal, True


def is_cropped(exif: dict[int, Any], size: tuple[int, int]) -> bool:
    """Whether a picture of ``size`` (width, height) is a part of what the camera took, as far as shapes tell.

    It is where its shape is none of a camera's, or another than that of a size at capture in ``exif``
    (PixelXDimension, and ImageWidth as some phones write it). A mere reduction keeps the shape.
    """
    shape = max(size) / min(size)
    if all(abs(shape / camera - 1.0) > SAME_SHAPE for camera in CAMERA_SHAPES):
        return True
    for across, down in ((_PIXEL_X, _PIXEL_Y), (IMAGE_WIDTH, IMAGE_HEIGHT)):
        x, y = positive_number(exif.get(across)), positive_number(exif.get(down))
        if x and y and abs(max(x, y) / min(x, y) / shape - 1.0) > SAME_SHAPE:
            return True
    return False


def positive_number(value: Any) -> float:
    """A finite positive number from an EXIF value, else 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) and number > 0.0 else 0.0


def read_exif(image: Image.Image, warnings: list[str]) -> dict[int, Any]:
    """The values of an open picture by their tag numbers; a word to the user in ``warnings`` where they are
    damaged."""
    try:
        exif = image.getexif()
        found = {**dict(exif), **exif.get_ifd(_EXIF_IFD)}
    except (*DECODING_ERRORS, TypeError, AttributeError):
        warnings.append(
            "The camera's notes in the file (EXIF) are damaged: if the picture lies on its side, turn it."
        )
        return {}
    if image.format == "TIFF":
        # Here these are the file's own size, which tells nothing of the camera's.
        for tag in (IMAGE_WIDTH, IMAGE_HEIGHT):
            found.pop(tag, None)
    return found

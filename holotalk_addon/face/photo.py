# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture file -> :class:`Photo`: upright 8-bit sRGB pixels of a workable size, and the focal length.

What users hand in is read by its content, never by the name's ending: phones write Display P3 and
EXIF-rotated JPEGs, scanners write 16-bit TIFF and CMYK, background removers write RGBA.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from ..errors import PhotoError
from .exif import (
    DECODING_ERRORS,
    DEFAULT_FOCAL_PER_SIDE,
    FOCAL_LENGTH_35,
    ORIENTATION,
    focal_length,
    is_cropped,
    positive_number,
    read_exif,
)
from .pictures import FORMATS_FOR_USERS, check_file, open_picture
from .tiff import tiff_pages

SMALLEST_SIDE = 32
"""Pixels. A face needs 24 px; with less than this around it no detector has anything to go by."""

MOST_BYTES = 1_250_000_000
"""Memory that decoding may take at its peak, so that the whole program stays below 1.5 GB: an RGB picture
of 20,000 x 15,000 pixels."""

_BYTES_PER_PIXEL = {"1": 1, "L": 1, "RGB": 4, "RGBX": 4, "CMYK": 4}
"""What Pillow holds of a picture in each mode while it is decoded and reduced."""

_BYTES_PER_PIXEL_OTHER = 9
"""The same where a converted copy is needed meanwhile (palette, alpha, more than eight bits)."""

_BYTES_PER_PIXEL_JPEG = {False: 0.4, True: 6.0}
"""JPEGs are decoded at 1/2, 1/4 or 1/8 straight away, unless they are progressive: then libjpeg holds all
coefficients."""

NEAREST_HEAD_M = 0.25
"""Metres from the camera below which no head stands: a selfie at 12 inches (0.30 m) is the near one of Ward
et al. 2018 (JAMA Facial Plastic Surgery 20:333), and phones' front cameras are sharp from about here on."""

PUPILS_M = 0.063
"""Metres between an adult's pupils (Dodgson 2004); a child's are closer, which makes the distance computed
from them too large and so believed."""

CROPPED = (
    "The photo was cropped after it was taken, so its focal length is unknown: "
    "the whole photo gives a truer shape of the head."
)


@dataclass(frozen=True)
class Photo:
    """A picture, upright, in sRGB, ready to work on."""

    path: Path
    """The file it came from."""
    pixels: NDArray[np.uint8]
    """(H, W, 3) sRGB, C-contiguous: the working picture. Transparent parts show mid grey."""
    alpha: NDArray[np.uint8] | None
    """(H, W), 255 = opaque; ``None`` where the file has no transparency (or is opaque all over)."""
    original_width: int
    """Pixels in the file, EXIF orientation applied."""
    original_height: int
    """Pixels in the file, EXIF orientation applied."""
    scale: float
    """Working pixels over original pixels, at most 1."""
    focal_px: float
    """Focal length in working pixels. See :func:`.exif.focal_length`."""
    focal_from_exif: bool
    """False where ``focal_px`` is the default of 1.5 times the longer side."""
    warnings: tuple[str, ...] = ()
    """Sentences for the user about what was odd in the file."""
    inside: NDArray[np.bool_] | None = None
    """(H, W) where there is photo; ``None``: everywhere. A tilted photo that was levelled lies on a larger
    canvas; beyond it ``pixels`` repeat its edge, and ``alpha`` is 0."""

    @property
    def width(self) -> int:
        """Working pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Working pixels."""
        return int(self.pixels.shape[0])


def photo_from_pixels(
    pixels: NDArray[np.uint8], focal_px: float | None = None, path: Path | None = None
) -> Photo:
    """Wrap pixels that did not come from a file (a frame of a film, a render) as a :class:`Photo`.

    ``pixels`` is (H, W, 3) uint8 sRGB; ``focal_px`` defaults to 1.5 times the longer side.
    """
    height, width = pixels.shape[:2]
    default = DEFAULT_FOCAL_PER_SIDE * max(width, height)
    return Photo(
        path=path or Path("picture"),
        pixels=np.ascontiguousarray(pixels),
        alpha=None,
        original_width=width,
        original_height=height,
        scale=1.0,
        focal_px=default if focal_px is None else focal_px,
        focal_from_exif=False,
    )


def read_photo(path: str | Path, max_side: int = 4096) -> Photo:
    """Read a picture file as a :class:`Photo` whose longer side has at most ``max_side`` pixels.

    EXIF orientation is applied; embedded colour profiles are converted to sRGB; grey, palette, CMYK,
    16-bit and floating-point pictures become 8-bit RGB; of animations the first frame is taken, of a TIFF
    with several pages the largest: scanners and editors put a thumbnail first.
    Transparent parts are laid over mid grey: black or white would melt into dark hair or a pale
    forehead, and the colours hidden under full transparency are arbitrary.

    Raises :class:`~holotalk_addon.errors.PhotoError` where there is no readable picture.
    """
    path = Path(path)
    check_file(path)
    warnings: list[str] = []
    pages = tiff_pages(path)
    page = max(range(len(pages)), key=lambda n: pages[n][0] * pages[n][1], default=0)
    if page:
        warnings.append(f"The file has {len(pages)} pages: number {page + 1}, the largest, is used.")
    try:
        with open_picture(path, page) as image:
            colour: Image.Image | NDArray[np.uint8]
            alpha: NDArray[np.uint8] | None = None
            size_in_file = (int(image.size[0]), int(image.size[1]))
            _check_size(path, size_in_file, _bytes_per_pixel(image))
            # A JPEG decodes straight to 1/2, 1/4 or 1/8, the smallest not below what is asked for.
            image.draft(image.mode, (max_side, max_side))
            image.load()
            # Not before: PNG may hold it at the end, and Pillow turns TIFFs itself while it loads.
            exif = read_exif(image, warnings)
            profile = image.info.get("icc_profile")
            colour, alpha = _decode_with_pillow(image, max_side)
    except UnidentifiedImageError as error:
        # Pillow does not know TIFFs of three times 16 bits; OpenCV does.
        if not pages:
            raise PhotoError(_not_a_picture(path)) from error
        colour = _decode_with_cv2(path, page, max_side)
        alpha = None
        size_in_file, exif, profile = pages[page], {}, None
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoError(
            f"{path} is too large for this computer's memory. Make it smaller (8000 pixels are plenty)."
        ) from error
    except DECODING_ERRORS as error:
        raise PhotoError(
            f"{path} is damaged or only half there. Copy or export the picture again."
        ) from error
    pixels = _to_srgb(colour, profile, warnings)
    orientation = exif.get(ORIENTATION, 1)
    pixels = _upright(pixels, orientation)
    if alpha is not None:
        alpha = _upright(alpha, orientation)
        pixels = _over_mid_grey(pixels, alpha)
    original_width, original_height = size_in_file
    if orientation in (5, 6, 7, 8):
        original_width, original_height = original_height, original_width
    height, width = pixels.shape[:2]
    scale = max(width, height) / max(original_width, original_height)
    focal, from_exif = focal_length(exif, size_in_file)
    if positive_number(exif.get(FOCAL_LENGTH_35)) and is_cropped(exif, size_in_file):
        warnings.append(CROPPED)
    return Photo(
        path=path,
        pixels=pixels,
        alpha=alpha,
        original_width=original_width,
        original_height=original_height,
        scale=scale,
        focal_px=focal * scale,
        focal_from_exif=from_exif,
        warnings=tuple(warnings),
    )


def with_believable_focal(photo: Photo, pupils: NDArray[np.float64], yaw: float) -> Photo:
    """The photo, with the default focal length where EXIF's would put the head nearer to the camera than
    heads are (:data:`NEAREST_HEAD_M`): it is a crop of the shape it was taken in.

    ``pupils`` (2, 2) in working pixels; ``yaw`` in degrees, which foreshortens their distance.
    """
    pupils_px = float(np.linalg.norm(pupils[1] - pupils[0])) / max(math.cos(math.radians(yaw)), 0.3)
    if not photo.focal_from_exif or photo.focal_px * PUPILS_M >= NEAREST_HEAD_M * pupils_px:
        return photo
    return replace(
        photo,
        focal_px=DEFAULT_FOCAL_PER_SIDE * max(photo.width, photo.height),
        focal_from_exif=False,
        warnings=(*photo.warnings, CROPPED),
    )


def _bytes_per_pixel(image: Image.Image) -> float:
    if image.format in ("JPEG", "MPO"):
        return _BYTES_PER_PIXEL_JPEG["progressive" in image.info]
    if "transparency" in image.info:
        return _BYTES_PER_PIXEL_OTHER
    return _BYTES_PER_PIXEL.get(image.mode, _BYTES_PER_PIXEL_OTHER)


def _check_size(path: Path, size: tuple[int, int], bytes_per_pixel: float) -> None:
    width, height = size
    if min(width, height) < SMALLEST_SIDE:
        raise PhotoError(
            f"{path} has only {width} x {height} pixels. Use a photo whose face is at least 100 pixels wide."
        )
    if width * height * bytes_per_pixel > MOST_BYTES:
        raise PhotoError(
            f"{path} has {width} x {height} pixels, too many to read. "
            "Make it smaller: 8000 pixels are plenty."
        )


def _not_a_picture(path: Path) -> str:
    return f"{path} is not a picture that can be read ({FORMATS_FOR_USERS})."


def _fitting(width: int, height: int, max_side: int) -> tuple[int, int]:
    factor = min(1.0, max_side / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _decode_with_pillow(
    image: Image.Image, max_side: int
) -> tuple[Image.Image | NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The working-size picture in its own colours (L, RGB, CMYK or LAB), and its alpha if it has any."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_deep_grey_to_8_bit(np.asarray(image)))
    if image.mode in ("P", "PA") or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode in ("RGBa", "RGBX"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("YCbCr", "HSV"):
        image = image.convert("RGB")
    size = _fitting(*image.size, max_side)
    if size != image.size:
        # Pillow weighs the colours of RGBA and LA by their alpha in both, as it must be. The whole part of
        # the reduction by averaging: Lanczos alone would take a second picture as high as the first.
        whole = max(1, max(image.size) // max_side)
        if whole > 1:
            image = image.reduce(whole)
        image = image.resize(size, Image.Resampling.LANCZOS)
    alpha: NDArray[np.uint8] | None = None
    if image.mode in ("RGBA", "LA"):
        alpha = np.array(image.getchannel("A"), dtype=np.uint8)
        image = image.convert(image.mode[:-1])
        if int(alpha.min()) == 255:
            alpha = None
    return image, alpha


def _deep_grey_to_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit, 32-bit and floating-point grey as 8-bit: by the full range of 16 bits, by 0..1 for
    floating point, and by the largest value where that exceeds it.
    """
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    highest = float(np.max(values, initial=0, where=np.isfinite(values)))
    if values.dtype.kind == "f":
        full = 1.0 if highest <= 1.0 else max(255.0, highest)
    else:
        full = 255.0 if values.dtype.itemsize > 2 and highest <= 255.0 else max(65535.0, highest)
    out = np.empty(values.shape, dtype=np.uint8)
    for top in range(0, len(values), 256):  # in strips, for the sake of memory
        part = np.nan_to_num(values[top : top + 256].astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        out[top : top + 256] = np.clip(part * (255.0 / full) + 0.5, 0.0, 255.0)
    return out


def _decode_with_cv2(path: Path, page: int, max_side: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB through OpenCV, as stored (no orientation): a page of a 16-bit TIFF."""
    import cv2

    # Not cv2.imread: on Windows it cannot open names outside the system's code page.
    data = np.fromfile(path, dtype=np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        _, found = cv2.imdecodemulti(data, flags, range=(page, page + 1))
    except cv2.error as error:
        raise PhotoError(_not_a_picture(path)) from error
    if not found:
        raise PhotoError(_not_a_picture(path))
    decoded = found[0]
    _check_size(path, (decoded.shape[1], decoded.shape[0]), 3.0)
    size = _fitting(decoded.shape[1], decoded.shape[0], max_side)
    if size != (decoded.shape[1], decoded.shape[0]):
        decoded = cv2.resize(decoded, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _to_srgb(
    colour: Image.Image | NDArray[np.uint8], profile: bytes | None, warnings: list[str]
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB. A profile that cannot be used is left out, with a word to the user."""
    if not isinstance(colour, Image.Image):
        return np.ascontiguousarray(colour)
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                colour, source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            warnings.append(
                "The colour profile in the file cannot be used: if colours are off, save the picture as sRGB."
            )
        else:
            if converted is not None:
                return np.array(converted, dtype=np.uint8)
    return np.array(colour.convert("RGB"), dtype=np.uint8)


def _upright(pixels: NDArray[np.uint8], orientation: Any) -> NDArray[np.uint8]:
    """Apply an EXIF orientation 1..8 (anything else counts as 1) to an (H, W) or (H, W, C) array."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _over_mid_grey(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    out = np.empty_like(pixels)
    rows = 256  # in strips: 32-bit copies of the whole picture would take 400 MB at 4096 x 4096
    for top in range(0, len(pixels), rows):
        part = slice(top, top + rows)
        opacity = alpha[part, :, None].astype(np.uint32)
        out[part] = ((pixels[part] * opacity + 128 * (255 - opacity) + 127) // 255).astype(np.uint8)
    return out

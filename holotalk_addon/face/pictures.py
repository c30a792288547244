# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening picture files, whoever they are from: the one way for photos, thumbnails and our own renders.

A file is what it holds, never what it is called; and what it may hold is a closed list.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from ..errors import PhotoError

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "AVIF", "JPEG2000")
"""Pillow's names of the formats that are read. A closed list: Pillow's others include EPS, which
would run Ghostscript on a stranger's file."""

FORMATS_FOR_USERS = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 and PPM work"

_FILMS = (
    (4, (b"ftyp", b"moov", b"mdat", b"wide", b"free")),  # MP4 and QuickTime
    (0, (b"\x1aE\xdf\xa3",)),  # Matroska and WebM
    (0, (b"OggS",)),
    (8, (b"AVI ",)),
)
"""How films begin: where in the file, and with what."""

_LIMIT = threading.Lock()
"""Held while Pillow's limit is another: the limit is the whole program's, and the panel draws a thumbnail
while a thread reads a photo."""


@contextmanager
def open_picture(file: Path | IO[bytes], page: int = 0) -> Iterator[Image.Image]:
    """A picture of one of :data:`FORMATS`, opened by Pillow and not yet decoded.

    Pillow refuses pictures of 179 megapixels and warns from 89; not here, so whoever decodes a stranger's
    picture looks at its size before.

    Args:
        file: where it is, or a stream of its bytes.
        page: of a TIFF, from 0.

    Raises:
        PIL.UnidentifiedImageError: it is none of these, or the page holds what Pillow does not know.
        OSError: it cannot be read; and the other exceptions of Pillow's readers, where it is damaged.
    """
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    with _LIMIT, _limit_lifted():
        image = Image.open(file, formats=formats)
    with image:
        if page:
            try:
                with _LIMIT, _limit_lifted():
                    image.seek(page)
            except SyntaxError as error:  # a kind of pixels that Pillow does not know
                raise UnidentifiedImageError(str(error)) from error
        yield image


@contextmanager
def _limit_lifted() -> Iterator[None]:
    """Without Pillow's limit to pictures' sizes; the program's own setting comes back afterwards."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def check_file(path: Path) -> None:
    """Complain unless a path is that of a file that may hold a picture.

    Raises:
        PhotoError: there is no such file, it is empty or cannot be opened, or it is a HEIC picture.
    """
    try:
        if path.is_dir():
            raise PhotoError(f"{path} is a folder. Give the picture file itself.")
        if not path.exists():
            raise PhotoError(f"There is no file {path}. Check the name and the folder.")
        if not path.is_file():
            raise PhotoError(f"{path} is not an ordinary file. Give a picture file.")
        if path.stat().st_size == 0:
            raise PhotoError(f"{path} is empty (zero bytes). Copy or export the picture again.")
        with path.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise PhotoError(f"{path} cannot be opened ({_one_line(error)}).") from error
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        raise PhotoError(f"{path} is a HEIC picture, which cannot be read here. Convert it to JPEG first.")


def check_picture_or_film(path: Path) -> None:
    """Complain unless a file is a picture of one of :data:`FORMATS` or begins as a film does.

    For what Blender is to open: it reads whatever FFmpeg reads, and that may be a text that names other files
    and addresses to fetch.

    Raises:
        PhotoError: it is neither, or cannot be opened.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if any(head[at:].startswith(marks) for at, marks in _FILMS):
            return
        with open_picture(path):
            return
    except (OSError, SyntaxError, ValueError) as error:
        raise PhotoError(
            f"{path} is no picture ({FORMATS_FOR_USERS}) and no film (MP4, MOV, MKV, WebM, OGG and AVI work)."
        ) from error


def _one_line(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:120]

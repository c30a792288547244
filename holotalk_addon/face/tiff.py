# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of the pages of a TIFF, read off its directories."""

from __future__ import annotations

import struct
from pathlib import Path

from .exif import (
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
)


def tiff_pages(path: Path) -> list[tuple[int, int]]:
    """(width, height) of each page of a TIFF or BigTIFF (TIFF 6.0, section 2), as far as they can be read;
    an empty list for other files. Read here, as Pillow does not know every page's kind of pixels and OpenCV
    would decode them all.
    """
    pages: list[tuple[int, int]] = []
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return []
        order = "<" if head[:2] == b"II" else ">"
        # How the number of tags, an offset, and a tag's kind and count are written.
        number, offset, entry = ("Q", "Q", "HHQ") if b"+" in head[:4] else ("H", "I", "HHI")
        value_at = struct.calcsize(order + entry)
        entry_size = value_at + struct.calcsize(offset)
        visited: set[int] = set()
        try:
            (at,) = struct.unpack_from(order + offset, head, struct.calcsize(offset))
            while at and at not in visited:
                visited.add(at)
                file.seek(at)
                (count,) = struct.unpack(order + number, file.read(struct.calcsize(number)))
                tags = file.read(min(count, 65535) * entry_size)
                found: dict[int, int] = {}
                for start in range(0, len(tags), entry_size):
                    tag, kind = struct.unpack_from(order + "HH", tags, start)
                    if tag in (IMAGE_WIDTH, IMAGE_HEIGHT):
                        (found[tag],) = struct.unpack_from(
                            order + ("H" if kind == 3 else "I"), tags, start + value_at
                        )
                pages.append((found.get(IMAGE_WIDTH, 0), found.get(IMAGE_HEIGHT, 0)))
                (at,) = struct.unpack(order + offset, file.read(struct.calcsize(offset)))
        except (struct.error, OSError, OverflowError, ValueError):
            return pages  # the rest is not there; what reads the pixels says so where it matters
    return pages

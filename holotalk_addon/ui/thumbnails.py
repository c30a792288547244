# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures for the panel: the photo with its faces boxed and numbered, and the preview frame.

Drawing a panel must be quick, so a picture that is not there yet is made by a timer right after.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import bpy

from . import session
from .operator_base import redraw

SIDE = 512
"""Pixels of a thumbnail's longer side."""
PICKED, OTHER = (255, 170, 60), (235, 235, 235)


def photo_icon(settings: Any) -> int:
    """The icon of the photo with its faces; 0 while there is none."""
    if not settings.photo:
        return 0
    path = settings.photo_path()
    faces = tuple(tuple(face.box) for face in settings.faces)
    key = (str(path), _changed(path), faces, settings.face_number)
    return _icon("photo", key, partial(_photo, path, faces, settings.face_number))


def preview_icon(state: Any) -> int:
    """The icon of the preview frame; 0 while there is none."""
    if not state.preview:
        return 0
    path = Path(state.preview)
    return _icon("preview", (str(path), _changed(path)), partial(_photo, path, (), 0))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _icon(name: str, key: object, make: Any) -> int:
    own = session.current()
    kept = own.thumbnail(name, key)
    if kept is not None:
        return int(kept.icon_id)
    if key not in own.asked:
        own.asked.add(key)
        bpy.app.timers.register(partial(_make, name, key, make), first_interval=0.0)
    return 0


def _make(name: str, key: object, make: Any) -> None:
    own = session.current()
    picture = make()
    own.asked.discard(key)
    if picture is not None:
        own.set_thumbnail(name, key, picture)
        redraw(bpy.context)
    else:
        own.asked.add(key)  # it cannot be read: do not try at every redraw


def _photo(path: Path, faces: tuple[tuple[float, ...], ...], picked: int) -> Any:
    """(H, W, 4) float32 0..1: the picture, small and upright, with its faces; None if it cannot be read."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is read at a fraction of its size
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    picture.thumbnail((SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for number, (x, y, w, h) in enumerate(faces, start=1):
        colour = PICKED if number == picked else OTHER
        box = (x * width, y * height, (x + w) * width, (y + h) * height)
        draw.rounded_rectangle(box, radius=6, outline=colour, width=4 if number == picked else 2)
        if len(faces) > 1:
            size = max(14, min(40, int(0.3 * w * width)))
            label, font = str(number), ImageFont.load_default(size)
            left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
            pad = size // 4
            corner = (box[0], box[1], box[0] + right - left + 2 * pad, box[1] + bottom - top + 2 * pad)
            draw.rectangle(corner, fill=colour)
            draw.text((box[0] + pad - left, box[1] + pad - top), label, fill=(20, 20, 20), font=font)
    return np.asarray(picture, dtype=np.float32) / 255.0

# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures for the panel: the photo with its faces boxed and numbered, and the preview frame.

Drawing a panel must be quick, so a picture that is not there yet is made by a timer right after.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import bpy

from ..scene.materials import image_pixels
from ..scene.own import own_sides
from . import session
from .operator_base import redraw

SIDE = 512
"""Pixels of a thumbnail's longer side."""
READ_SIDE = 4 * SIDE
"""Pixels of the longer side that a picture is read at: the square about the faces is a part of it."""
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


def sides_icon() -> int:
    """The icon of the head's sides before and after their completion; 0 while there is none."""
    image = own_sides()
    if image is None:
        return 0
    return _icon("sides", ("sides", image.session_uid), partial(_pixels, image.name))


def _pixels(name: str) -> Any:
    """(H, W, 4) float32 0..1: an image of the open file; None if it is gone."""
    image = bpy.data.images.get(name)
    return None if image is None else image_pixels(image).astype("float32") / 255.0


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
    from PIL import Image, ImageDraw, ImageFont

    from ..errors import HoloTalkError
    from ..face import read_photo

    try:
        photo = read_photo(path, max_side=READ_SIDE)
    except (OSError, HoloTalkError):
        return None
    picture = Image.fromarray(photo.pixels).convert("RGBA")
    if photo.alpha is not None:
        picture.putalpha(Image.fromarray(photo.alpha))
    width, height = picture.size
    if faces:
        left, top, side = _square(width, height, faces)
        picture = picture.crop((left, top, left + side, top + side))
        faces = tuple(
            ((x * width - left) / side, (y * height - top) / side, w * width / side, h * height / side)
            for x, y, w, h in faces
        )
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
            x0, y0, x1, y1 = draw.textbbox((0, 0), label, font=font)
            pad = size // 4
            draw.rectangle(
                (box[0], box[1], box[0] + x1 - x0 + 2 * pad, box[1] + y1 - y0 + 2 * pad), fill=colour
            )
            draw.text((box[0] + pad - x0, box[1] + pad - y0), label, fill=(20, 20, 20), font=font)
    return np.asarray(picture, dtype=np.float32) / 255.0


def _square(width: int, height: int, faces: tuple[tuple[float, ...], ...]) -> tuple[int, int, int]:
    """The part of a picture that the panel shows: left, top and side in pixels, with every face inside.

    As much of the picture as a square takes, about the faces; larger than the picture (and then with clear
    edges) only where they stand too far apart for that.
    """
    lows = [min(f[0] for f in faces) * width, min(f[1] for f in faces) * height]
    highs = [max(f[0] + f[2] for f in faces) * width, max(f[1] + f[3] for f in faces) * height]
    side = round(max(min(width, height), 1.1 * (highs[0] - lows[0]), 1.1 * (highs[1] - lows[1])))
    corner = []
    for low, high, extent in zip(lows, highs, (width, height), strict=True):
        start = round((low + high - side) / 2)
        corner.append(min(max(start, 0), extent - side) if extent >= side else (extent - side) // 2)
    return corner[0], corner[1], side

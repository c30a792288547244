# SPDX-License-Identifier: GPL-3.0-or-later
"""A lettered card to check a pyramid with: which way up, is it mirrored, does the gap fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .layout import PyramidLayout, compose

Colour = tuple[int, int, int]
COLOURS: tuple[Colour, Colour, Colour, Colour] = (
    (255, 196, 64),
    (96, 200, 255),
    (255, 110, 140),
    (130, 230, 130),
)
"""front, right, back, left."""
FINE = 4
"""Everything is drawn this much larger and scaled down, for smooth edges."""


def testcard(layout: PyramidLayout) -> NDArray[np.uint8]:
    """The card as a whole frame: through a pyramid, each side reads its own name, upright.

    Returns:
        (H, W, 3) sRGB, first row on top, black ground. In the middle a square and a ring mark the
        small end of the pyramid, at the corners angles mark its large end.

    """
    views = [card_view(layout, k) for k in range(4)]
    return np.maximum(compose(layout, views), _marks(layout)).astype(np.uint8)


def card_view(layout: PyramidLayout, panel: int) -> NDArray[np.uint8]:
    """What the viewer of one side must see: (h, w, 3) sRGB, unmirrored.

    The side's name, an arrow up, L and R at their sides, and the outline of what the mirror shows.
    """
    name, colour = layout.panels[panel].name.upper(), COLOURS[panel]
    h, w, a = layout.panel_height * FINE, layout.panel_width * FINE, layout.half_gap * FINE
    picture = Image.new("RGB", (w, h), (0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, line = w / 2, max(2 * FINE, h // 110)
    inset = line * 1.5

    def at(u: float, v: float) -> tuple[float, float]:
        return middle + u, h - v

    def half(v: float) -> float:
        return min(float(layout.half_width(v / FINE)) * FINE, w / 2)

    # The outline stays clear of the diagonals, where two neighbours meet.
    side = inset * 1.5
    heights = np.linspace(inset, h - inset, 40)
    right = [at(half(v) - side, v) for v in heights]
    left = [at(side - half(v), v) for v in heights]
    draw.line([*right, *reversed(left), right[0]], fill=colour, width=line, joint="curve")

    # At the middle of its height the mirror is 2a + h wide.
    room = 2 * half(h / 2) - 6 * side
    wanted = h * 0.3
    wide = draw.textlength(name, ImageFont.load_default(wanted))
    big = ImageFont.load_default(wanted * min(1.0, room * 0.94 / wide))
    draw.text(at(0, h * 0.5), name, colour, big, anchor="mm", stroke_width=line // 2)

    small = ImageFont.load_default(h * 0.11)
    up = layout.screen == "up"
    edge = h * (0.82 if up else 0.24)  # L and R where the trapezoid is wide
    reach = half(edge) - 3 * side - h * 0.06
    draw.text(at(-reach, edge), "L", (255, 255, 255), small, anchor="mm")
    draw.text(at(reach, edge), "R", (255, 255, 255), small, anchor="mm")

    tip, foot, wing = h * 0.92, h * 0.72, h * 0.07
    draw.line([at(0, foot), at(0, tip - wing)], fill=(255, 255, 255), width=2 * line)
    draw.polygon([at(0, tip), at(-wing, tip - wing * 1.3), at(wing, tip - wing * 1.3)], fill=(255, 255, 255))
    if a > h * 0.05 or not up:
        tiny = ImageFont.load_default(h * 0.055)
        draw.text(at(0, h * 0.24), "this side up", (160, 160, 160), tiny, anchor="mm")
    small_picture = picture.resize((layout.panel_width, layout.panel_height), Image.Resampling.BOX)
    return np.asarray(small_picture, dtype=np.uint8)


def _marks(layout: PyramidLayout) -> NDArray[np.uint8]:
    """What is drawn on the screen itself, not for the mirrors: (H, W, 3)."""
    width, height = layout.frame
    picture = Image.new("RGB", (width * 2, height * 2), (0, 0, 0))
    draw = ImageDraw.Draw(picture)
    a, reach = layout.half_gap * 2, layout.size
    line = max(2, layout.size // 270)
    grey = (120, 120, 120)
    draw.rectangle((width - a, height - a, width + a, height + a), outline=grey, width=line)
    ring = a - 2 * line
    draw.ellipse((width - ring, height - ring, width + ring, height + ring), outline=grey, width=line)
    cross = max(a // 8, line)
    draw.line((width - cross, height, width + cross, height), fill=grey, width=line)
    draw.line((width, height - cross, width, height + cross), fill=grey, width=line)
    arm = reach // 12
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = width + sx * (reach - line), height + sy * (reach - line)
            draw.line((x - sx * arm, y, x, y, x, y - sy * arm), fill=grey, width=line)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX), dtype=np.uint8)

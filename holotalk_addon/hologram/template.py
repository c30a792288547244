# SPDX-License-Identifier: GPL-3.0-or-later
"""A cut template for the pyramid, as an SVG in true millimetres: print at 100 %, check the ruler, cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .layout import PyramidDimensions, pyramid_dimensions

PAGES = (
    ("A4", 210.0, 297.0),
    ("A4", 297.0, 210.0),
    ("A3", 297.0, 420.0),
    ("A3", 420.0, 297.0),
    ("A2", 420.0, 594.0),
    ("A2", 594.0, 420.0),
    ("A1", 594.0, 841.0),
    ("A0", 841.0, 1189.0),
)
MARGIN = 12.0
SPACE = 7.0
"""Millimetres between two pieces: room for the saw or the cutter."""
HEADER = 30.0
FOOTER = 52.0
RULER = 50.0
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Sheet:
    """Where the four pieces lie on the page."""

    page: str
    width: float
    """Millimetres."""
    height: float
    pieces: tuple[tuple[tuple[float, float], ...], ...]
    """Four trapezoids, each four (x, y) corners in millimetres: large end left, large end right,
    small end right, small end left."""


def lay_out(size: PyramidDimensions) -> Sheet:
    """Put four pieces on the smallest page that holds them, every second one upside down.

    The page is A4 where they fit, up to A0, and else made to measure.
    """
    for page, width, height in PAGES:
        for per_row in (4, 2, 1):
            block_width, block_height, pieces = _block(size, per_row)
            if block_width <= width - 2 * MARGIN and block_height <= height - HEADER - FOOTER - 2 * MARGIN:
                return _centred(page, (width, height), (block_width, block_height), pieces)
    block_width, block_height, pieces = _block(size, 2)
    width = float(math.ceil(block_width + 2 * MARGIN))
    height = float(math.ceil(block_height + HEADER + FOOTER + 2 * MARGIN))
    return _centred(f"{width:.0f} x {height:.0f} mm", (width, height), (block_width, block_height), pieces)


Pieces = list[list[tuple[float, float]]]


def _block(size: PyramidDimensions, per_row: int) -> tuple[float, float, Pieces]:
    """Width, height and corners of the four pieces, ``per_row`` in a row, from (0, 0)."""
    large, small, slant = size.large_end, size.small_end, size.slant
    slope = (large - small) / 2
    # Neighbours lie head to tail; along x the slanted edges are SPACE apart, measured square to them.
    step = (large + small) / 2 + SPACE * math.hypot(slope, slant) / slant
    pieces = []
    for k in range(4):
        row, column = divmod(k, per_row)
        x, y = column * step, row * (slant + SPACE)
        far, near = (y + slant, y) if column % 2 == 0 else (y, y + slant)
        pieces.append([(x, far), (x + large, far), (x + large - slope, near), (x + slope, near)])
    rows = 4 // per_row
    return (per_row - 1) * step + large, rows * slant + (rows - 1) * SPACE, pieces


def _centred(page: str, sheet: tuple[float, float], block: tuple[float, float], pieces: Pieces) -> Sheet:
    dx = (sheet[0] - block[0]) / 2
    free = sheet[1] - HEADER - FOOTER - 2 * MARGIN - block[1]
    dy = MARGIN + HEADER + min(free / 2, 12.0)
    moved = tuple(tuple((x + dx, y + dy) for x, y in piece) for piece in pieces)
    return Sheet(page, sheet[0], sheet[1], moved)


def template_svg(screen_mm: tuple[float, float], gap: float = 0.2, screen: str = "up") -> str:
    """The template for a screen.

    Args:
        screen_mm: The two sides of the lit screen in millimetres.
        gap: Width of the pyramid's small end over the short side of the screen.
        screen: ``up`` or ``down``: which way to put it together is drawn and said.

    Returns:
        The SVG's text; its user unit is a millimetre.

    Raises:
        OptionError: A screen or gap that cannot work.

    """
    size = pyramid_dimensions(screen_mm, gap)
    sheet = lay_out(size)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{sheet.width:g}mm" height="{sheet.height:g}mm"'
        f' viewBox="0 0 {sheet.width:g} {sheet.height:g}" font-family="{FONT}" fill="#222">',
        f"<title>HoloTalk pyramid for a {screen_mm[0]:g} x {screen_mm[1]:g} mm screen</title>",
        f'<rect width="{sheet.width:g}" height="{sheet.height:g}" fill="#fff"/>',
        *_header(size, sheet, screen_mm, gap),
        '<g id="cut" fill="#f4f8fc" stroke="#d01030" stroke-width="0.25" stroke-linejoin="round">',
    ]
    for piece in sheet.pieces:
        corners = " ".join(f"{x:.3f},{y:.3f}" for x, y in piece)
        parts.append(f'<polygon points="{corners}"/>')
    parts.append("</g>")
    for number, piece in enumerate(sheet.pieces, 1):
        parts += _labels(size, piece, number)
    parts += _footer(sheet, screen)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, size: float, text: str, extra: str = "") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" {extra}>{escape(text)}</text>'


def _header(size: PyramidDimensions, sheet: Sheet, screen_mm: tuple[float, float], gap: float) -> list[str]:
    x, y = MARGIN, MARGIN
    wide = f"Screen {screen_mm[0]:g} x {screen_mm[1]:g} mm, gap {gap:g}, page {sheet.page}."
    made = (
        f"The pyramid stands {size.height:.1f} mm high, {size.large_end:.1f} mm wide at its large end"
        f" and {size.small_end:.1f} mm at its small end."
    )
    return [
        _text(x, y + 6.5, 7.5, "Hologram pyramid", 'font-weight="bold"'),
        _text(x, y + 13.0, 3.6, wide + " Print at 100 %, not fitted to the page, and check the ruler below."),
        _text(x, y + 18.2, 3.6, made),
        _text(
            x,
            y + 23.4,
            3.6,
            "Cut four from clear, stiff sheet, 1 mm or thinner (acrylic, a CD case), along the red lines.",
        ),
    ]


def _labels(size: PyramidDimensions, piece: tuple[tuple[float, float], ...], number: int) -> list[str]:
    (x0, far), (x1, _), (_, near), _ = piece
    middle = (x0 + x1) / 2
    inward = 1.0 if near > far else -1.0
    letter = max(2.0, min(4.0, size.small_end / 5.2, size.slant / 9))

    def beside(edge: float, away: float) -> float:
        # A baseline so that the text lies just inside the edge.
        return edge + away * (letter * 0.5 + 0.8) + letter * 0.35

    rail = middle + size.small_end * 0.46
    return [
        f'<line x1="{rail:.2f}" y1="{far:.2f}" x2="{rail:.2f}" y2="{near:.2f}" stroke="#8899aa"'
        ' stroke-width="0.18" stroke-dasharray="1.2 0.8"/>',
        _text(middle, beside(far, inward), letter, f"{size.large_end:.1f} mm", 'text-anchor="middle"'),
        _text(middle, beside(near, -inward), letter, f"{size.small_end:.1f}", 'text-anchor="middle"'),
        _text(
            rail - 0.6,
            (far + near) / 2,
            letter,
            f"{size.slant:.1f} mm",
            f'text-anchor="middle" fill="#556677"'
            f' transform="rotate(-90 {rail - 0.6:.2f} {(far + near) / 2:.2f})"',
        ),
        _text(
            middle - size.small_end * 0.28,
            (far + near) / 2 + letter * 0.6,
            letter * 1.7,
            str(number),
            'text-anchor="middle" fill="#9fb2c4" font-weight="bold"',
        ),
    ]


def _footer(sheet: Sheet, screen: str) -> list[str]:
    bottom = sheet.height - MARGIN
    x, y = MARGIN, bottom - 4.0
    parts = [f'<g id="ruler" stroke="#222" stroke-width="0.25"><path d="M{x:g} {y:g}h{RULER:g}"/>']
    for k in range(int(RULER) + 1):
        tick = 4.0 if k % 10 == 0 else 2.8 if k % 5 == 0 else 1.6
        parts.append(f'<path d="M{x + k:g} {y:g}v{-tick:g}"/>')
    parts.append("</g>")
    parts += [
        _text(x + k, y + 3.4, 2.8, str(k), 'text-anchor="middle"') for k in range(0, int(RULER) + 1, 10)
    ]
    parts.append(_text(x, y - 6.0, 3.2, "This line must measure exactly 50 mm."))
    top = bottom - FOOTER + 6.0
    if screen == "up":
        head = "Screen facing up"
        steps: tuple[str, ...] = (
            "1. Join the slanted edges with clear tape on the outside.",
            "2. Lay the screen flat, facing up, and play a video made for a screen that faces up.",
            "3. Stand the pyramid on its small end on the middle of the screen.",
            "4. Look from the side, at the height of the pyramid, in a dark room.",
        )
    else:
        head = "Screen facing down"
        steps = (
            "1. Join the slanted edges with clear tape on the outside.",
            "2. Stand the pyramid on its large end, on a table.",
            "3. Hold the screen above it, facing down, its middle on the small end;",
            "    and play a video made for a screen that faces down.",
            "4. Look from the side, at the height of the pyramid, in a dark room.",
        )
    parts.append(_text(x, top, 4.2, head, 'font-weight="bold"'))
    parts += [_text(x, top + 5.4 + 4.6 * k, 3.3, line) for k, line in enumerate(steps)]
    return parts + _figure(sheet.width - MARGIN - 52.0, bottom - 38.0, screen)


def _figure(x: float, y: float, screen: str) -> list[str]:
    """A small picture from the side: screen, pyramid, the ghost of a head, an eye. 52 x 38 mm."""
    up = screen == "up"
    plate = y + 33.0 if up else y + 1.0
    small, large = (plate, y + 8.0) if up else (plate + 3.0, plate + 28.0)
    left, right, a = x + 2.0, x + 36.0, 4.0
    middle = (left + right) / 2
    reach = abs(large - small) + a
    parts = [
        '<g stroke-linejoin="round">',
        f'<rect x="{left - 2:g}" y="{plate:g}" width="{right - left + 4:g}" height="3" rx="1" fill="#333"/>',
        f'<path d="M{middle - a:g} {small:g}L{middle - reach:g} {large:g}H{middle + reach:g}'
        f'L{middle + a:g} {small:g}Z" fill="#cfe4f5" fill-opacity="0.6" stroke="#4477aa"'
        ' stroke-width="0.35"/>',
    ]
    centre = (small + large) / 2
    parts += [
        f'<ellipse cx="{middle:g}" cy="{centre - 1:g}" rx="3.6" ry="4.8" fill="#4477aa"'
        ' fill-opacity="0.45"/>',
        f'<rect x="{middle - 1.6:g}" y="{centre + 3:g}" width="3.2" height="4" fill="#4477aa"'
        ' fill-opacity="0.45"/>',
        f'<path d="M{x + 51:g} {centre:g}q-3 -3.4 -6.5 0q3.5 3.4 6.5 0Z" fill="#fff" stroke="#222"'
        ' stroke-width="0.35"/>',
        f'<circle cx="{x + 47:g}" cy="{centre:g}" r="1.1" fill="#222"/>',
        f'<path d="M{x + 43.5:g} {centre:g}H{middle + 5:g}" stroke="#888" stroke-width="0.25"'
        ' stroke-dasharray="1 0.8"/>',
        "</g>",
    ]
    return parts

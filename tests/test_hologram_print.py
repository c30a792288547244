# SPDX-License-Identifier: GPL-3.0-or-later
"""The cut template and the test card."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from holotalk_addon.errors import OptionError
from holotalk_addon.hologram import testcard as cards
from holotalk_addon.hologram.layout import compose, pyramid_dimensions, pyramid_layout
from holotalk_addon.hologram.template import MARGIN, RULER, lay_out, template_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("screen_mm", [(70, 150), (62.5, 120), (150, 200), (340, 600), (1200, 2100)])
@pytest.mark.parametrize("gap", [0.05, 0.2, 0.5])
def test_template_measures_true_millimetres(screen_mm, gap):
    root = ET.fromstring(template_svg(screen_mm, gap).encode())
    width, height = (float(root.get(side).removesuffix("mm")) for side in ("width", "height"))
    assert [float(x) for x in root.get("viewBox").split()] == [0.0, 0.0, width, height]
    polygons = [
        np.array([[float(c) for c in pair.split(",")] for pair in p.get("points").split()])
        for p in root.iter(f"{SVG}polygon")
    ]
    assert len(polygons) == 4
    size = pyramid_dimensions(screen_mm, gap)
    for piece in polygons:
        sides = np.linalg.norm(np.roll(piece, -1, axis=0) - piece, axis=1)
        leg = np.sqrt(3.0) * size.height
        assert sides == pytest.approx([size.large_end, leg, size.small_end, leg], abs=0.003)
        assert abs(piece[0, 1] - piece[2, 1]) == pytest.approx(size.height * np.sqrt(2.0), abs=0.003)
        assert piece.min() >= MARGIN - 1e-6
        assert piece[:, 0].max() <= width - MARGIN + 1e-6
        assert piece[:, 1].max() <= height - MARGIN + 1e-6
    ruler = next(g for g in root.iter(f"{SVG}g") if g.get("id") == "ruler")
    assert ruler[0].get("d").endswith(f"h{RULER:g}")
    assert RULER == 50.0


def test_template_pieces_do_not_touch():
    for screen_mm in ((70, 150), (150, 200), (340, 600)):
        pieces = lay_out(pyramid_dimensions(screen_mm)).pieces
        for i in range(4):
            for j in range(i):
                assert _apart(np.array(pieces[i]), np.array(pieces[j])) >= 5.0


def _apart(one, other):
    """The largest distance between two convex polygons along any of their edges' normals."""
    best = -np.inf
    for polygon in (one, other):
        edges = np.roll(polygon, -1, axis=0) - polygon
        normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / np.linalg.norm(edges, axis=1)[:, None]
        for normal in normals:
            a, b = one @ normal, other @ normal
            best = max(best, a.min() - b.max(), b.min() - a.max())
    return best


def test_a_phone_fits_on_a4_and_says_which_way_up():
    assert lay_out(pyramid_dimensions((70, 150))).page == "A4"
    up, down = template_svg((70, 150)), template_svg((70, 150), screen="down")
    assert "Screen facing up" in up
    assert "a screen that faces up" in up
    assert "Screen facing down" in down
    assert "39.6 mm" in up
    with pytest.raises(OptionError):
        template_svg((5, 150))


@pytest.mark.parametrize("screen", ["up", "down"])
def test_card_is_the_four_sides_laid_out_like_the_hologram(screen):
    layout = pyramid_layout(480, 0.2, screen, (480, 640))
    card = cards.testcard(layout)
    assert card.shape == (640, 480, 3)
    assert card.dtype == np.uint8
    views = [cards.card_view(layout, k) for k in range(4)]
    np.testing.assert_array_equal(np.maximum(card, compose(layout, views)), card)
    # What a mirror does not show stays black in each side's picture.
    h, w = layout.panel_height, layout.panel_width
    v, u = h - 0.5 - np.arange(h)[:, None], np.arange(w)[None] + 0.5 - w / 2
    for view in views:
        assert view[np.abs(u) > layout.half_width(v)].max() == 0
        flips = (view[:, ::-1], view[::-1], view[::-1, ::-1])
        assert all((np.abs(view.astype(int) - f) > 60).any(axis=2).mean() > 0.02 for f in flips)
    for k, view in enumerate(views):
        drawn = (np.abs(view.astype(int) - cards.COLOURS[k]) < 3).all(axis=2)
        others = [
            (np.abs(view.astype(int) - c) < 3).all(axis=2).sum()
            for c in cards.COLOURS
            if c != cards.COLOURS[k]
        ]
        assert drawn.sum() > 500
        assert drawn.sum() > 10 * max(others)

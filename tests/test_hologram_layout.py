# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel layout, the pyramid's dimensions and the framing against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stand_in_head import stand_in_head, stand_in_with_hair

from holotalk_addon.errors import OptionError
from holotalk_addon.hologram.framing import (
    CAMERA_DISTANCE,
    FULL_TURN,
    PANEL_MARGIN,
    frame_panel,
    frame_view,
)
from holotalk_addon.hologram.layout import compose, pyramid_dimensions, pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.scene.head_subject import HeadSubject

SCREENS = ("up", "down")


@pytest.mark.parametrize(
    ("screen", "panel", "expected"),
    [
        ("up", 0, lambda u, v, a, h: (u, -a - v)),
        ("up", 1, lambda u, v, a, h: (a + v, u)),
        ("up", 2, lambda u, v, a, h: (-u, a + v)),
        ("up", 3, lambda u, v, a, h: (-a - v, -u)),
        ("down", 0, lambda u, v, a, h: (u, a + h - v)),
        ("down", 1, lambda u, v, a, h: (a + h - v, -u)),
        ("down", 2, lambda u, v, a, h: (-u, -(a + h - v))),
        ("down", 3, lambda u, v, a, h: (-(a + h - v), u)),
    ],
)
def test_panels_follow_the_mirror_formulas(screen, panel, expected):
    layout = pyramid_layout(400, 0.2, screen)
    assert (layout.half_gap, layout.panel_height) == (40, 160)
    for u, v in ((0.0, 0.0), (17.0, 31.0), (-60.0, 160.0)):
        assert tuple(layout.to_screen(panel, np.array([u, v]))) == pytest.approx(expected(u, v, 40, 160))


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("panel", range(4))
def test_mirrors_bring_the_screen_point_back_to_where_it_was_meant(screen, panel):
    """Trace the ray: from the viewer at height v and side u to the mirror, and on to the screen."""
    layout = pyramid_layout(400, 0.2, screen)
    a, h = layout.half_gap, layout.panel_height
    turn = np.radians(90.0 * panel)
    rotate = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    for u, v in ((0.0, 80.0), (25.0, 10.0), (-30.0, 150.0)):
        if abs(u) > layout.half_width(v):
            continue
        # The front mirror: y = -a - z above a screen at z = 0, y = -(a + h - z) below one at z = h.
        up = screen == "up"
        hit = np.array([u, -a - v if up else -(a + h - v), v])
        normal = np.array([0.0, 1.0, 1.0 if up else -1.0]) / np.sqrt(2.0)
        into = np.array([0.0, 1.0, 0.0])
        out = into - 2.0 * np.dot(into, normal) * normal
        plane = 0.0 if up else h
        reached = rotate @ (hit + out * (plane - v) / out[2])
        # A screen that faces down was turned over about its x axis.
        shown = (reached[0], reached[1] if up else -reached[1])
        assert shown == pytest.approx(tuple(layout.to_screen(panel, np.array([u, v]))), abs=1e-9)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("gap", [0.02, 0.137, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("size", [64, 65, 66, 333, 480, 722, 1080, 2160, 3999])
def test_layout_is_whole_and_inside_the_frame(size, gap, wide, screen):
    layout = pyramid_layout(size, gap, screen, (size + 201, size + 1) if wide else None)
    a, h, w = layout.half_gap, layout.panel_height, layout.panel_width
    assert layout.size == size - size % 2
    assert a + h == layout.size // 2
    assert h % 2 == 0
    assert w % 2 == 0
    assert h > 0
    assert a > 0
    assert abs(a - gap * layout.size / 2) <= (1 if a > 2 else 2) + 1e-9
    assert all(side % 2 == 0 for side in layout.frame)
    for k, panel in enumerate(layout.panels):
        middle = layout.to_screen(k, np.array([0.0, h / 2]))
        assert tuple(middle) == panel.centre
        corners = layout.to_screen(k, np.array([[-w / 2, 0], [w / 2, 0], [w / 2, h], [-w / 2, h]]))
        assert np.abs(corners).max() <= layout.size / 2
    assert bool(layout.notes) == (size % 2 == 1 or (wide and size % 2 == 0))


@pytest.mark.parametrize(
    "bad",
    [
        {"size": 20},
        {"size": -2},
        {"gap": 0.0},
        {"gap": 0.95},
        {"gap": float("nan")},
        {"screen": "left"},
        {"frame": (720, 1280)},
        {"frame": (0, 0)},
    ],
)
def test_impossible_layouts_say_what_would_work(bad):
    with pytest.raises(OptionError, match=r"choose|faces"):
        pyramid_layout(**bad)


@pytest.mark.parametrize("screen", SCREENS)
def test_composition_puts_every_pixel_where_the_formula_says(screen):
    layout = pyramid_layout(96, 0.25, screen, (140, 110))
    rng = np.random.default_rng(1)
    h, w = layout.panel_height, layout.panel_width
    views = []
    for _ in range(4):
        view = rng.integers(1, 255, (h, w, 3), dtype=np.uint8)
        v, u = h - 0.5 - np.arange(h)[:, None], np.arange(w)[None] + 0.5 - w / 2
        view[np.abs(u) >= layout.half_width(v)] = 0  # strictly: the diagonal belongs to nobody
        views.append(view)
    frame = compose(layout, views)
    lit = 0
    for k, view in enumerate(views):
        rows, columns = np.nonzero(view.any(axis=2))
        lit += len(rows)
        uv = np.stack([columns + 0.5 - w / 2, h - rows - 0.5], axis=1)
        x, y = layout.to_screen(k, uv).T
        found = frame[np.floor(55 - y).astype(int), np.floor(70 + x).astype(int)]
        np.testing.assert_array_equal(found, view[rows, columns])
    assert np.count_nonzero(frame.any(axis=2)) == lit


def test_composition_blends_straight_alpha():
    layout = pyramid_layout(64, 0.2)
    views = [np.zeros((layout.panel_height, layout.panel_width, 4), np.uint8) for _ in range(4)]
    views[0][..., :3], views[0][..., 3] = 200, 128
    assert compose(layout, views).max() == round(200 * 128 / 255)


def test_dimensions_assemble_to_a_pyramid_at_45_degrees():
    size = pyramid_dimensions((150, 70), 0.2)
    assert (size.small_end, size.large_end, size.height) == pytest.approx((14.0, 70.0, 28.0))
    # Lean the cut piece at 45 degrees: its slant must rise by the height and run just as far.
    assert size.slant * np.sin(np.pi / 4) == pytest.approx(size.height)
    assert size.slant * np.cos(np.pi / 4) == pytest.approx((size.large_end - size.small_end) / 2)
    # Neighbouring pieces meet along edges of the same length, h * sqrt(3).
    edge = np.hypot(size.slant, (size.large_end - size.small_end) / 2)
    assert edge == pytest.approx(size.height * np.sqrt(3.0))
    with pytest.raises(OptionError, match="70x150"):
        pyramid_dimensions((0, 70))


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("gap", [0.05, 0.2, 0.5])
def test_framing_is_inside_the_mirrors_and_cannot_be_larger(screen, gap):
    points = HeadSubject(stand_in_head()).points()
    layout = pyramid_layout(1080, gap, screen)
    yaws = loop_motion("turntable", 1, 24).yaws()
    framing = frame_panel(points, yaws, layout)
    slack = _slack(framing, points, yaws, layout)
    assert slack >= PANEL_MARGIN - 1e-6
    # 1 % larger, no vertical place is left.
    for axis_height in np.linspace(0, layout.panel_height, 40):
        larger = type(framing)(
            framing.width, framing.height, framing.distance, framing.focal * 1.01, float(axis_height)
        )
        assert _slack(larger, points, yaws, layout) < PANEL_MARGIN


def _slack(framing, points, yaws, layout):
    """Pixels between the outermost point and the nearest edge of what the mirror shows."""
    least = np.inf
    for yaw in yaws:
        u, v = framing.project(points, yaw).T
        edges = (
            layout.half_width(v) - np.abs(u),
            v,
            layout.panel_height - v,
            layout.panel_width / 2 - np.abs(u),
        )
        least = min(least, *(float(e.min()) for e in edges))
    return least


def test_projection_has_the_stated_signs():
    framing = frame_view(HeadSubject(stand_in_head()).points(), 512)
    nose = np.array([[0.0, 0.0, 0.1]])
    assert framing.project(nose, 90.0)[0, 0] > 10  # the nose points to the picture's right
    assert framing.project(nose, -90.0)[0, 0] < -10
    u, v = framing.project(np.array([[0.05, 0.02, 0.0]]))[0]
    assert u == pytest.approx(framing.focal * 0.05 / CAMERA_DISTANCE)
    assert v == pytest.approx(framing.axis_height + framing.focal * 0.02 / CAMERA_DISTANCE)


def check_view_holds(points):
    """Whether a view holds the points at every yaw."""
    framing = frame_view(points, 512)
    for yaw in FULL_TURN:
        u, v = framing.project(points, yaw).T
        assert np.abs(u).max() <= 256
        assert v.min() >= 0
        assert v.max() <= 512


def test_view_framing_holds_the_head_at_every_yaw():
    check_view_holds(HeadSubject(stand_in_head()).points())


def test_lit_points_leave_out_what_the_fade_hides():
    head = stand_in_head()
    # The row of the neck below y = -0.175 is dark; one dark row still borders lit polygons.
    assert HeadSubject(head).points()[:, 1].min() > head.vertices[:, 1].min() - 0.025
    assert len(HeadSubject(head).points()) < len(head.vertices)


@pytest.mark.parametrize("screen", SCREENS)
def test_framing_makes_room_for_tall_hair(screen):
    head, layout = stand_in_with_hair(0.08), pyramid_layout(1080, screen=screen)
    yaws = loop_motion("turntable", 1, 24).yaws()
    points = HeadSubject(head).points()
    assert points[:, 1].max() == pytest.approx(head.hair.vertices[:, 1].max())
    assert _slack(frame_panel(points, yaws, layout), points, yaws, layout) >= PANEL_MARGIN - 1e-6
    bald = frame_panel(HeadSubject(stand_in_head()).points(), yaws, layout)
    assert _slack(bald, points, yaws, layout) < 0  # without room for it, it would be cut
    check_view_holds(points)


def test_lit_points_leave_out_hair_that_the_fade_hides():
    head = stand_in_with_hair()
    assert (
        len(head.hair.vertices)
        > len(HeadSubject(head).points()) - len(HeadSubject(stand_in_head()).points())
        > 0
    )
    hidden = replace(head, hair=replace(head.hair, fade=np.zeros_like(head.hair.fade)))
    np.testing.assert_array_equal(HeadSubject(hidden).points(), HeadSubject(stand_in_head()).points())

# SPDX-License-Identifier: GPL-3.0-or-later
"""The live panels in the viewport are those of the video, and are drawn anew only when they change."""

from __future__ import annotations

import types

import bpy
import gpu
import numpy as np
import pytest
from mathutils import Matrix
from PIL import Image
from stand_in_head import stand_in_head

from holotalk_addon.hologram.layout import compose, pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, find_hologram
from holotalk_addon.scene.own import EMPTY_ROLE, tag
from holotalk_addon.scene.quiet import quiet, wake_gpu
from holotalk_addon.scene.render import render_hologram
from holotalk_addon.ui.panels_overlay import PLAIN, PanelsOverlay, panel_corners, place_inset

SIZE = 320


@pytest.fixture(autouse=True)
def _file_with_a_viewport():
    bpy.ops.wm.read_factory_settings()  # with the usual window, though nothing shows it
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    tag(bpy.context.scene, EMPTY_ROLE)
    wake_gpu()


def _viewport():
    window = bpy.context.window_manager.windows[0]
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    area = max(areas, key=lambda one: one.width * one.height)
    (region,) = (region for region in area.regions if region.type == "WINDOW")
    return window, area, region


class _Screen:
    """What a viewport's region would show of an overlay: pixels (height, width, 3), first row on top."""

    def __init__(self, overlay):
        self.overlay = overlay
        self.window, self.area, self.region = _viewport()
        self.canvas = gpu.types.GPUOffScreen(self.region.width, self.region.height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.overlay.remove()
        self.canvas.free()

    def draw(self):
        width, height = self.region.width, self.region.height
        where = {"window": self.window, "area": self.area, "region": self.region}
        with bpy.context.temp_override(**where):
            self.overlay.prepare()
        with (
            bpy.context.temp_override(**where),
            self.canvas.bind(),
            gpu.matrix.push_pop(),
            gpu.matrix.push_pop_projection(),
        ):
            gpu.matrix.load_matrix(Matrix.Identity(4))
            to_clip = Matrix.Translation((-1, -1, 0)) @ Matrix.Diagonal((2 / width, 2 / height, 1, 1))
            gpu.matrix.load_projection_matrix(to_clip)
            framebuffer = gpu.state.active_framebuffer_get()
            framebuffer.clear(color=(0.0, 0.0, 1.0, 1.0))
            self.overlay.draw()
            pixels = framebuffer.read_color(0, 0, width, height, 4, 0, "UBYTE")
        pixels.dimensions = width * height * 4
        return np.array(pixels, dtype=np.uint8).reshape(height, width, 4)[::-1, :, :3]

    def inset(self):
        left, bottom, side = place_inset(self.area, self.region, 1.0)
        shown = self.draw()
        top = self.region.height - bottom - side
        return shown[top : top + side, left : left + side], shown


def _build(screen="up", sides="around", motion="turntable"):
    layout = pyramid_layout(SIZE, screen=screen)
    hologram = build_hologram(
        HeadSubject(stand_in_head()), layout, loop_motion(motion, 1, 8), sides, "workbench"
    )
    bpy.context.window_manager.windows[0].scene = bpy.data.scenes[hologram.hologram]
    return hologram


def _video_frame(hologram, path, side):
    with quiet():
        render_hologram(hologram, path)
    return np.asarray(Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BOX))


@pytest.mark.parametrize(("screen", "sides"), [("up", "around"), ("down", "around"), ("up", "front")])
def test_inset_is_a_frame_of_the_video(screen, sides, tmp_path):
    hologram = _build(screen, sides)
    bpy.data.scenes[hologram.hologram].frame_set(1)
    overlay = PanelsOverlay(find_hologram)
    with _Screen(overlay) as display:
        inset, whole = display.inset()
    video = _video_frame(hologram, tmp_path / "frame.png", len(inset)).astype(float)
    lit = video.max(axis=2) > 30
    assert lit.mean() > 0.1
    difference = np.abs(inset.astype(float) - video).mean(axis=2)
    assert difference[lit].mean() < 12
    assert difference[~lit].mean() < 2
    wrongs = [video[::-1]] if sides == "front" else [video[::-1], video[:, ::-1], np.rot90(video)]
    for wrong in wrongs:
        assert np.abs(inset.astype(float) - wrong).mean() > 3 * difference.mean()
    assert (whole[: len(whole) // 3] == (0, 0, 255)).all()  # the viewport's upper third is left alone


def test_the_viewport_is_left_as_the_user_has_it():
    _build()
    overlay = PanelsOverlay(find_hologram)
    with _Screen(overlay) as display:
        space = display.area.spaces.active
        space.shading.type, space.shading.light, space.shading.show_xray = "WIREFRAME", "MATCAP", True
        before = {name: getattr(space.shading, name) for name in PLAIN}
        assert before != PLAIN
        wire, _ = display.inset()
        assert {name: getattr(space.shading, name) for name in PLAIN} == before
        assert space.overlay.show_overlays
        space.shading.type = "SOLID"
        overlay._count_change()
        solid, _ = display.inset()
        np.testing.assert_array_equal(wire, solid)  # whatever the viewport's own shading


def test_it_follows_timeline_and_changes_and_draws_no_more_than_that(monkeypatch):
    hologram = _build()
    scene = bpy.data.scenes[hologram.hologram]
    drawn = []
    real = gpu.types.GPUOffScreen

    class Counting:
        """An offscreen that counts how often the scene is drawn into it."""

        def __init__(self, *size):
            self._real = real(*size)

        def draw_view3d(self, *args, **kwargs):
            drawn.append(1)
            return self._real.draw_view3d(*args, **kwargs)

        def __getattr__(self, name):
            return getattr(self._real, name)

    overlay = PanelsOverlay(find_hologram)
    with _Screen(overlay) as display:
        overlay.add()
        monkeypatch.setattr(gpu.types, "GPUOffScreen", Counting)
        scene.frame_set(1)
        first, _ = display.inset()
        assert len(drawn) == 4
        again, _ = display.inset()
        assert len(drawn) == 4
        np.testing.assert_array_equal(again, first)
        scene.frame_set(2)
        second, _ = display.inset()
        assert len(drawn) == 8
        assert np.abs(second.astype(int) - first).mean() > 2
        scene.frame_set(3)  # a quarter turn of eight frames on: every panel shows what its neighbour did
        third, _ = display.inset()
        assert (
            np.abs(np.rot90(third, -1).astype(int) - first).mean()
            < np.abs(third.astype(int) - first).mean() / 3
        )
        bpy.data.objects[hologram.subject].hide_viewport = True
        bpy.context.window.view_layer.update()
        gone, _ = display.inset()
        assert gone.max() == 0
        assert len(drawn) == 16


def test_nothing_is_drawn_without_a_hologram_or_in_another_scene():
    overlay = PanelsOverlay(find_hologram)
    with _Screen(overlay) as display:
        assert (display.draw() == (0, 0, 255)).all()
        _build()
        assert (display.draw() != (0, 0, 255)).any()
        bpy.context.window_manager.windows[0].scene = bpy.data.scenes.new("Mine")
        assert (display.draw() == (0, 0, 255)).all()


def test_adding_and_removing_leaves_nothing_behind():
    handlers = bpy.app.handlers
    lists = (handlers.depsgraph_update_post, handlers.undo_post, handlers.redo_post, handlers.load_post)
    overlay = PanelsOverlay(find_hologram)
    for _ in range(3):
        overlay.add()
        overlay.add()
        assert overlay.is_shown()
        assert [one.count(overlay._note) for one in lists] == [1] * 4
        bpy.ops.wm.read_factory_settings()
        assert overlay.is_shown()
        assert overlay._note in handlers.depsgraph_update_post  # another file does not end it
        overlay.remove()
        overlay.remove()
        assert not overlay.is_shown()
        assert all(overlay._note not in one for one in lists)


def _region(kind, alignment, x, y, width, height):
    return types.SimpleNamespace(type=kind, alignment=alignment, x=x, y=y, width=width, height=height)


@pytest.mark.parametrize("flipped", [False, True])
def test_inset_is_clear_of_sidebar_toolbar_and_headers(flipped):
    main = _region("WINDOW", "NONE", 100, 50, 1000, 700)
    header = _region("HEADER", *(("BOTTOM", 100, 50) if flipped else ("TOP", 100, 724)), 1000, 26)
    sidebar = _region("UI", *(("LEFT", 100, 76) if flipped else ("RIGHT", 800, 50)), 300, 650)
    toolbar = _region("TOOLS", *(("RIGHT", 1050, 76) if flipped else ("LEFT", 100, 50)), 50, 650)
    hidden = _region("ASSET_SHELF", "BOTTOM", 100, 50, 1000, 1)
    last = _region("HUD", "FLOAT", 420 if flipped else 160, 80, 260, 120)
    area = types.SimpleNamespace(regions=[main, header, sidebar, toolbar, hidden, last])
    left, bottom, side = place_inset(area, main, 1.0)
    x, y = main.x + left, main.y + bottom
    for other in (header, sidebar, toolbar, last):
        apart = (
            x + side <= other.x
            or other.x + other.width <= x
            or y + side <= other.y
            or other.y + other.height <= y
        )
        assert apart, other
    assert side > 200
    assert main.x < x
    assert x + side < main.x + main.width
    sidebar.x, sidebar.width = (100, 960) if flipped else (140, 960)
    assert place_inset(area, main, 1.0) is None


@pytest.mark.parametrize("screen", ["up", "down"])
def test_panels_go_where_the_layout_has_them(screen):
    layout = pyramid_layout(SIZE, screen=screen)
    rows, columns = np.mgrid[: layout.panel_height, : layout.panel_width]
    for k in range(4):
        # A picture whose colours say where in it a pixel is; on the frame, where they say is where it lies.
        blank = [np.zeros((layout.panel_height, layout.panel_width, 3)) for _ in range(4)]
        blank[k] = np.dstack([columns + 0.5, layout.panel_height - rows - 0.5, np.ones(rows.shape)])
        frame = compose(layout, blank)
        corners = panel_corners(layout, k)
        ys, xs = np.nonzero(frame[..., 2])
        u, v = frame[ys, xs, 0], frame[ys, xs, 1]
        right, up = (
            (corners[1] - corners[0]) / layout.panel_width,
            (corners[3] - corners[0]) / layout.panel_height,
        )
        places = corners[0] + u[:, None] * right + v[:, None] * up
        expected = np.column_stack([xs + 0.5 - SIZE / 2, SIZE / 2 - ys - 0.5])
        np.testing.assert_allclose(places, expected, atol=1e-9)

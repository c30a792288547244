# SPDX-License-Identifier: GPL-3.0-or-later
"""The pyramid, proved physically: a screen and four mirrors, looked at from all four sides.

The frame made for a lettered head is shown by the virtual pyramid's own screen; its four sheets stand on it
(or below it) where they are for the user, but are perfect mirrors here, traced ray by ray; a camera at each
side must see what a camera at that side of the head itself sees.
"""

from __future__ import annotations

import bpy
import cv2
import numpy as np
import pytest
from PIL import Image
from pyramid_parts import mirrors, perfect_mirror, undress
from scipy.optimize import minimize
from skimage.metrics import structural_similarity
from stand_in_head import stand_in_head

from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.hologram.solid import metres_per_pixel, mirror_corners
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, new_file
from holotalk_addon.scene.quiet import quiet
from holotalk_addon.scene.render import render_hologram, render_views
from holotalk_addon.scene.virtual_pyramid import build_virtual_pyramid

SIZE = 480
# The head as seen by somebody who stands at its front, at its +x side, behind it, at its -x side.
HEAD_YAWS = (0.0, -90.0, 180.0, 90.0)


@pytest.mark.parametrize("screen", ["up", "down"])
def test_each_side_of_the_pyramid_shows_that_side_of_the_head(screen, tmp_path):
    head = stand_in_head()
    layout = pyramid_layout(SIZE, screen=screen)
    new_file()
    hologram = build_hologram(HeadSubject(head), layout, loop_motion("turntable", 1, 4), engine="workbench")
    render_hologram(hologram, tmp_path / "frame.png")
    direct = render_views(HeadSubject(head), HEAD_YAWS, 320, "workbench")
    new_file()
    seen = _look_at_pyramid(layout, tmp_path)

    direct = [_crop_to_head(picture) for picture in direct]
    for side in range(4):
        right = _similarity(seen[side], direct[side])
        assert right >= 0.9, f"side {side}: {right:.3f}"
        wrong = {
            "mirrored": direct[side][:, ::-1],
            "upside down": direct[side][::-1],
            "turned half": direct[side][::-1, ::-1],
            "turned left": np.rot90(direct[side], 1),
            "turned right": np.rot90(direct[side], -1),
            "next side": direct[(side + 1) % 4],
            "opposite side": direct[(side + 2) % 4],
            "side before": direct[(side + 3) % 4],
        }
        for name, picture in wrong.items():
            score = _similarity(seen[side], picture)
            assert score < 0.7, f"side {side}, {name}: {score:.3f}"


def _look_at_pyramid(layout, folder):
    """What four viewers see in the mirrors: a list of (h, w, 3) pictures, front, +x, back, -x."""
    a, h, w = layout.half_gap, layout.panel_height, layout.panel_width
    scene = build_virtual_pyramid(layout, folder / "frame.png")
    undress(scene)
    unit = metres_per_pixel(layout)
    mirror = perfect_mirror()
    for sheet, corners in zip(mirrors(scene), mirror_corners(layout), strict=True):
        placed = np.array([vertex.co for vertex in sheet.data.vertices])
        base = placed[0, 2] - corners[0, 2] * unit
        np.testing.assert_allclose(placed, corners * unit + (0.0, 0.0, base), atol=1e-6)
        sheet.data.materials[0] = mirror
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.cycles.max_bounces = scene.cycles.glossy_bounces = 3
    scene.render.resolution_x, scene.render.resolution_y = w, h
    scene.render.image_settings.color_mode = "RGB"

    # The mirror image stands upright in the plane y = -a; the viewer, at the height of its
    # middle, fills the picture with it.
    distance = 3.0 * SIZE
    data = bpy.data.cameras.new("Viewer")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
    data.lens = 36.0 * (distance - a) / w
    viewer = bpy.data.objects.new("Viewer", data)
    scene.collection.objects.link(viewer)
    scene.camera = viewer
    pictures = []
    for k in range(4):
        middle = np.multiply(_quarter_turns((0.0, -distance, h / 2), k), unit)
        viewer.location = (middle[0], middle[1], middle[2] + base)
        viewer.rotation_euler = (np.pi / 2, 0.0, k * np.pi / 2)
        path = folder / f"seen_{layout.screen}_{k}.png"
        scene.render.filepath = str(path)
        with quiet():
            bpy.ops.render.render(scene=scene.name, write_still=True)
        picture = np.asarray(Image.open(path).convert("RGB")) * _mirror_outline(layout)[..., None]
        pictures.append(_crop_to_head(picture))
    return pictures


def _mirror_outline(layout):
    """(h, w) true where the viewer looks into the mirror, 2 px off its edges: beyond is the bare screen."""
    h, w, a = layout.panel_height, layout.panel_width, layout.half_gap
    v = h - 0.5 - np.arange(h)
    half = a + v if layout.screen == "up" else a + h - v
    inside = np.abs(np.arange(w) + 0.5 - w / 2)[None] <= half[:, None] - 2
    inside[:2] = inside[-2:] = False
    return inside


def _quarter_turns(point, count):
    """From the front to +x, to the back, to -x: counter-clockwise seen from above."""
    x, y, z = point
    for _ in range(count):
        x, y = -y, x
    return (x, y, z)


def _crop_to_head(picture):
    lit = picture.max(axis=2) > 12
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _similarity(seen, reference):
    """SSIM over the head's box, after registration by scale and translation.

    The boxes are laid on each other first; then the best of small corrections is searched for, which
    gives every wrong picture the same chance as the right one.
    """
    height, width = seen.shape[:2]
    box = Image.fromarray(np.ascontiguousarray(reference))
    fitted = np.asarray(box.resize((width, height), Image.Resampling.BOX))

    def moved(place):
        log_scale, x, y = place
        scale = np.exp(log_scale / 100.0)
        centre = np.array([width - 1, height - 1]) / 2
        shift = centre * (1.0 - scale) + (x, y)
        matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
        return cv2.warpAffine(fitted, matrix, (width, height), flags=cv2.INTER_LINEAR)

    def difference(place):
        return float(np.abs(seen.astype(np.float64) - moved(place)).mean())

    start = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.5, 0.0], [0.0, 0.0, 1.5]])
    options = {"initial_simplex": start, "maxfev": 80, "xatol": 0.02, "fatol": 1e-3}
    best = minimize(difference, np.zeros(3), method="Nelder-Mead", options=options).x
    return structural_similarity(seen, moved(best), channel_axis=2, data_range=255)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual pyramid: true geometry, acrylic that shows what a mirror there would, a loop in step."""

from __future__ import annotations

import bpy
import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from pyramid_parts import mirrors, part, perfect_mirror, undress
from stand_in_head import stand_in_head

from holotalk_addon.errors import OptionError, PhotoError
from holotalk_addon.hologram.layout import pyramid_dimensions, pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.hologram.solid import metres_per_pixel, mirror_corners, screen_corners
from holotalk_addon.scene import compat
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, find_hologram, new_file
from holotalk_addon.scene.own import own_kinds, role_of
from holotalk_addon.scene.pyramid_materials import REFLECTED
from holotalk_addon.scene.quiet import quiet, wake_gpu
from holotalk_addon.scene.virtual_pyramid import build_virtual_pyramid, find_virtual_pyramid


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


@pytest.fixture
def picture(tmp_path):
    """A frame on which every place is told from every other: colours that change, and letters."""
    ramp = np.linspace(0, 255, 400)
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[..., 0], frame[..., 1], frame[..., 2] = ramp[None], ramp[:, None], 120
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    for k, letter in enumerate("ABCDEFGHJKLMNPQR"):
        draw.text((100 * (k % 4) + 20, 100 * (k // 4) + 10), letter, fill="white", font_size=70)
    path = tmp_path / "picture.png"
    image.save(path)
    return path


def _render(scene, path, size, frame=1):
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.filepath = str(path)
    compat.output_png(scene, alpha=False)
    scene.frame_set(frame)
    with quiet():
        bpy.ops.render.render(scene=scene.name, write_still=True)
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)


def _linear(picture):
    """From sRGB, 0..255, to light, 0..1."""
    value = picture / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _corners_of(obj):
    return np.array([vertex.co for vertex in obj.data.vertices], dtype=np.float64)


def _picture_on(obj):
    (image,) = (n.image for n in obj.active_material.node_tree.nodes if n.type == "TEX_IMAGE")
    return image


def _counts():
    return [len(kind) for kind in own_kinds()]


@pytest.mark.parametrize("screen", ["up", "down"])
@pytest.mark.parametrize("gap", [0.1, 0.2, 0.5])
def test_mirrors_are_the_layouts_trapezoids_at_45_degrees(screen, gap):
    layout = pyramid_layout(480, gap=gap, screen=screen)
    mirrors = mirror_corners(layout)
    lit = screen_corners(layout)
    for k, (panel, corners) in enumerate(zip(layout.panels, mirrors, strict=True)):
        normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
        normal /= np.linalg.norm(normal)
        assert (corners - corners[0]) @ normal == pytest.approx(0.0, abs=1e-9)  # flat
        assert abs(normal[2]) == pytest.approx(np.sqrt(0.5))  # 45 degrees to the screen
        widths = np.linalg.norm(corners[[1, 2]] - corners[[0, 3]], axis=1)
        expected = 2 * layout.half_width(np.array([0.0, layout.panel_height]))
        np.testing.assert_allclose(widths, expected)
        assert np.ptp(corners[:, 2]) == layout.panel_height
        # It stands at the side where this panel's camera is.
        yaw = np.radians(panel.camera_yaw)
        side = corners.mean(axis=0)[:2]
        np.testing.assert_allclose(side / np.linalg.norm(side), [np.sin(yaw), -np.cos(yaw)], atol=1e-9)
        # The mirrored panel stands upright behind it: the middle of its upper edge above that of its lower.
        for v in (0.0, float(layout.panel_height)):
            x, y = layout.to_screen(k, np.array([0.0, v]))
            along = np.array([x, y]) / layout.frame
            spot = lit[0] + (along[0] + 0.5) * (lit[1] - lit[0]) + (along[1] + 0.5) * (lit[3] - lit[0])
            image = spot - 2 * ((spot - corners[0]) @ normal) * normal
            outward = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
            np.testing.assert_allclose(image, layout.half_gap * outward + (0.0, 0.0, v), atol=1e-9)


@pytest.mark.parametrize(
    ("screen_mm", "frame"), [((70, 150), None), ((150, 70), None), ((160, 240), (720, 480))]
)
def test_it_has_the_size_of_the_cut_template(screen_mm, frame, picture):
    layout = pyramid_layout(480, frame=frame)
    scene = build_virtual_pyramid(layout, picture, screen_mm)
    size = pyramid_dimensions(screen_mm, layout.gap)
    corners = np.concatenate([_corners_of(sheet) for sheet in mirrors(scene)])
    extent_mm = 1000 * np.ptp(corners, axis=0)
    np.testing.assert_allclose(extent_mm, [size.large_end, size.large_end, size.height], rtol=0.01)
    lit_mm = 1000 * np.ptp(_corners_of(part(scene, "screen")), axis=0)[:2]
    assert (lit_mm <= np.array(sorted(screen_mm, reverse=frame is not None)) + 1e-3).all()
    np.testing.assert_allclose(
        lit_mm, 1000 * metres_per_pixel(layout, screen_mm) * np.array(layout.frame), rtol=1e-5
    )


@pytest.mark.parametrize(("screen", "yaw"), [("up", 20.0), ("up", 270.0), ("down", -15.0), ("down", 180.0)])
def test_acrylic_shows_what_a_mirror_there_would(screen, yaw, picture, tmp_path):
    layout = pyramid_layout(400, screen=screen)
    scene = build_virtual_pyramid(layout, picture)
    undress(scene)
    scene.eevee.taa_render_samples = 16
    scene.cycles.samples = 16
    # The one sheet that faces the viewer, who sees the screen in it alone.
    near = round(yaw / 90.0) % 4
    for k, sheet in enumerate(mirrors(scene)):
        sheet.hide_render = k != near
    screen_object = part(scene, "screen")
    part(scene, "viewer").rotation_euler[2] = np.radians(yaw)
    screen_object.hide_render = True  # the acrylic needs no screen: it computes it
    wake_gpu()
    bpy.context.preferences.system.anisotropic_filter = "FILTER_0"  # stray texels in software rendering
    acrylic = _linear(_render(scene, tmp_path / "acrylic.png", (360, 240))) / REFLECTED
    screen_object.hide_render, screen_object.visible_camera = False, False
    mirrors(scene)[near].data.materials[0] = perfect_mirror()
    scene.render.engine = "CYCLES"
    mirror = _linear(_render(scene, tmp_path / "mirror.png", (360, 240)))
    lit = mirror.max(axis=2) > 0.02
    assert lit.mean() > 0.04  # the picture is seen, and large
    assert np.abs(acrylic - mirror)[lit].mean() < 0.02
    assert np.abs(acrylic - mirror)[~lit].mean() < 0.005
    # Not so for the same picture an eighth of its height off, or mirrored.
    assert np.abs(np.roll(acrylic, 10, axis=0) - mirror)[lit].mean() > 0.06
    assert np.abs(acrylic[:, ::-1] - mirror)[lit].mean() > 0.06


def test_a_video_plays_in_step_and_in_the_loop(tmp_path):
    path = tmp_path / "video.mp4"
    colours = [(220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30), (30, 220, 220), (220, 30, 220)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 12.0, (64, 64))
    for red, green, blue in colours:
        writer.write(np.full((64, 64, 3), (blue, green, red), np.uint8))
    writer.release()
    scene = build_virtual_pyramid(pyramid_layout(64), path)
    bpy.context.window.scene = scene  # Blender moves the frames of movies for the scene of a window alone
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, len(colours), 12)
    scene.eevee.taa_render_samples = 1
    wake_gpu()
    for frame in (1, 2, 5, 6, 7, 9):
        seen = _render(scene, tmp_path / "seen.png", (96, 64), frame)
        height, width = seen.shape[:2]
        brightest = seen[height // 4 : height // 2, width // 3 : width * 2 // 3].mean(axis=(0, 1))
        expected = np.array(colours[(frame - 1) % len(colours)])
        assert ((brightest > 90) == (expected > 90)).all(), (frame, brightest, expected)


def test_building_again_changes_it_in_place(picture, tmp_path):
    user = bpy.data.objects.new("Mine", None)
    bpy.context.scene.collection.objects.link(user)
    hologram = build_hologram(HeadSubject(stand_in_head()), pyramid_layout(320), loop_motion("still", 1, 4))
    scene = build_virtual_pyramid(pyramid_layout(320), picture)
    scene.render.resolution_percentage = 50
    camera = part(scene, "camera")
    camera.location[1] *= 0.5
    place = tuple(camera.location)
    before, names = _counts(), [obj.name for obj in scene.objects]
    other = tmp_path / "other.png"
    Image.open(picture).rotate(90).save(other)

    assert build_virtual_pyramid(pyramid_layout(320), other) == scene == find_virtual_pyramid()
    assert (_counts(), [obj.name for obj in scene.objects]) == (before, names)
    assert scene.render.resolution_percentage == 50
    assert tuple(camera.location) == place  # the user's
    image = _picture_on(part(scene, "screen"))
    assert image == _picture_on(mirrors(scene)[2])
    assert image.packed_file is not None
    assert np.allclose(np.array(image.pixels[:3]) * 255, np.asarray(Image.open(other))[-1, 0], atol=2)

    assert build_virtual_pyramid(pyramid_layout(320, screen="down"), picture) == scene
    assert (_counts(), [obj.name for obj in scene.objects]) == (before, names)
    assert tuple(camera.location) != place  # another shape, another place to see it from
    heights = _corners_of(part(scene, "screen"))[:, 2]
    assert heights == pytest.approx(_corners_of(mirrors(scene)[0])[:, 2].max())
    assert user.name == "Mine"
    assert find_hologram() == hologram


def test_every_part_is_tagged_and_the_file_saves(picture, tmp_path):
    before = {block.session_uid for kind in own_kinds() for block in kind}
    build_virtual_pyramid(pyramid_layout(320), picture)
    made = [block for kind in own_kinds() for block in kind if block.session_uid not in before]
    assert {type(block).__name__ for block in made} >= {
        "Scene",
        "Object",
        "Mesh",
        "Camera",
        "Material",
        "World",
    }
    assert all((role_of(block) or "").startswith("pyramid") for block in made)
    picture.unlink()
    path = tmp_path / "pyramid.blend"
    with quiet():
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        bpy.ops.wm.open_mainfile(filepath=str(path))
    image = _picture_on(part(find_virtual_pyramid(), "screen"))
    assert image.pixels[2] == pytest.approx(120 / 255, abs=0.01)


def test_an_image_of_the_open_file_serves_too():
    image = bpy.data.images.new("Mine", 64, 64)
    scene = build_virtual_pyramid(pyramid_layout(64), image)
    assert _picture_on(part(scene, "screen")) == image
    assert role_of(image) is None


def test_what_cannot_work_is_said_and_leaves_nothing(tmp_path, picture):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    count = len(bpy.data.images)
    with quiet():
        for wrong in (text, tmp_path / "missing.png"):
            with pytest.raises(PhotoError, match=wrong.name):
                build_virtual_pyramid(pyramid_layout(64), wrong)
        with pytest.raises(OptionError, match="mm"):
            build_virtual_pyramid(pyramid_layout(64), picture, (5, 5))
    assert find_virtual_pyramid() is None
    assert len(bpy.data.images) == count

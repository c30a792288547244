# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on says when something goes wrong, and what it leaves then: nothing."""

import errno
import threading
import time

import bpy
import numpy as np
import pytest
from addon_parts import SIZE, fails, ours
from PIL import Image
from processes import LONGEST_S, wait_until

from holotalk_addon import pipeline
from holotalk_addon.errors import AssetError
from holotalk_addon.scene import hologram_scene
from holotalk_addon.scene.hologram_scene import find_hologram
from holotalk_addon.ui import jobs, session, viewport

pytest_plugins = ["addon_session"]


def test_bad_photos_are_one_report_and_leave_nothing(empty, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    fails(lambda: bpy.ops.holotalk.open_photo(filepath=str(broken)), "broken.jpg")
    fails(bpy.ops.holotalk.generate, "broken.jpg")
    fails(lambda: bpy.ops.holotalk.open_photo(filepath=str(tmp_path / "none.jpg")), "no file")
    wall = tmp_path / "wall.png"
    Image.effect_noise((300, 200), 30).convert("RGB").save(wall)
    assert bpy.ops.holotalk.open_photo(filepath=str(wall)) == {"FINISHED"}
    assert "No face" in empty.photo_warnings, "the picture is shown, with a hint"
    assert empty.photo == str(wall)
    assert not bpy.ops.holotalk.generate.poll()
    empty.photo = str(wall)  # set by hand, not looked at yet
    fails(bpy.ops.holotalk.generate, "face")
    assert ours() == {"scenes empty": 1}
    assert session.current().jobs == {}


def test_a_dark_photo_is_brightened_and_the_panel_says_so(empty, photo, tmp_path):
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("RGB"))
    dark = tmp_path / "dark.png"
    Image.fromarray((255.0 * (pixels / 255.0) ** 2.2 * 0.1 ** (1 / 2.2) + 0.5).astype(np.uint8)).save(dark)
    assert bpy.ops.holotalk.open_photo(filepath=str(dark)) == {"FINISHED"}
    assert "too dark" in empty.faces[0].warnings
    empty.size_preset, empty.size, empty.complete = "CUSTOM", SIZE, "MIRROR"
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    settings = bpy.data.scenes[find_hologram().hologram].holotalk
    assert "brightened" in settings.photo_warnings
    assert "too dark" not in settings.faces[0].warnings


def test_without_a_photo_or_a_hologram_the_buttons_are_off(empty):
    for name in ("generate", "find_faces", "preview_frame", "render_video", "virtual_pyramid", "export"):
        assert not getattr(bpy.ops.holotalk, name).poll(), name
    assert bpy.ops.holotalk.open_photo.poll()
    assert bpy.ops.holotalk.save_template.poll()


def test_a_video_that_cannot_be_written_is_said_before_the_work(hologram, tmp_path):
    fails(lambda: bpy.ops.holotalk.render_video(filepath=str(tmp_path / "no" / "x.mp4")), "does not exist")
    fails(lambda: bpy.ops.holotalk.render_video(filepath=""), "name")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_as_such(hologram, tmp_path, monkeypatch):
    from holotalk_addon.scene import render

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "frames")

    monkeypatch.setattr(render, "render_frames", full)
    video = tmp_path / "v.mp4"
    fails(lambda: bpy.ops.holotalk.render_video(filepath=str(video)), "disk is full.*free some space")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_asset_is_said_and_nothing_is_built(empty, photo, monkeypatch):
    monkeypatch.setattr(session.current(), "_tools", None)

    def damaged(*_):
        raise AssetError("face_landmark.tflite is damaged: install the zip again.")

    monkeypatch.setattr(pipeline, "load_tools", damaged)
    fails(lambda: bpy.ops.holotalk.open_photo(filepath=str(photo)), "install the zip again")
    fails(bpy.ops.holotalk.generate, "install the zip again")
    assert ours() == {"scenes empty": 1}


def test_what_a_viewport_showed_is_brought_back(addon):
    bpy.ops.wm.read_factory_settings()
    window = bpy.context.window_manager.windows[0]
    space = next(area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D")
    space.region_3d.view_location = (1, 2, 3)
    before = viewport.views_of(window)
    for engine in ("BLENDER_WORKBENCH", "CYCLES"):
        window.scene.render.engine = engine
        viewport.show_front(window, window.scene)
    viewport.look_through_camera(window, window.scene, "RENDERED")
    shown = viewport.views_of(window)[0].values
    assert not [path for path in viewport.SHOWN if shown[path] == before[0].values[path]]
    viewport.bring_back(before, only=viewport.SHADING)
    shading = {path: before[0].values[path] for path in viewport.SHADING}
    assert viewport.views_of(window)[0].values == shown | shading
    viewport.bring_back(before)
    assert viewport.views_of(window) == before


def test_a_shading_that_the_engine_no_longer_has_is_left(addon):
    """Material Preview was shown, then the engine became Workbench, which knows none."""
    bpy.ops.wm.read_factory_settings()
    window = bpy.context.window_manager.windows[0]
    space = next(area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D")
    space.shading.type = "MATERIAL"
    before, place = viewport.views_of(window), tuple(space.region_3d.view_location)
    space.shading.type = "SOLID"
    window.scene.render.engine = "BLENDER_WORKBENCH"
    space.region_3d.view_location = (1, 2, 3)
    viewport.bring_back(before)
    assert space.shading.type == "SOLID"
    assert tuple(space.region_3d.view_location) == place


def test_a_picture_may_be_dropped_on_the_viewport_alone(addon):
    from types import SimpleNamespace as Context

    handler = bpy.types.HOLOTALK_FH_photo
    assert {".jpg", ".png", ".jpeg"} <= set(handler.bl_file_extensions.split(";"))
    assert handler.bl_import_operator == "holotalk.open_photo"
    assert handler.poll_drop(Context(area=Context(type="VIEW_3D")))
    assert not handler.poll_drop(Context(area=Context(type="IMAGE_EDITOR")))


def test_an_unexpected_failure_leaves_no_half_built_scene(empty, photo, monkeypatch):
    bpy.ops.holotalk.open_photo(filepath=str(photo))

    def fail(*_):
        raise ValueError("the rig fell over")

    monkeypatch.setattr(hologram_scene, "aim_camera", fail)
    fails(bpy.ops.holotalk.generate, "the rig fell over")
    assert ours() == {"scenes empty": 1}
    monkeypatch.undo()
    assert bpy.ops.holotalk.generate() == {"FINISHED"}


def test_a_stopped_job_says_so_and_changes_nothing(empty):
    heard = []

    def work(tell):
        while True:  # only being stopped ends it
            heard.append(1)
            tell("Finding the face", 0.25)
            time.sleep(0.01)

    job = jobs.ThreadJob(work, {"Loading": 0.5, "Finding the face": 0.5}, threading.Lock())
    job.begin()
    wait_until(lambda: len(heard) > 1, "the job works")
    assert not job.done
    assert job.stage == "Finding the face"
    assert job.fraction == pytest.approx(0.625)
    job.cancel()
    wait_until(lambda: job.done, "the job ends")
    with pytest.raises(jobs.Cancelled, match="Nothing was changed"):
        job.result()


def test_two_jobs_never_use_the_networks_at_once(empty):
    """The first was stopped, and takes a moment to end; the next one begins then, and not before."""
    go_on, order = threading.Event(), []

    def first_work(tell):
        order.append("first begins")
        go_on.wait(LONGEST_S)
        order.append("first ends")

    def second_work(tell):
        order.append("second begins")

    alone = threading.Lock()
    first, second = (jobs.ThreadJob(work, {"Loading": 1.0}, alone) for work in (first_work, second_work))
    first.begin()
    wait_until(lambda: order, "the first job works")
    first.cancel()
    second.begin()
    time.sleep(0.2)  # in which it would begin if it could
    assert order == ["first begins"]
    assert not first.done
    assert not second.done
    go_on.set()
    wait_until(lambda: first.done and second.done, "both jobs end")
    assert order == ["first begins", "first ends", "second begins"]


def test_a_job_that_is_stopped_before_its_turn_does_nothing(empty):
    alone, worked = threading.Lock(), []
    job = jobs.ThreadJob(lambda _tell: worked.append(1), {"Loading": 1.0}, alone)
    with alone:
        job.begin()
        job.cancel()
        assert not job.done
    wait_until(lambda: job.done, "the job ends")
    assert not worked

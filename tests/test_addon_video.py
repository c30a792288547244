# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's previews and videos, rendered by this Blender and by a second one."""

import re

import bpy
import numpy as np
import pytest
from addon_parts import SIZE, fails
from PIL import Image
from processes import wait_until

from holotalk_addon.errors import HoloTalkError
from holotalk_addon.scene.second_blender import BackgroundRender, SecondBlender

pytest_plugins = ["addon_session"]


def test_a_reopened_file_previews_and_renders(hologram, tmp_path):
    scenes = {scene.name: scene.render.filepath for scene in bpy.data.scenes}
    assert bpy.ops.holotalk.preview_frame() == {"FINISHED"}
    with Image.open(bpy.context.window_manager.holotalk.preview) as picture:
        assert picture.size == (SIZE, SIZE)
        assert np.asarray(picture).max() > 100
    assert 0 < bpy.context.window_manager.holotalk.estimate < 600
    video = tmp_path / "made here.mp4"
    assert bpy.ops.holotalk.render_video(filepath=str(video)) == {"FINISHED"}
    assert hologram.video == str(video)
    assert video.read_bytes()[4:8] == b"ftyp"
    import cv2

    film = cv2.VideoCapture(str(video))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 8
    assert film.read()[1].shape == (SIZE, SIZE, 3)
    assert {scene.name: scene.render.filepath for scene in bpy.data.scenes} == scenes


def test_training_data_needs_a_folder(empty):
    fails(bpy.ops.holotalk.render_data, "folder")


def test_a_second_blender_renders_and_tells_how_far_it_is(hologram, second_blender, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    video = tmp_path / "behind.mp4"
    hologram.seconds = 4.0  # many frames: it is asked more often than they come
    render = BackgroundRender(video, scratch)
    render.begin()
    heard = []
    wait_until(lambda: heard.append(render.fraction) or render.done, "the render ends")
    assert render.result() > 0
    assert video.read_bytes()[4:8] == b"ftyp"
    heard = [fraction for fraction in heard if fraction]
    assert heard == sorted(heard)
    assert len(set(heard)) > 2
    assert list(scratch.iterdir()) == []


def test_a_stopped_render_leaves_nothing_and_spares_the_former_video(hologram, second_blender, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    video = tmp_path / "behind.mp4"
    video.write_bytes(b"the former one")
    hologram.seconds, hologram.motion = 60.0, "SWAY"
    render = BackgroundRender(video, scratch)
    render.begin()
    wait_until(lambda: render.fraction > 0 or render.done, "the render says how far it is")
    assert not render.done, "it ended by itself"
    render.cancel()
    assert render.done
    assert list(scratch.iterdir()) == []
    assert video.read_bytes() == b"the former one"
    assert {path.name for path in tmp_path.iterdir()} == {
        "scratch", "behind.mp4", "blender", "second_blender.py"
    }  # fmt: skip


def test_what_a_second_blender_refuses_is_said_as_if_it_were_this_one(addon, second_blender, tmp_path):
    words = ("pipeline:render_data_for_panel", "nothing", str(tmp_path / "data"), 1, 0)
    job = SecondBlender(*words, scratch=tmp_path)
    with pytest.raises(HoloTalkError, match="nothing") as refused:
        job.run()
    job.begin()
    wait_until(lambda: job.done, "the second Blender ends")
    with pytest.raises(HoloTalkError, match=re.escape(str(refused.value))):
        job.result()
    assert not list(tmp_path.glob("holotalk-*"))


def test_a_second_blender_that_fails_says_why(hologram, second_blender, tmp_path):
    second_blender.write_text("#!/bin/sh\necho the disk is upside down\nexit 3\n")
    render = BackgroundRender(tmp_path / "behind.mp4", tmp_path)
    render.begin()
    wait_until(lambda: render.done, "the second Blender ends")
    with pytest.raises(RuntimeError, match="the disk is upside down"):
        render.result()
    assert not (tmp_path / "behind.mp4").exists()
    assert not list(tmp_path.glob("holotalk-*"))

# SPDX-License-Identifier: GPL-3.0-or-later
"""From the zip to the video, with nothing but Blender's module and the zip, and no network."""

import json
import shutil
import sys

import numpy as np
import pytest

GENERATE = """
import json, sys, time
import bpy
import addon_utils
zip_path, photo, blend = sys.argv[1:]
name = "bl_ext.user_default.holotalk"
bpy.ops.extensions.package_install_files(repo="user_default", filepath=zip_path, enable_on_install=True)
addon_utils.disable(name)
began = time.perf_counter()
module = addon_utils.enable(name)
seconds = time.perf_counter() - began
preferences = bpy.context.preferences.addons[name].preferences
preferences.size_preset = "TABLET"
bpy.ops.holotalk.open_photo(filepath=photo)
settings = bpy.context.scene.holotalk
preset = settings.size_preset
settings.size_preset, settings.size, settings.seconds, settings.fps = "CUSTOM", 256, 1.0, 8
settings.motion = "SWAY"
status = bpy.ops.holotalk.generate()
bpy.ops.wm.save_as_mainfile(filepath=blend)
licences = sys.modules[name + ".ui.preferences"].licence_lines()
scratch = str(sys.modules[name + ".ui.preferences"].scratch_folder())
print("RESULT " + json.dumps([sorted(status), preset, licences, scratch, seconds]))
"""

RENDER = """
import json, sys
import bpy
blend, video, head = sys.argv[1:]
bpy.ops.preferences.addon_enable(module="bl_ext.user_default.holotalk")
bpy.ops.wm.open_mainfile(filepath=blend)
settings = bpy.data.scenes["Hologram"].holotalk
kept = [settings.size, settings.motion, settings.seconds, settings.photo, len(settings.faces)]
status = [bpy.ops.holotalk.render_video(filepath=video), bpy.ops.holotalk.export(filepath=head)]
settings.motion = "STILL"
frames = bpy.data.scenes["Hologram"].frame_end
print("RESULT " + json.dumps([kept, [sorted(s) for s in status], frames]))
"""

TRAINING = """
import json, sys
import bpy
name = "bl_ext.user_default.holotalk"
bpy.ops.preferences.addon_enable(module=name)
settings = bpy.context.scene.holotalk
settings.data_folder, settings.data_samples = sys.argv[1], 5
print("RESULT " + json.dumps(sorted(bpy.ops.holotalk.render_data())))
"""

INCOMPLETE = """
import json, sys
import bpy
bpy.ops.preferences.addon_enable(module="bl_ext.user_default.holotalk")
sys.modules["cv2"] = None  # as where Blender could not unpack the wheel
try:
    bpy.ops.holotalk.open_photo(filepath=sys.argv[1])
    bpy.ops.holotalk.generate()
except RuntimeError as error:
    print("RESULT " + json.dumps(str(error)))
"""

WITHOUT = """
import bpy, sys
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
bpy.context.window_manager.windows[0].scene = bpy.data.scenes["Hologram"]
scene = bpy.data.scenes["Hologram"]
scene.frame_end = 2
scene.render.filepath = sys.argv[2]
bpy.ops.render.render(animation=True, scene="Hologram")
print("RESULT 1")
"""


def result_of(done):
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("RESULT "))


@pytest.fixture(scope="module")
def made(addon_zip, bare_blender, tmp_path_factory):
    """A user's folder in which the zip was installed and a hologram generated and saved."""
    from holotalk_addon import assets

    user = tmp_path_factory.mktemp("user")
    photo = user / "my photo.png"
    shutil.copy(assets.demo_portrait(), photo)
    blend = user / "hologram.blend"
    return user, photo, blend, result_of(bare_blender(GENERATE, addon_zip, photo, blend, user=user))


def test_install_choose_a_photo_generate(made):
    user, photo, blend, (status, preset, licences, scratch, _) = made
    assert status == ["FINISHED"]
    assert preset == "TABLET", "the preferences' size is that of a new hologram"
    assert any("68" in line or "no commercial use" in line for line in licences)
    assert "dlib_face_recognition_resnet_model_v1.dat: CC0-1.0, public domain" in licences
    assert scratch.startswith(str(user))
    assert blend.is_file()
    assert photo.is_file()


def test_the_saved_file_renders_its_video_in_another_blender(made, bare_blender):
    user, photo, blend, _ = made
    video, head = user / "the video.mp4", user / "head.glb"
    kept, status, frames = result_of(bare_blender(RENDER, blend, video, head, user=user))
    assert kept == [256, "SWAY", 1.0, str(photo), 1]
    assert status == [["FINISHED"], ["FINISHED"]]
    assert frames == 8
    import cv2

    content = video.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "a player can begin before it has all of it"
    film = cv2.VideoCapture(str(video))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 8
    picture = film.read()[1]
    assert picture.shape == (256, 256, 3)
    assert picture.max() > 100
    assert picture[128, 128].max() <= 2, "the gap in the middle is black"
    assert head.read_bytes()[:4] == b"glTF"


def test_a_part_that_blender_did_not_unpack_is_one_line(made, bare_blender):
    user, photo, *_ = made
    (line,) = result_of(bare_blender(INCOMPLETE, photo, user=user)).splitlines()
    assert "part of HoloTalk is missing (cv2)" in line
    assert f"for Python {sys.version_info.major}.{sys.version_info.minor}, on which" in line


def test_a_blender_without_the_add_on_renders_the_saved_file_too(made, bare_blender):
    user, _, blend, _ = made
    bare = user / "other user"
    bare.mkdir()
    video = bare / "plain.mp4"
    result_of(bare_blender(WITHOUT, blend, video, user=bare))
    assert video.read_bytes()[4:8] == b"ftyp"


def test_training_data_is_rendered_with_what_is_inside(made, bare_blender):
    user = made[0]
    folder = user / "people"
    assert result_of(bare_blender(TRAINING, folder, user=user)) == ["FINISHED"]
    (shard,) = folder.glob("shard_*.npz")
    with np.load(shard) as arrays:
        assert arrays["front"].shape == (5, 64, 64)
        assert arrays["front"].max() > 100

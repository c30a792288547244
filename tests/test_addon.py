# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's operators and settings on a real photo, in Blender's Python module: what its buttons do."""

import difflib
import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon_parts import SIZE, ours, state
from blend_dump import dump
from PIL import Image
from processes import wait_until

from holotalk_addon import pipeline
from holotalk_addon.cae.completions import AUTO, KINDS
from holotalk_addon.cae.stacks import STACK_SIZE
from holotalk_addon.head import expressions
from holotalk_addon.hologram import layout as layouts
from holotalk_addon.hologram import motion as motions
from holotalk_addon.scene import hologram_scene
from holotalk_addon.scene.head_object import read_head
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import find_hologram
from holotalk_addon.scene.materials import image_pixels
from holotalk_addon.scene.own import SIDES_ROLE, own_sides, role_of
from holotalk_addon.scene.second_blender import BackgroundRender
from holotalk_addon.ui.settings import HOLOTALK_PG_settings, layout_of

pytest_plugins = ["addon_session"]

ROOT = Path(__file__).parents[1]


# --- being enabled and disabled -----------------------------------------------------------------------


def test_enabling_loads_nothing_heavy_and_disabling_leaves_nothing(tmp_path):
    code = """
import json, sys
import bpy
def traces():
    lists = {n: getattr(bpy.app.handlers, n) for n in dir(bpy.app.handlers)}
    handlers = {n: len(h) for n, h in lists.items() if isinstance(h, list)}
    types = sorted(n for n in dir(bpy.types) if n.startswith("HOLOTALK"))
    props = [hasattr(bpy.types.Scene, "holotalk"), hasattr(bpy.types.WindowManager, "holotalk")]
    operators = [n for n in dir(bpy.ops.holotalk)]
    return [handlers, types, props, operators]
before, loaded = traces(), set(sys.modules)
import holotalk_addon
holotalk_addon.register()
heavy = {"numpy", "cv2", "dlib", "ai_edge_litert", "PIL", "keras", "tensorflow"} & (set(sys.modules) - loaded)
enabled = traces()
holotalk_addon.unregister()
after = [traces()]
for _ in range(10):
    holotalk_addon.register()
    again = traces()
    holotalk_addon.unregister()
    after.append(traces())
print("RESULT" + json.dumps([before, sorted(heavy), enabled, again, after]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    before, heavy, enabled, again, after = json.loads(line.removeprefix("RESULT"))
    assert heavy == []
    assert enabled[2] == [True, True]
    assert len(enabled[1]) > 10
    assert again == enabled
    assert all(traces == before for traces in after)


ENABLE = {
    "registered by hand": "import holotalk_addon; holotalk_addon.register()",
    "enabled": "import bpy; bpy.ops.preferences.addon_enable(module='holotalk_addon')",
    "enabled, then another file": "import bpy; bpy.ops.preferences.addon_enable(module='holotalk_addon');"
    "bpy.ops.wm.read_homefile()",
    "enabled, then factory settings": "import bpy; bpy.ops.preferences.addon_enable(module='holotalk_addon');"
    "bpy.ops.wm.read_factory_settings()",
    "disabled once": "import bpy; bpy.ops.preferences.addon_enable(module='holotalk_addon');"
    "bpy.ops.preferences.addon_disable(module='holotalk_addon')",
    "a handler of ours is gone": "import bpy, holotalk_addon; holotalk_addon.register();"
    "bpy.app.handlers.redo_post.clear()",
}


@pytest.mark.parametrize("way", list(ENABLE))
def test_a_program_that_forgets_to_disable_it_still_ends_and_says_nothing(way):
    done = subprocess.run(
        [sys.executable, "-c", ENABLE[way]], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert not re.search("Traceback|Error|Exception", done.stderr + done.stdout), done.stderr + done.stdout


def test_disabling_twice_or_after_a_refused_enabling_takes_nothing_of_anybody_else():
    code = """
import bpy, holotalk_addon
holotalk_addon.unregister()
bpy.types.Scene.holotalk = bpy.props.IntProperty()  # another copy's
bpy.app.handlers.load_post.append(print)
try:
    holotalk_addon.register()
except RuntimeError as error:
    print("REFUSED", error)
holotalk_addon.unregister()
print("KEPT", hasattr(bpy.types.Scene, "holotalk"), print in bpy.app.handlers.load_post)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "REFUSED Another copy" in done.stdout
    assert "KEPT True True" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has each user's own folders")
def test_what_is_kept_for_a_while_lies_where_no_other_user_can_look(addon, tmp_path, monkeypatch):
    from holotalk_addon.ui import preferences

    monkeypatch.setenv("HOLOTALK_CACHE", str(tmp_path / "cache"))
    folder = preferences.scratch_folder()
    assert folder.parent == tmp_path / "cache", "not in a folder that everybody shares, under a known name"
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    chosen = SimpleNamespace(cache_folder=str(shared))
    monkeypatch.setattr(preferences, "preferences", lambda: chosen)
    folders = [folder, preferences.scratch_folder()]
    assert folders[1].parent == shared
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777, "the user's own folder stays as it is"


def test_operators_are_named_described_and_polled(addon):
    from holotalk_addon import ui

    operators = [cls for cls in ui.CLASSES if issubclass(cls, bpy.types.Operator)]
    assert len(operators) >= 14
    changing = {"generate", "open_photo", "find_faces", "pick_face", "expression", "virtual_pyramid"}
    changing |= {"render_video", "render_behind"}  # they note where the video is
    for cls in operators:
        assert re.fullmatch(r"HOLOTALK_OT_[a-z_]+", cls.__name__)
        assert cls.bl_idname == "holotalk." + cls.__name__.removeprefix("HOLOTALK_OT_")
        assert re.fullmatch(r"[A-Z].*[^.]", cls.__doc__.strip()), f"{cls.__name__}: Blender adds the period"
        assert "poll" in cls.__dict__, cls.__name__
        assert ("UNDO" in cls.bl_options) == (cls.bl_idname.split(".")[1] in changing), cls.__name__


def test_the_panels_choices_are_those_of_the_program(addon):
    def choices(name):
        return [i.identifier.lower() for i in HOLOTALK_PG_settings.bl_rna.properties[name].enum_items]

    assert choices("motion") == list(motions.MOTIONS)
    assert choices("sides") == list(hologram_scene.SIDES)
    assert choices("screen") == list(layouts.SCREENS)
    assert choices("engine") == list(hologram_scene.ENGINES)
    assert choices("complete") == [AUTO, *(kind.name for kind in KINDS if kind.offered)]
    assert choices("exposure") == list(pipeline.EXPOSURES)
    defaults = HOLOTALK_PG_settings.bl_rna.properties
    motion = motions.loop_motion()
    assert motions.loop_motion("turntable", defaults["seconds"].default, defaults["fps"].default) == motion
    assert defaults["gap"].default == pytest.approx(layouts.pyramid_layout().gap)
    assert defaults["size"].default == layouts.pyramid_layout().size


# --- generate -----------------------------------------------------------------------------------------


def test_the_users_file_is_as_it_was(generated):
    _, before, after = generated
    assert before.keys() == after.keys()
    for name, text in before.items():
        assert after[name] == text, name
    assert "note" not in "".join(k for k in before if k.startswith("texts"))
    assert any(len(text) > 2000 for text in before.values()), "the dump looks into the blocks"


def test_the_dump_sees_a_change(users_file):
    bpy.ops.wm.open_mainfile(filepath=str(users_file))
    before = dump()
    bpy.context.scene.render.resolution_x += 1
    bpy.data.objects["HoloTalk Head"].location.x += 0.5
    changed = {name for name, text in dump().items() if before[name] != text}
    assert changed == {"scenes/Shot 12", "objects/HoloTalk Head"}


def test_the_hologram_is_there_and_shown(hologram, photo):
    found = find_hologram()
    assert bpy.data.objects[found.subject].type == "MESH"
    assert (hologram.photo, hologram.size, hologram.motion) == (str(photo), SIZE, "TURNTABLE")
    assert len(hologram.faces) == 1
    box = hologram.faces[0].box
    # The astronaut's face: in the upper middle of the picture.
    assert 0.3 < box[0] < 0.45
    assert 0.08 < box[1] < 0.25
    assert found.motion.frames == 8
    assert bpy.context.scene.name == found.hologram or any(
        w.scene.name == found.hologram for w in bpy.context.window_manager.windows
    )
    assert "".join(f"{k}{v}" for k, v in ours().items()).count("scenes view") == 4


def test_one_undo_removes_the_whole_result_and_redo_brings_it_back(users_file, photo):
    bpy.ops.wm.open_mainfile(filepath=str(users_file))
    bpy.ops.holotalk.open_photo(filepath=str(photo))
    bpy.context.scene.holotalk.size_preset = "PHONE"
    bpy.ops.ed.undo_push(message="before")
    before = dump()
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Generate Hologram")  # what the window does after an operator with UNDO
    built = ours()
    assert built["objects head"] == 1
    bpy.ops.ed.undo()
    assert ours() == {}
    for name, text in dump().items():
        changed = list(difflib.unified_diff(before[name].splitlines(), text.splitlines(), n=0))
        assert changed == [], name
    bpy.ops.ed.redo()
    assert ours() == built
    assert find_hologram() is not None


def test_generating_again_replaces_the_result_and_keeps_what_users_added(hologram):
    before, users = ours(), dump()
    scene = bpy.data.scenes[find_hologram().hologram]
    lamp = bpy.data.objects.new("My lamp", bpy.data.lights.new("My lamp", "POINT"))
    scene.collection.objects.link(lamp)
    former = bpy.data.objects[find_hologram().subject]
    copy = former.copy()
    copy.data = former.data.copy()
    copy.name = "Anna"
    bpy.data.collections[find_hologram().collection].objects.link(copy)
    uid = former.session_uid
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    head = bpy.data.objects[find_hologram().subject]
    assert head.session_uid != uid
    assert head.name == find_hologram().subject
    assert "My lamp" in bpy.data.scenes[find_hologram().hologram].collection.objects
    anna = bpy.data.objects["Anna"]
    assert len(anna.data.shape_keys.key_blocks) == 53
    assert all(m is not None and "Unlit" in m.node_tree.nodes for m in anna.data.materials)
    assert anna.name not in bpy.data.collections[find_hologram().collection].objects
    assert anna.users_collection[0].hide_render
    bpy.data.objects.remove(anna)
    after = {name: text for name, text in dump().items() if name in users}
    assert after == users
    twice = {key for key, count in ours().items() if count > before.get(key, 0)}
    assert twice <= {"meshes mesh", "materials material", "images texture"}, "what the copy still uses"


def test_the_sides_before_and_after_are_shown_and_go_with_the_network(hologram):
    """One picture in the file: above as mirrored and filled, below as painted; none without the network."""

    def kept():
        return [image for image in bpy.data.images if role_of(image) == SIDES_ROLE]

    (image,) = kept()
    assert image == own_sides()
    assert tuple(image.size) == (3 * STACK_SIZE, 2 * STACK_SIZE)
    pixels = image_pixels(image).astype(int)
    above, below = pixels[:STACK_SIZE, :, :3], pixels[STACK_SIZE:, :, :3]
    both = (above.max(axis=2) > 40) & (below.max(axis=2) > 40)
    assert both.mean() > 0.1
    assert 0.5 < np.abs(above - below)[both].mean() < 60
    bpy.data.scenes[find_hologram().hologram].holotalk.complete = "MIRROR"
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    assert kept() == []
    bpy.data.scenes[find_hologram().hologram].holotalk.complete = "CAE"
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    (image,) = kept()
    image.name = "My sides"  # now it is the user's, and says nothing of the next head
    bpy.data.scenes[find_hologram().hologram].holotalk.complete = "MIRROR"
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    assert kept() == [image]
    assert own_sides() is None


def test_a_head_of_another_file_is_the_users(hologram, generated, users_file, photo, tmp_path):
    bpy.ops.wm.open_mainfile(filepath=str(users_file))
    film = bpy.data.collections.new("My film")
    bpy.context.scene.collection.children.link(film)
    with bpy.data.libraries.load(str(generated[0])) as (inside, wanted):
        wanted.objects = [name for name in inside.objects if name.startswith("HoloTalk Head")]
    heads = [obj for obj in wanted.objects if obj.data.shape_keys]
    for obj in heads:
        film.objects.link(obj)
    with bpy.data.libraries.load(str(generated[0]), link=True) as (inside, wanted):
        wanted.collections = [name for name in inside.collections if name.startswith("HoloTalk")]
    assert find_hologram() is None
    bpy.ops.holotalk.open_photo(filepath=str(photo))
    bpy.context.scene.holotalk.engine = "WORKBENCH"
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    assert [obj.name for obj in film.objects] == [obj.name for obj in heads]
    made = bpy.data.objects[find_hologram().subject]
    assert made not in heads
    assert made.library is None
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    assert [obj.name for obj in film.objects] == [obj.name for obj in heads]


def test_generating_again_keeps_what_hangs_on_the_head_and_its_keyframes(hologram):
    head = bpy.data.objects[find_hologram().subject]
    scene = bpy.data.scenes[find_hologram().hologram]
    hat, eye = bpy.data.objects.new("My hat", None), bpy.data.objects.new("My eye", None)
    for obj in (hat, eye):
        scene.collection.objects.link(obj)
    hat.parent = head
    eye.constraints.new("CHILD_OF").target = head
    keys = head.data.shape_keys
    keys.key_blocks["jawOpen"].value = 0.5
    keys.key_blocks["jawOpen"].keyframe_insert("value", frame=3)
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    head = bpy.data.objects[find_hologram().subject]
    assert hat.parent == eye.constraints[0].target == head
    assert [o.name for o in bpy.data.objects if role_of(o) == "head"] == [head.name]
    scene.view_layers[0].update()
    action = head.data.shape_keys.animation_data.action
    assert action is not None
    scene.frame_set(3)
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.5)


def test_an_action_of_the_users_on_the_turntable_stays(hologram):
    turntable = bpy.data.objects[find_hologram().turntable]
    mine = bpy.data.actions.new("My nod")
    turntable.animation_data.action = mine
    turntable.rotation_euler[2] = 1.0
    turntable.keyframe_insert("rotation_euler", frame=5)
    hologram.motion = "SWAY"
    assert bpy.data.actions["My nod"].use_fake_user
    assert turntable.animation_data.action != mine
    assert role_of(mine) is None


def test_the_video_settings_of_the_users_stay(hologram):
    video = bpy.data.scenes[find_hologram().hologram].render.ffmpeg
    video.codec, video.audio_codec = "AV1", "AAC"
    hologram.gap = 0.33
    assert (video.codec, video.audio_codec) == ("AV1", "AAC")


def test_what_was_painted_on_the_head_is_in_the_second_blenders_copy(hologram, second_blender, tmp_path):
    from holotalk_addon.scene.head_object import head_image

    head = bpy.data.objects[find_hologram().subject]
    for painted in (head, *head.children):  # hair too
        image = head_image(painted)
        image.pixels.foreach_set(np.tile(np.float32([1, 0, 0, 1]), image.size[0] * image.size[1]))
        image.update()
        assert image.is_dirty
    hologram.motion = "STILL"
    render = BackgroundRender(tmp_path / "red.png", tmp_path)
    render.begin()
    wait_until(lambda: render.done, "the second Blender ends")
    render.result()
    picture = np.asarray(Image.open(tmp_path / "red.png").convert("RGB")).reshape(-1, 3)
    assert picture[:, 0].max() > 200
    assert picture[:, 1:].max() < 30


def test_a_hologram_of_the_command_line_is_shown_as_it_was_built(addon, tmp_path):
    from stand_in_head import stand_in_head

    hologram_scene.new_file()
    layout = layouts.pyramid_layout(256, 0.3, "down", (300, 400))
    hologram_scene.build_hologram(
        HeadSubject(stand_in_head()), layout, motions.loop_motion("sway", 2, 12), "front", "workbench"
    )
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "plain.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "plain.blend"))
    settings = bpy.data.scenes[find_hologram().hologram].holotalk
    assert (settings.size_preset, settings.size, tuple(settings.frame)) == ("CUSTOM", 256, (300, 400))
    assert (settings.motion, settings.seconds, settings.fps) == ("SWAY", 2.0, 12)
    assert (settings.sides, settings.screen, settings.engine) == ("FRONT", "DOWN", "WORKBENCH")
    settings.gap = 0.25
    found = find_hologram()
    assert found.layout == layouts.pyramid_layout(256, 0.25, "down", (300, 400))
    assert found.motion == motions.loop_motion("sway", 2, 12)


def test_a_change_of_look_keeps_the_head_and_moves_the_rest(hologram):
    found = find_hologram()
    mesh = bpy.data.objects[found.subject].data.session_uid
    lens = bpy.data.objects[found.cameras[0]].data.lens
    hologram.gap = 0.45
    assert find_hologram().layout == layout_of(hologram)
    assert bpy.data.objects[found.cameras[0]].data.lens != lens
    hologram.screen = "DOWN"
    hologram.motion = "SWAY"
    hologram.seconds = 2.0
    assert find_hologram().motion == motions.loop_motion("sway", 2.0, 8)
    hologram.sides = "FRONT"
    assert len(find_hologram().views) == 1
    hologram.sides = "AROUND"
    assert len(find_hologram().views) == 4
    hologram.size = 401
    scene = bpy.data.scenes[find_hologram().hologram]
    assert (scene.render.resolution_x, scene.render.resolution_y) == (400, 400)
    assert scene.frame_end == 16
    hologram.frame = (200, 640)
    hologram.use_frame = True
    assert "frame" in state().error.lower()
    assert find_hologram().layout.frame == (400, 400)
    hologram.frame = (480, 640)
    assert state().error == ""
    assert find_hologram().layout.frame == (480, 640)
    assert bpy.data.objects[find_hologram().subject].data.session_uid == mesh


def test_a_changed_look_renders_like_one_built_so(hologram, tmp_path):
    hologram.gap, hologram.screen, hologram.motion = 0.4, "DOWN", "STILL"
    bpy.ops.holotalk.render_video(filepath=str(tmp_path / "changed.mp4"))
    bpy.ops.holotalk.preview_frame()
    changed = np.asarray(Image.open(bpy.context.window_manager.holotalk.preview).convert("RGB")).astype(int)
    head = read_head(bpy.data.objects[find_hologram().subject])
    from holotalk_addon.scene.render import render_hologram

    hologram_scene.new_file()
    layout = layouts.pyramid_layout(SIZE, 0.4, "down")
    built = hologram_scene.build_hologram(
        HeadSubject(head), layout, motions.loop_motion("still", 1, 8), engine="workbench"
    )
    render_hologram(built, tmp_path / "built.png")
    fresh = np.asarray(Image.open(tmp_path / "built.png").convert("RGB")).astype(int)
    assert changed.max() > 100
    assert np.abs(changed - fresh).max() <= 1


# --- the head -----------------------------------------------------------------------------------------


def test_expressions_gaze_and_the_photos_own(hologram):
    keys = bpy.data.objects[find_hologram().subject].data.shape_keys.key_blocks
    photos = {key.name: key.value for key in keys[1:]}
    bpy.ops.holotalk.expression(preset="SMILE")
    assert keys["mouthSmileLeft"].value == keys["mouthSmileRight"].value > 0.5
    assert keys["browDownLeft"].value == 0
    hologram.gaze = (1.0, -0.5)
    assert keys["eyeLookOutLeft"].value == keys["eyeLookInRight"].value == 1
    assert keys["eyeLookDownLeft"].value == keys["eyeLookDownRight"].value == 0.5
    bpy.ops.holotalk.expression(preset="NEUTRAL")
    assert keys["mouthSmileLeft"].value == 0
    assert keys["eyeLookOutLeft"].value == 1, "a preset leaves the gaze alone"
    bpy.ops.holotalk.expression(preset="PHOTO")
    for key in keys[1:]:
        assert key.value == pytest.approx(photos[key.name], abs=1e-6)


def test_every_preset_and_slider_is_one_of_the_52(hologram):
    names = [key.name for key in bpy.data.objects[find_hologram().subject].data.shape_keys.key_blocks[1:]]
    grouped = [n for start in expressions.GROUPS.values() for n in names if n.startswith(start)]
    assert sorted(grouped) == sorted(names)
    for preset, wanted in expressions.PRESETS.items():
        strengths = expressions.preset_strengths(preset, names)
        assert sum(strength > 0 for strength in strengths) == sum(1 + key.endswith("*") for key in wanted)
    labels = [expressions.label(name) for name in names]
    assert "Smile left" in labels
    assert all(label and label == label.capitalize() for label in labels)


def test_exports_show_the_sliders_as_they_are(hologram, tmp_path):
    bpy.ops.holotalk.expression(preset="NEUTRAL")
    assert bpy.ops.holotalk.export(filepath=str(tmp_path / "calm.obj")) == {"FINISHED"}
    bpy.data.objects[find_hologram().subject].data.shape_keys.key_blocks["jawOpen"].value = 1.0
    bpy.ops.holotalk.export(filepath=str(tmp_path / "open.obj"))
    bpy.ops.holotalk.export(filepath=str(tmp_path / "open.glb"))
    bpy.ops.holotalk.export(filepath=str(tmp_path / "open"), format="PLY")

    def points(name):
        lines = (tmp_path / name).read_text().splitlines()
        return np.array([[float(v) for v in line.split()[1:]] for line in lines if line.startswith("v ")])

    moved = points("calm.obj") - points("open.obj")
    assert 0.01 < moved[:, 1].max() < 0.06
    assert (tmp_path / "open.glb").read_bytes()[:4] == b"glTF"
    assert (tmp_path / "open.ply").read_bytes()[:3] == b"ply"
    # What a format offers is taken where it is that format's, and only there.
    bpy.ops.holotalk.export(filepath=str(tmp_path / "rpm.glb"), shape_names="RPM", eye_bones=True)
    rpm = (tmp_path / "rpm.glb").read_bytes()
    assert b"viseme_PP" in rpm
    assert b"LeftEye" in rpm
    assert b"viseme_PP" not in (tmp_path / "open.glb").read_bytes()
    print_it = {"height_mm": 50.0, "shape_names": "RPM", "eye_bones": True}
    bpy.ops.holotalk.export(filepath=str(tmp_path / "open.stl"), **print_it)
    corners = np.frombuffer((tmp_path / "open.stl").read_bytes()[84:], np.uint8).reshape(-1, 50)[:, 12:48]
    heights = corners.copy().view("<f4").reshape(-1, 3)[:, 2]
    assert np.ptp(heights) == pytest.approx(50.0, abs=0.1)
    with pytest.raises(RuntimeError, match="Save As"):
        bpy.ops.holotalk.export(filepath=str(tmp_path / "open.blend"))


def test_hair_goes_through_the_panel(addon, second_blender, tmp_path):
    from stand_in_head import LEFT_HAIR, RIGHT_HAIR, stand_in_head, stand_in_with_hair

    hologram_scene.new_file()
    layout, motion = layouts.pyramid_layout(256), motions.loop_motion("still", 1, 8)
    hologram_scene.build_hologram(HeadSubject(stand_in_head()), layout, motion, engine="workbench")
    bald = ours()
    hologram_scene.build_hologram(HeadSubject(stand_in_with_hair()), layout, motion, engine="workbench")
    bpy.ops.ed.undo_push(message="with hair")
    assert ours()["objects hair"] == 1
    for kind in ("glb", "obj", "ply"):
        assert bpy.ops.holotalk.export(filepath=str(tmp_path / f"head.{kind}")) == {"FINISHED"}
    assert (tmp_path / "head_hair_texture.png").is_file()
    assert b"HoloTalk Hair Edge" in (tmp_path / "head.glb").read_bytes()
    # A change of look keeps it, and a second Blender draws it.
    settings = bpy.data.scenes[find_hologram().hologram].holotalk
    settings.gap = 0.3
    assert find_hologram().layout.gap == pytest.approx(0.3)
    render = BackgroundRender(tmp_path / "hair.png", tmp_path)
    render.begin()
    wait_until(lambda: render.done, "the second Blender ends")
    render.result()
    picture = np.asarray(Image.open(tmp_path / "hair.png").convert("RGB")).astype(int)
    for colour in (LEFT_HAIR, RIGHT_HAIR):
        assert (np.abs(picture - colour).max(axis=2) < 12).sum() > 500
    hologram_scene.build_hologram(HeadSubject(stand_in_head()), layout, motion, engine="workbench")
    bpy.ops.ed.undo_push(message="without")
    assert ours() == bald
    bpy.ops.ed.undo()
    assert ours()["objects hair"] == 1
    bpy.ops.ed.redo()
    assert ours() == bald


def test_hair_that_the_user_has_made_his_own_goes_through_the_panel(addon, tmp_path):
    from stand_in_head import stand_in_with_hair

    hologram_scene.new_file()
    layout, motion = layouts.pyramid_layout(256), motions.loop_motion("still", 1, 8)
    hologram_scene.build_hologram(HeadSubject(stand_in_with_hair()), layout, motion, engine="workbench")
    hair, collection = bpy.data.objects["HoloTalk Hair"], bpy.data.collections["HoloTalk"]
    locks = bpy.data.collections.new("Locks")
    collection.children.link(locks)
    locks.objects.link(hair)
    collection.objects.unlink(hair)
    assert bpy.ops.holotalk.export(filepath=str(tmp_path / "head.obj")) == {"FINISHED"}
    assert (tmp_path / "head_hair_texture.png").is_file()
    corners = [hair.data.vertices[v].co.copy() for v in hair.data.polygons[0].vertices]
    mesh = bpy.data.meshes.new("With a face of five corners")
    mesh.from_pydata([*corners, corners[0] * 1.01], [], [range(len(corners) + 1)])
    hair.data = mesh
    settings = bpy.data.scenes[find_hologram().hologram].holotalk
    settings.gap = 0.3
    assert state().error == ""
    assert find_hologram().layout.gap == pytest.approx(0.3)
    with pytest.raises(RuntimeError, match="more than four corners"):
        bpy.ops.holotalk.export(filepath=str(tmp_path / "head.obj"))


def test_the_photo_is_spared_by_what_an_obj_brings_along(hologram, tmp_path):
    photo = tmp_path / "my_head_hair_texture.png"
    photo.write_bytes(b"the photo")
    hologram.photo = str(photo)
    with pytest.raises(RuntimeError, match="photo itself"):
        bpy.ops.holotalk.export(filepath=str(tmp_path / "my head.obj"))
    assert photo.read_bytes() == b"the photo"


def test_the_cut_template_has_the_screens_size(hologram, tmp_path):
    hologram.screen_mm = (100.0, 180.0)
    assert bpy.ops.holotalk.save_template(filepath=str(tmp_path / "pyramid")) == {"FINISHED"}
    assert "<svg" in (tmp_path / "pyramid.svg").read_text()
    assert "100" in (tmp_path / "pyramid.svg").read_text()

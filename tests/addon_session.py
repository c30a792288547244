# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of the add-on's operators: it is enabled, on a photo, in a file of somebody's.

A test module that wants them says ``pytest_plugins = ["addon_session"]``.
"""

import stat
import sys
from pathlib import Path

import bpy
import pytest
from addon_parts import SIZE
from blend_dump import dump

import holotalk_addon
from holotalk_addon import assets
from holotalk_addon.scene import hologram_scene
from holotalk_addon.scene.hologram_scene import find_hologram


@pytest.fixture(scope="module")
def addon():
    """The add-on, enabled."""
    holotalk_addon.register()
    yield holotalk_addon
    holotalk_addon.unregister()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A copy of the demo portrait in a folder of its own."""
    path = tmp_path_factory.mktemp("photo") / "portrait.png"
    path.write_bytes(assets.demo_portrait().read_bytes())
    return path


@pytest.fixture(scope="module")
def users_file(addon, tmp_path_factory):
    """A .blend of somebody's: objects, cameras, render settings, a sequencer edit, names like ours."""
    bpy.ops.wm.read_factory_settings()
    scene = bpy.context.scene
    scene.name = "Shot 12"
    scene.render.resolution_x, scene.render.fps, scene.render.filepath = 1234, 30, "//mine_"
    scene.render.engine = "CYCLES"
    scene.frame_start, scene.frame_end = 7, 77
    scene["note"] = "mine"
    for name in ("Hologram", "HoloTalk"):
        bpy.data.scenes.new(name)
    for name in ("HoloTalk Head", "HoloTalk Turntable", "HoloTalk Front"):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
        obj = bpy.data.objects.new(name, mesh)
        obj.location = (1, 2, 3)
        obj.keyframe_insert("location", frame=3)
        scene.collection.objects.link(obj)
        bpy.data.materials.new("HoloTalk Skin")
    collection = bpy.data.collections.new("HoloTalk")
    scene.collection.children.link(collection)
    bpy.data.worlds.new("HoloTalk Black").color = (1, 0, 0)
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_scene(name="Front", scene=bpy.data.scenes["Hologram"], channel=2, frame_start=1)
    path = tmp_path_factory.mktemp("blend") / "mine.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture(scope="module")
def generated(users_file, photo, tmp_path_factory):
    """The user's file with a hologram in it, saved; and the dumps of before and after."""
    bpy.ops.wm.open_mainfile(filepath=str(users_file))
    before = dump()
    assert bpy.ops.holotalk.open_photo(filepath=str(photo)) == {"FINISHED"}
    settings = bpy.context.scene.holotalk
    settings.size_preset, settings.size = "CUSTOM", SIZE
    settings.motion, settings.seconds, settings.fps = "TURNTABLE", 1.0, 8
    settings.engine = "WORKBENCH"
    assert bpy.ops.holotalk.generate() == {"FINISHED"}
    path = tmp_path_factory.mktemp("generated") / "hologram.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path, before, dump()


@pytest.fixture
def hologram(generated):
    """The file with the hologram, just opened; returns the settings."""
    bpy.ops.wm.open_mainfile(filepath=str(generated[0]))
    return bpy.data.scenes[find_hologram().hologram].holotalk


@pytest.fixture
def second_blender(tmp_path):
    """A program that takes Blender's arguments and does what they say with Blender's module: here there is no
    Blender to start. The window's test starts the real one."""
    script = tmp_path / "second_blender.py"
    script.write_text(
        "import sys\nimport bpy\n"
        "arguments = sys.argv[1:]\n"
        "addons = arguments.index('--addons')\n"
        "assert arguments[0] == '--background' and addons in (1, 2)\n"
        "addons == 1 or bpy.ops.wm.open_mainfile(filepath=arguments[1])\n"
        "__import__(arguments[addons + 1]).register()\n"
        "exec(arguments[arguments.index('--python-expr') + 1])\n"
    )
    program = tmp_path / "blender"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{Path(__file__).parents[1]}" exec "{sys.executable}" "{script}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    kept = bpy.app.binary_path
    bpy.app.binary_path = str(program)
    yield program
    bpy.app.binary_path = kept


@pytest.fixture
def empty(addon):
    hologram_scene.new_file()
    return bpy.context.scene.holotalk

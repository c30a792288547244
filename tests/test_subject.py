# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects and performances are seams: a textured cube of a class of its own goes through framing, the four
views, the pictures and the video, and what a performance says is what is seen."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import cv2
import numpy as np
import pytest
from PIL import Image
from stand_in_head import stand_in_head

from holotalk_addon.errors import OptionError
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import FIRST_FRAME, loop_motion
from holotalk_addon.performance.performance import Performance
from holotalk_addon.scene import subject as subjects
from holotalk_addon.scene.axes import to_blender
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, find_hologram, new_file, update_hologram
from holotalk_addon.scene.materials import make_hair_materials, make_image
from holotalk_addon.scene.own import tag
from holotalk_addon.scene.performing import apply_performance, clear_performance, read_performance
from holotalk_addon.scene.render import render_hologram, render_views
from holotalk_addon.scene.render_plan import fast_way_holds

HALF = 0.08
COLOURS = ((220, 40, 40), (40, 200, 60), (60, 80, 230), (220, 200, 40))
"""Of the cube's sides: front, the person's left, back, right."""


@dataclass(frozen=True)
class Cube:
    """A cube whose four upright sides have a colour each."""

    half: float = HALF

    def corners(self):
        x, y, z = np.meshgrid(*[[-self.half, self.half]] * 3, indexing="ij")
        return np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1).astype(np.float32)

    def points(self, performance=None):
        turns = [np.eye(3)] if performance is None else performance.rotations
        return np.concatenate([self.corners() @ turn.T for turn in turns]).astype(np.float32)

    def make(self, collection):
        mesh = bpy.data.meshes.new("Cube")
        sides = [(1, 5, 7, 3), (4, 6, 7, 5), (0, 2, 6, 4), (0, 1, 3, 2)]  # front, left, back, right
        mesh.from_pydata(to_blender(self.corners()).tolist(), [], sides)
        layer = mesh.uv_layers.new(name="UVMap")
        for k, polygon in enumerate(mesh.polygons):
            for loop in polygon.loop_indices:
                layer.data[loop].uv = ((k + 0.5) / 4, 0.5)
        texture = np.full((4, 4, 4), 255, np.uint8)
        texture[..., :3] = np.array(COLOURS)[None]
        image = make_image(texture, "Cube", "cube texture")
        mesh.attributes.new("holotalk_fade", "FLOAT", "POINT").data.foreach_set("value", [1.0] * 8)
        mesh.materials.append(make_hair_materials(image, "Cube", "Cube Edge")[0])
        obj = tag(bpy.data.objects.new("Cube", mesh), "cube")
        collection.objects.link(obj)
        return obj


@pytest.fixture(autouse=True)
def cube_is_a_subject(monkeypatch):
    new_file()
    monkeypatch.setitem(subjects.SUBJECTS, "cube", lambda _obj: Cube())


def turned(*degrees_about_y):
    """A performance of turns, a quarter of a second apart, of a face with one expression."""
    turns = [cv2.Rodrigues(np.array([0.0, np.radians(d), 0.0]))[0] for d in degrees_about_y]
    count = len(turns)
    return Performance(
        ("jawOpen",), np.arange(count) / 4, np.linspace(0, 1, count)[:, None].astype(np.float32),
        np.stack(turns), np.zeros((count, 2), np.float32),
    )  # fmt: skip


def side_shown(picture):
    """Which of the cube's sides fills the middle."""
    h, w = picture.shape[:2]
    middle = picture[h // 2 - 3 : h // 2 + 3, w // 2 - 3 : w // 2 + 3].reshape(-1, 3).mean(axis=0)
    return int(np.argmin([np.abs(middle - colour).sum() for colour in COLOURS]))


def panels(picture, layout):
    """The four panels of a layout, as their viewers see them: front, right, back, left (as placed)."""
    middle = np.array(picture.shape[1::-1]) / 2
    shown = []
    for panel in layout.panels:
        x, y = middle + np.array([panel.centre[0], -panel.centre[1]])
        shown.append(picture[int(y) - 4 : int(y) + 4, int(x) - 4 : int(x) + 4])
    return shown


def test_a_cube_is_viewed_from_all_sides():
    views = render_views(Cube(), [0, 90, 180, -90], 96, "workbench")
    # Turned by +90 degrees its front looks to the picture's right, and its own right side is seen.
    assert [side_shown(view) for view in views] == [0, 3, 2, 1]
    width = (views[0].max(axis=2) > 30).any(axis=0).sum()
    assert 0.5 * 96 < width <= 96


def test_a_cube_turns_in_the_four_panels_and_in_the_video(tmp_path):
    layout = pyramid_layout(160)
    hologram = build_hologram(Cube(), layout, loop_motion("turntable", 1, 4), engine="workbench")
    assert hologram.subject == "Cube"
    assert find_hologram() == hologram
    assert fast_way_holds(hologram)
    render_hologram(hologram, tmp_path / "cube.png")
    shown = panels(np.asarray(Image.open(tmp_path / "cube.png").convert("RGB")), layout)
    assert sorted(side_shown(panel) for panel in shown) == [0, 1, 2, 3]
    render_hologram(hologram, tmp_path / "cube.mp4")
    film = cv2.VideoCapture(str(tmp_path / "cube.mp4"))
    frames = [film.read()[1] for _ in range(4)]
    assert film.read()[0] is False
    fronts = [side_shown(panels(frame[..., ::-1], layout)[0]) for frame in frames]
    assert sorted(fronts) == [0, 1, 2, 3], "each side comes to the front once in the loop"


def test_a_performance_is_seen(tmp_path):
    layout = pyramid_layout(160)
    hologram = build_hologram(
        Cube(), layout, loop_motion("still", 1, 4), engine="workbench", performance=turned(0, 90, 180, 270)
    )
    assert not fast_way_holds(hologram)
    render_hologram(hologram, tmp_path / "cube.mp4")
    film = cv2.VideoCapture(str(tmp_path / "cube.mp4"))
    fronts = [side_shown(panels(film.read()[1][..., ::-1], layout)[0]) for _ in range(4)]
    assert fronts == [0, 3, 2, 1]


def test_there_is_room_for_all_of_a_performance():
    """A cube that stands on its edge on the way is wider than its front."""
    layout, motion = pyramid_layout(160), loop_motion("still", 1, 4)
    still = build_hologram(Cube(), layout, motion, engine="workbench")
    lens = bpy.data.objects[still.cameras[0]].data.lens
    moving = build_hologram(Cube(), layout, motion, engine="workbench", performance=turned(0, 45, 45, 0))
    assert bpy.data.objects[moving.cameras[0]].data.lens < 0.95 * lens
    again = update_hologram(moving, layout, motion, "around", "workbench")
    assert bpy.data.objects[again.cameras[0]].data.lens < 0.95 * lens, "read back from its keys"


def test_a_head_takes_the_place_of_a_cube_and_performs():
    layout, motion = pyramid_layout(160), loop_motion("still", 1, 4)
    build_hologram(Cube(), layout, motion, engine="workbench")
    asked = turned(0, 10, 20, 10)
    hologram = build_hologram(HeadSubject(stand_in_head()), layout, motion, performance=asked)
    assert "Cube" not in bpy.data.objects
    assert find_hologram() == hologram
    found = read_performance(bpy.data.objects[hologram.subject], motion)
    assert found is not None
    np.testing.assert_allclose(found.rotations, asked.rotations, atol=1e-5)
    jaw = found.strengths[:, found.names.index("jawOpen")]
    np.testing.assert_allclose(jaw, asked.strengths[:, 0], atol=1e-6)
    head = bpy.data.objects[hologram.subject]
    scene = bpy.data.scenes[hologram.views[0]]
    scene.frame_set(FIRST_FRAME + 3)
    moved = head.evaluated_get(scene.view_layers[0].depsgraph).data.shape_keys
    assert moved.key_blocks["jawOpen"].value == pytest.approx(1.0)
    clear_performance(head)
    assert read_performance(head, motion) is None
    assert not [action for action in bpy.data.actions if action.get("holotalk_role") == "performance"]


def test_a_new_performance_replaces_the_former_one():
    hologram = build_hologram(
        HeadSubject(stand_in_head()),
        pyramid_layout(160),
        loop_motion("still", 1, 4),
        performance=turned(0, 40),
    )
    head = bpy.data.objects[hologram.subject]
    count = len(bpy.data.actions)
    apply_performance(head, turned(0, -40), 4)
    assert len(bpy.data.actions) == count
    found = read_performance(head, hologram.motion)
    np.testing.assert_allclose(found.rotations[1], turned(0, -40).rotations[1], atol=1e-5)


def test_a_performance_between_its_moments():
    asked = turned(0, 90)
    between = asked.at(np.array([-1.0, 0.125, 9.0]))
    np.testing.assert_allclose(between.rotations[1], turned(45).rotations[0], atol=1e-9)
    np.testing.assert_allclose(between.rotations[[0, 2]], asked.rotations, atol=1e-9)
    np.testing.assert_allclose(between.strengths[:, 0], [0.0, 0.5, 1.0])
    assert asked.seconds == 0.25


def test_gaze_turns_the_eyes():
    asked = turned(0)
    looking = Performance(
        asked.names, asked.times, asked.strengths, asked.rotations, np.array([[15.0, -30.0]])
    )
    names = ("eyeLookOutLeft", "eyeLookInLeft", "eyeLookDownRight", "jawOpen")
    np.testing.assert_allclose(looking.with_gaze(names), [[0.5, 0.0, 1.0, 0.0]])


@pytest.mark.parametrize("change", [{"times": np.zeros(2)}, {"gaze": np.zeros((1, 2))}])
def test_a_performance_that_does_not_fit_together_is_refused(change):
    with pytest.raises(OptionError, match="performance"):
        Performance(**{**vars(turned(0, 90)), **change})


def test_a_short_nod_is_not_overlooked_by_the_framing():
    """It lies between any dozen moments that are taken evenly."""
    times = np.linspace(0.0, 10.0, 241)
    nod = np.where(np.abs(times - 5.1) < 0.2, 35.0, 0.0)
    turns = np.stack([cv2.Rodrigues(np.array([np.radians(d), 0.0, 0.0]))[0] for d in nod])
    count = len(times)
    asked = Performance((), times, np.zeros((count, 0), np.float32), turns, np.zeros((count, 2), np.float32))
    head = HeadSubject(stand_in_head())
    whole = np.concatenate([head.points() @ turn.T for turn in (np.eye(3), turns[np.argmax(nod)])])
    np.testing.assert_allclose(head.points(asked).max(axis=0), whole.max(axis=0), atol=1e-5)
    np.testing.assert_allclose(head.points(asked).min(axis=0), whole.min(axis=0), atol=1e-5)


def test_other_frames_a_second_keep_a_performances_speed():
    layout = pyramid_layout(160)
    hologram = build_hologram(
        Cube(), layout, loop_motion("still", 2, 4), performance=turned(0, 90, 0, -90, 0)
    )
    head = bpy.data.objects[hologram.subject]
    before = read_performance(head, hologram.motion)
    faster = update_hologram(hologram, layout, loop_motion("still", 2, 8), "around", "workbench")
    after = read_performance(head, faster.motion)
    np.testing.assert_allclose(after.rotations[::2], before.rotations, atol=1e-5)


def test_what_a_former_head_performed_goes_with_it_and_what_the_user_keyed_stays():
    layout, motion = pyramid_layout(160), loop_motion("still", 1, 4)
    build_hologram(HeadSubject(stand_in_head()), layout, motion, performance=turned(0, 20))
    hologram = build_hologram(HeadSubject(stand_in_head()), layout, motion)
    head = bpy.data.objects[hologram.subject]
    assert read_performance(head, motion) is None
    key = head.data.shape_keys.key_blocks["jawOpen"]
    key.keyframe_insert("value", frame=1)
    head.keyframe_insert("location", frame=1)
    names = {one.animation_data.action.name for one in (head, head.data.shape_keys)}
    build_hologram(HeadSubject(stand_in_head()), layout, motion, performance=turned(0, 20))
    assert all(bpy.data.actions[name].use_fake_user for name in names), "kept in the file"


def test_a_slider_of_the_users_own_is_left_alone():
    hologram = build_hologram(HeadSubject(stand_in_head()), pyramid_layout(160), loop_motion("still", 1, 4))
    head = bpy.data.objects[hologram.subject]
    head.shape_key_add(name="Big nose", from_mix=False).value = 0.7
    apply_performance(head, turned(0, 20), 4)
    found = read_performance(head, hologram.motion)
    np.testing.assert_allclose(found.strengths[:, found.names.index("Big nose")], 0.7, atol=1e-6)


@pytest.mark.parametrize("mode", ["AXIS_ANGLE", "YXZ"])
def test_a_head_in_another_rotation_mode_is_read(mode):
    hologram = build_hologram(HeadSubject(stand_in_head()), pyramid_layout(160), loop_motion("still", 1, 4))
    head = bpy.data.objects[hologram.subject]
    head.rotation_mode = mode
    head.keyframe_insert("location", frame=1)
    found = read_performance(head, hologram.motion)
    np.testing.assert_allclose(found.rotations, np.eye(3)[None].repeat(4, axis=0), atol=1e-6)


def test_a_turntable_without_its_keys_is_no_error():
    hologram = build_hologram(Cube(), pyramid_layout(160), loop_motion("turntable", 1, 4), engine="workbench")
    bpy.data.objects[hologram.turntable].animation_data_clear()
    assert not fast_way_holds(hologram)
    assert bpy.data.objects[hologram.turntable].animation_data is None

# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline: stages in order, cancelling, and what it refuses before it starts."""

import numpy as np
import pytest

from holotalk_addon import assets, pipeline
from holotalk_addon.errors import FaceError, OptionError, PhotoError
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.report import report

BEFORE_BLENDER = [
    "Reading the photo",
    "Finding the face",
    "Separating the person",
    "Fitting the head",
    "Meeting the outline",
    "Projecting the photo",
    "Growing the hair",
    "Completing the head",
    "Comparing with the photo",
]


class Told:
    """Remembers what it is told; raises at one stage."""

    def __init__(self, stop_at=None, stop_from=0.0):
        self.heard = []
        self.stop_at, self.stop_from = stop_at, stop_from

    def __call__(self, stage, fraction):
        self.heard.append((stage, fraction))
        if stage == self.stop_at and fraction >= self.stop_from:
            raise InterruptedError("enough")


def test_stages_come_in_order_with_their_times(tools):
    told = Told()
    stages = pipeline.Stages(told)
    pipeline.person_from_photo(assets.demo_portrait(), tools, stages, texture_size=256)
    assert [name for name, _ in stages.seconds] == BEFORE_BLENDER
    assert all(seconds >= 0 for _, seconds in stages.seconds)
    assert sum(seconds for _, seconds in stages.seconds) > 0.1
    assert list(dict.fromkeys(name for name, _ in told.heard)) == BEFORE_BLENDER
    for stage in BEFORE_BLENDER:
        fractions = [fraction for name, fraction in told.heard if name == stage]
        assert fractions[0] == 0.0, stage
        assert fractions[-1] == 1.0, stage
        assert fractions == sorted(fractions), stage
        assert max(fractions) <= 1.0
    # The long ones say how far they are in between.
    for stage in ("Finding the face", "Completing the head"):
        assert len({fraction for name, fraction in told.heard if name == stage}) > 3, stage


@pytest.mark.parametrize("stage", BEFORE_BLENDER)
def test_whoever_is_told_may_cancel_any_stage(tools, stage):
    told = Told(stop_at=stage, stop_from=0.01)
    stages = pipeline.Stages(told)
    with pytest.raises(InterruptedError):
        pipeline.person_from_photo(assets.demo_portrait(), tools, stages, texture_size=128)
    assert told.heard[-1][0] == stage  # nothing went on after it


@pytest.mark.parametrize("name", ["hologram.png", "hologram.mp4"])
def test_cancelling_the_rendering_leaves_no_output(demo_person, tmp_path, name):
    output = tmp_path / name
    stages = pipeline.Stages(Told(stop_at="Rendering", stop_from=0.01))
    layout, motion = pyramid_layout(64), loop_motion("turntable", 0.5, 8)
    hologram = pipeline.build_hologram(demo_person.head, layout, motion, "around", "workbench", stages)
    with pytest.raises(InterruptedError):
        pipeline.render_hologram(hologram, output, stages)
    assert list(tmp_path.iterdir()) == []


def test_cancelling_keeps_a_former_output(demo_person, tmp_path):
    output = tmp_path / "hologram.png"
    output.write_bytes(b"the former one")
    stages = pipeline.Stages(Told(stop_at="Rendering", stop_from=0.01))
    hologram = pipeline.build_hologram(
        demo_person.head, pyramid_layout(64), loop_motion("still"), "front", "workbench", stages
    )
    with pytest.raises(InterruptedError):
        pipeline.render_hologram(hologram, output, stages)
    assert output.read_bytes() == b"the former one"
    assert [path.name for path in tmp_path.iterdir()] == ["hologram.png"]


def test_cancelling_the_views_leaves_none(demo_person, tmp_path):
    stages = pipeline.Stages(Told(stop_at="Rendering the views", stop_from=0.01))
    with pytest.raises(InterruptedError):
        pipeline.render_views(demo_person.head, [0.0, 90.0], tmp_path, 64, "workbench", stages)
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_fails_is_not_counted_as_done():
    stages = pipeline.Stages()
    with pytest.raises(ZeroDivisionError), stages.stage("Dividing"):
        _ = 1 / 0
    assert stages.seconds == []


def test_unknown_completions_are_refused_at_once(tools):
    told = Told()
    with pytest.raises(OptionError, match="no completion"):
        pipeline.person_from_photo(assets.demo_portrait(), tools, pipeline.Stages(told), complete="magic")
    assert "Finding the face" not in [stage for stage, _ in told.heard]


def test_no_face_and_no_photo_are_told_apart(tools, tmp_path):
    from PIL import Image

    with pytest.raises(PhotoError):
        pipeline.person_from_photo(tmp_path / "missing.jpg", tools, pipeline.Stages())
    Image.new("RGB", (200, 200), (90, 120, 90)).save(tmp_path / "wall.png")
    with pytest.raises(FaceError, match="No face"):
        pipeline.person_from_photo(tmp_path / "wall.png", tools, pipeline.Stages())


def test_the_second_face_is_another_person(photos, tools):
    path = photos / "group-2.jpg"
    if not path.exists():
        pytest.skip("group-2.jpg is not in HOLOTALK_PHOTOS")
    first, second = (
        pipeline.person_from_photo(path, tools, pipeline.Stages(), number, texture_size=128)
        for number in (1, 2)
    )
    assert len(first.faces) == 3
    assert first.face.box[2] * first.face.box[3] >= second.face.box[2] * second.face.box[3]
    assert np.linalg.norm(first.face.box[:2] - second.face.box[:2]) > 50
    assert not np.array_equal(first.head.vertices, second.head.vertices)
    for number, person in ((1, first), (2, second)):
        told = [warning for warning in person.warnings if "3 faces" in warning]
        assert told, "a word about the others"
        assert str(number) in told[0]


def test_a_warning_is_said_once(photos, tools):
    path = photos / "group-2.jpg"
    if not path.exists():
        pytest.skip("group-2.jpg is not in HOLOTALK_PHOTOS")
    person = pipeline.person_from_photo(path, tools, pipeline.Stages(), texture_size=128)
    assert len([warning for warning in person.warnings if "3 faces" in warning]) == 1


def test_the_texture_has_the_size_that_was_asked_for(demo_person, tools):
    assert demo_person.head.texture.shape == (512, 512, 4)
    assert demo_person.seen.shape == (512, 512)


def test_the_report_can_be_written_as_json(demo_person):
    import json

    stages = pipeline.Stages()
    with stages.stage("Waiting"):
        pass
    found = json.loads(json.dumps(report(demo_person, stages), allow_nan=False))
    assert [stage["name"] for stage in found["stages"]] == ["Waiting"]
    assert found["fit"]["nme_percent"] == pytest.approx(demo_person.fit.nme_percent, abs=1e-3)
    assert found["face"]["yaw"] == pytest.approx(demo_person.face.yaw, abs=0.01)
    assert found["warnings"] == list(demo_person.warnings)
    assert set(found["fit"]["expression"]) <= set(demo_person.head.expression_names)


def test_the_add_on_knows_how_long_each_stage_takes():
    from holotalk_addon.ui.operators_hologram import GENERATE_SHARES

    assert set(BEFORE_BLENDER) <= set(GENERATE_SHARES)
    assert sum(GENERATE_SHARES.values()) == pytest.approx(1.0)

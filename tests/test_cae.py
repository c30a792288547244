# SPDX-License-Identifier: GPL-3.0-or-later
"""The completion ``holotalk`` as the add-on runs it: snapshots of photos, the network in LiteRT, the head."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holotalk_addon import assets, pipeline
from holotalk_addon.cae.completions import KINDS, completion_kind
from holotalk_addon.cae.holotalk import HolotalkNetwork
from holotalk_addon.cae.snapshots import (
    photo_snapshot,
    photo_yaw,
    rounded_yaw,
    template_sides,
    template_snapshot,
)
from holotalk_addon.errors import AssetError
from holotalk_addon.face import rotation_from_angles
from holotalk_addon.head.camera import Camera
from holotalk_addon.head.colours import luminance
from holotalk_addon.head.drawing import draw_head
from holotalk_addon.head.fitting import HeadFit
from holotalk_addon.head.template import template_colours
from holotalk_addon.head.view import level_view
from holotalk_addon.learning.shards import SNAPSHOT_SIDE, SNAPSHOT_YAWS
from holotalk_addon.networks import find_network

ROOT = Path(__file__).resolve().parents[1]


def photographed(model, yaw, roll=0.0, size=400, distance=0.9, focal=700.0, shift=(0.03, -0.02)):
    """A photo of the template person from near by, the person mask, and the true fit."""
    rotation = rotation_from_angles(yaw, 0.0, roll)
    translation = np.array([*shift, -distance])
    camera = Camera(focal, size / 2, size / 2)
    posed = model.mean.astype(np.float64)
    view = dataclasses.replace(
        level_view(0.0, size), camera=camera, rotation=rotation, translation=translation
    )
    drawn = draw_head(model, posed, view)
    light = np.array([0.0, 0.5, 1.0]) / np.linalg.norm([0.0, 0.5, 1.0])
    shade = 0.45 + 0.55 * np.clip(model.normals(view.to_camera(posed)) @ light, 0, 1)
    picture = drawn.field(model, template_colours(model) * shade[:, None])
    fit = HeadFit(
        np.zeros(len(model.identity_basis)), np.zeros(52), rotation, translation, camera, model.mean, 0.0, 0.0
    )
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), drawn.cover(), fit


def difference(a, b):
    """Mean absolute difference of two pictures, 0..1, where either shows something."""
    a, b = a.astype(float) / 255, b.astype(float) / 255
    return np.abs(a - b)[(a > 0.05) | (b > 0.05)].mean()


@pytest.mark.parametrize(("yaw", "roll"), [(0.0, 0.0), (20.0, 0.0), (-30.0, 0.0), (0.0, 25.0), (10.0, -15.0)])
def test_a_photo_is_cut_as_training_pictures_are(tools, yaw, roll):
    """The template photographed anywhere, tilted, and cut out again is its own snapshot, nearly."""
    pixels, person, fit = photographed(tools.model, yaw, roll)
    cut = photo_snapshot(tools.model, fit, pixels, person)
    assert cut.shape == (SNAPSHOT_SIDE, SNAPSHOT_SIDE)
    true = template_snapshot(tools.model, yaw)
    assert difference(cut, true) < 0.08
    # Two pixels to the side, or lower, and it would not fit.
    assert difference(cut, true) < 0.7 * difference(np.roll(cut, 2, axis=1), true)
    assert difference(cut, true) < 0.7 * difference(np.roll(cut, 2, axis=0), true)


def test_large_and_small_photos_give_the_same_snapshot(tools):
    cuts = [
        photo_snapshot(tools.model, fit, pixels, person)
        for pixels, person, fit in (
            photographed(tools.model, 10.0, size=size, focal=1.75 * size) for size in (150, 400, 900)
        )
    ]
    assert difference(cuts[0], cuts[1]) < 0.05
    assert difference(cuts[1], cuts[2]) < 0.02


def test_the_ground_is_black(tools):
    pixels, person, fit = photographed(tools.model, 0.0)
    bright = np.where(person[..., None] > 0.5, pixels, 255).astype(np.uint8)
    cut = photo_snapshot(tools.model, fit, bright, person)
    assert cut[:3].max() == 0
    assert cut[:, :3].max() == 0
    assert cut[-1].max() < 30  # the bust fades out
    assert cut[28:36, 28:36].min() > 40


def test_turns_are_rounded_to_what_the_network_knows():
    assert [rounded_yaw(yaw) for yaw in (0, 4.9, -5.1, 14, -22, 36, 70, -90)] == [
        0,
        0,
        10,
        10,
        20,
        40,
        40,
        40,
    ]


def test_the_template_turns(tools):
    sides = template_sides(tools.model)
    assert sides.shape == (len(SNAPSHOT_YAWS), SNAPSHOT_SIDE, SNAPSHOT_SIDE)
    np.testing.assert_array_equal(sides[0], template_snapshot(tools.model, -90.0))
    # At -90 the nose points to the picture's left: between brows and mouth the outline reaches further there.
    rows = sides[0][30:44] > 10
    left, right = rows.argmax(axis=1).min(), rows[:, ::-1].argmax(axis=1).min()
    assert left < right
    mirrored = template_snapshot(tools.model, 90.0)[:, ::-1]
    assert difference(mirrored, sides[0]) < 0.03


@pytest.fixture(scope="module")
def network():
    return HolotalkNetwork(find_network("holotalk"))


def test_both_sides_are_mirror_images(network, tools):
    pixels, person, fit = photographed(tools.model, 22.0)
    front = photo_snapshot(tools.model, fit, pixels, person)
    sides = network(tools.model, front, 22.0)
    assert sides.turn == 70
    np.testing.assert_array_equal(sides.left, sides.right[:, ::-1])
    # The same person in the mirror.
    other = network(tools.model, np.ascontiguousarray(front[:, ::-1]), -22.0)
    np.testing.assert_allclose(other.left, sides.left, atol=1e-6)


def test_the_trained_network_draws_heads(network, tools):
    """Fed with the template it gives back something like the template."""
    front = template_snapshot(tools.model, 0.0)
    side = template_snapshot(tools.model, -90.0)
    made = network(tools.model, front, 0.0).left
    assert difference((made * 255).astype(np.uint8), side) < 0.15
    assert made[:3].max() < 0.2


def test_fronts_leave_their_mark_on_the_side(network, tools):
    """Another person's front, another side: that is what the autoencoder is for."""
    front = template_snapshot(tools.model, 0.0)
    sides = [network(tools.model, (share * front).astype(np.uint8), 0.0).left for share in (1.0, 0.4)]
    assert np.abs(sides[0] - sides[1]).mean() > 0.005


def test_other_networks_are_refused():
    with pytest.raises(AssetError, match="not HOLOTALK's"):
        HolotalkNetwork(assets.find("face_landmark"))
    with pytest.raises(AssetError):
        HolotalkNetwork(ROOT / "missing.tflite")


@pytest.fixture(scope="module")
def completed(tools):
    """The demo portrait completed by mirroring and by the autoencoder."""
    photo = assets.demo_portrait()
    return [
        pipeline.person_from_photo(photo, tools, pipeline.Stages(), complete=name, texture_size=512)
        for name in ("mirror", "holotalk")
    ]


def test_what_the_photo_shows_stays(completed):
    mirrored, learned = completed
    seen = learned.seen > 0.999
    assert seen.mean() > 0.03
    np.testing.assert_array_equal(learned.head.texture[seen], mirrored.head.texture[seen])
    np.testing.assert_array_equal(learned.head.texture[..., 3], mirrored.head.texture[..., 3])


def test_the_sides_have_the_networks_brightness(completed, tools):
    """The head seen from its side is as bright as the picture, where the photo did not see it."""
    _, learned = completed
    by_name = {picture.name: picture.pixels for picture in learned.pictures}
    turn = 90 - rounded_yaw(photo_yaw(learned.fit))
    for name, yaw in (("left", -turn), ("right", turn)):
        drawn = draw_head(tools.model, learned.fit.posed(tools.model), level_view(yaw, SNAPSHOT_SIDE))
        shown = luminance(drawn.texture(tools.model, learned.head.texture[..., :3] / 255.0))
        seen = drawn.texture(tools.model, learned.seen[..., None])[..., 0]
        picture = by_name[name] / 255.0
        fade = drawn.field(tools.model, tools.model.fade[:, None])[..., 0]
        there = (drawn.cover() > 0.99) & (seen < 0.05) & (picture > 0.15) & (fade > 0.99)
        assert there.sum() > 100
        assert np.median(np.abs(shown - picture)[there]) < 0.04


def test_its_pictures_come_along(completed):
    mirrored, learned = completed
    assert mirrored.pictures == ()
    assert tuple(picture.name for picture in learned.pictures) == completion_kind("holotalk").pictures
    for picture in learned.pictures:
        assert picture.pixels.shape == (SNAPSHOT_SIDE, SNAPSHOT_SIDE)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.std() > 15


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.pictures], ids=lambda kind: kind.name)
def test_the_command_writes_the_pictures_that_a_completion_draws(kind, cli, tmp_path):
    done = cli(
        "views", assets.demo_portrait(), "-o", tmp_path / "views", "--yaw", "-90", "--size", "64",
        "--complete", kind.name, "--engine", "workbench", "--pictures", tmp_path / "pictures",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "views").iterdir()] == ["view_-90.png"]
    paths = [tmp_path / "pictures" / f"{name}.png" for name in kind.pictures]
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)
    assert done.stdout.split("\n")[1:-1] == [str(path) for path in paths]
    shown = {path.stem: np.asarray(Image.open(path)) for path in paths}
    assert all(picture.std() > 15 for picture in shown.values())
    if kind.name == "holotalk":
        np.testing.assert_array_equal(shown["left"], shown["right"][:, ::-1])


def test_no_pictures_are_written_that_nobody_asked_for(cli, tmp_path):
    done = cli(
        "views", assets.demo_portrait(), "-o", tmp_path / "views", "--yaw", "-90", "--size", "64",
        "--complete", "cae", "--engine", "workbench",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "views").iterdir()] == ["view_-90.png"]


def test_a_completion_that_draws_no_pictures_says_so(cli, tmp_path):
    done = cli(
        "views",
        assets.demo_portrait(),
        "-o",
        tmp_path / "views",
        "--complete",
        "mirror",
        "--pictures",
        tmp_path,
    )
    assert done.returncode == 2
    assert "The completion mirror draws no pictures" in done.stderr
    assert not (tmp_path / "views").exists()


def test_the_photo_is_spared(cli, tmp_path):
    photo = tmp_path / "left.png"
    photo.write_bytes(assets.demo_portrait().read_bytes())
    done = cli("views", photo, "-o", tmp_path / "views", "--complete", "holotalk", "--pictures", tmp_path)
    assert done.returncode == 2
    assert "is the photo itself" in done.stderr
    assert photo.read_bytes() == assets.demo_portrait().read_bytes()


def test_a_completion_is_one_entry(cli, monkeypatch, tmp_path, capsys):
    """Whoever adds one finds it in the command line, in the panel's choices and in the measures."""
    from holotalk_addon import arguments
    from holotalk_addon import cli as command_line
    from holotalk_addon.cae import completions
    from holotalk_addon.head.fill import mirror_and_fill

    asked = []

    def make(weights):
        asked.append(weights)
        return mirror_and_fill

    dummy = completions.CompletionKind(
        "dummy", "Dummy", "nothing new", lambda w: asked.append(w) or mirror_and_fill
    )
    for module in (completions, arguments, command_line):
        monkeypatch.setattr(module, "KINDS", (*KINDS, dummy))
    assert pipeline.completion("dummy") is mirror_and_fill
    assert asked == [None]
    assert pipeline.check_completion("dummy") is dummy
    assert (
        arguments.parser().parse_args(["views", "a.jpg", "-o", "b", "--complete", "dummy"]).complete
        == "dummy"
    )
    with pytest.raises(SystemExit):
        arguments.parser().parse_args(["views", "--help"])
    assert "dummy: nothing new" in " ".join(capsys.readouterr().out.split())


def test_inference_needs_no_keras_and_no_blender():
    code = (
        "import sys\n"
        "import holotalk_addon.cae.holotalk\n"
        "import holotalk_addon.learning.judging, holotalk_addon.learning.shards\n"
        "print([name for name in ('keras', 'tensorflow', 'bpy', 'dlib') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr

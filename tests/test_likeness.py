# SPDX-License-Identifier: GPL-3.0-or-later
"""Would somebody who knows the person know the head? By dlib's face descriptor, whose own tests follow."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from holotalk_addon import assets
from holotalk_addon.errors import AssetError
from holotalk_addon.face import (
    FaceDescriptor,
    FaceModels,
    descriptor_distance,
    find_faces,
    photo_from_pixels,
    read_photo,
)


@pytest.fixture(scope="module")
def distances(evaluate, tools, demo_person):
    """Descriptor distance between the demo portrait and its views, by yaw."""
    describe = tools.faces.descriptor
    views = evaluate.render_person(demo_person, (0.0, -30.0, 30.0))
    truth = describe(demo_person.photo.pixels, demo_person.face.landmarks68)
    return {
        yaw: descriptor_distance(
            truth, describe(view, evaluate.view_landmarks(demo_person, tools.model, yaw))
        )
        for yaw, view in views.items()
    }


def test_the_front_view_is_the_person(distances):
    # dlib calls below 0.6 the same person; the same face cut out on black measures 0.14.
    assert distances[0.0] < 0.36


def test_turned_views_are_the_person(distances):
    assert max(distances[-30.0], distances[30.0]) < 0.52


def test_somebody_else_is_not(evaluate, tools, demo_person, photos):
    """The measure tells people apart: another person's photo is far from this head."""
    path = photos / "carell.jpg"
    if not path.exists():
        pytest.skip("carell.jpg is not in HOLOTALK_PHOTOS")
    photo = read_photo(path)
    face = find_faces(photo, tools.faces)[0]
    describe = tools.faces.descriptor
    view = evaluate.render_person(demo_person, (0.0,))[0.0]
    other = describe(photo.pixels, face.landmarks68)
    ours = describe(view, evaluate.view_landmarks(demo_person, tools.model, 0.0))
    assert descriptor_distance(other, ours) > 0.6


def test_rendered_people_are_fitted_nearer_than_the_mean(evaluate, tools):
    table = evaluate.geometry_table(tools, 12)
    mean_head, fitted = table[:, 0], table[:, 1]
    assert fitted.mean() < 0.85 * mean_head.mean()
    assert (fitted < mean_head).mean() >= 0.8


# --- the descriptor ---------------------------------------------------------------------------------


def test_one_person_is_near_however_large_bright_or_mirrored(tools, demo_person):
    describe = tools.faces.descriptor
    pixels, points = demo_person.photo.pixels, demo_person.face.landmarks68
    truth = describe(pixels, points)
    assert truth.shape == (128,)
    small = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    dark = (pixels * 0.6).astype(np.uint8)
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    (there,) = find_faces(photo_from_pixels(mirrored), tools.faces)
    others = np.stack(
        [describe(small, points / 2), describe(dark, points), describe(mirrored, there.landmarks68)]
    )
    # Measured: 0.22, 0.11 and 0.19; two people of HOLOTALK_PHOTOS are 0.83 apart, in the median.
    assert descriptor_distance(truth, others).max() < 0.35
    assert descriptor_distance(truth, others).shape == (3,)


def test_the_descriptor_is_read_whatever_its_folder_is_called(tools, demo_person, tmp_path, monkeypatch):
    folder = tmp_path / "Jürgen 写真"
    folder.mkdir()
    (folder / "net.dat").symlink_to(assets.find("face_descriptor"))
    monkeypatch.chdir(tmp_path)
    face = demo_person.photo.pixels, demo_person.face.landmarks68
    assert np.array_equal(FaceDescriptor(folder / "net.dat")(*face), tools.faces.descriptor(*face))
    assert Path.cwd() == tmp_path


def test_loading_the_networks_does_not_read_the_descriptor(tools, demo_person, tmp_path):
    def find(key):
        return tmp_path / "gone.dat" if key == "face_descriptor" else assets.find(key)

    models = FaceModels.load(find)
    with pytest.raises(AssetError, match=r"gone\.dat cannot be loaded"):
        models.descriptor(demo_person.photo.pixels, demo_person.face.landmarks68)


@pytest.mark.parametrize("damage", ["empty", "another file", "cut off"])
def test_a_damaged_descriptor_is_an_asset_error(demo_person, tmp_path, damage):
    with assets.find("face_descriptor").open("rb") as stream:
        start = stream.read(1_000_000)
    path = tmp_path / "net.dat"
    path.write_bytes({"empty": b"", "another file": b"no network" * 1000, "cut off": start}[damage])
    with pytest.raises(AssetError, match=r"net\.dat cannot be loaded"):
        FaceDescriptor(path)(demo_person.photo.pixels, demo_person.face.landmarks68)

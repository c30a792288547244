# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads that do not look like their photos are told, and no others: some broken on purpose, and good ones."""

from dataclasses import replace

import numpy as np
import pytest
from faces import case_path, photo_path

from holotalk_addon import assets, pipeline
from holotalk_addon.face import photo_from_pixels, read_photo
from holotalk_addon.report import report

UNLIKE = "does not look like the photo"


def told(person):
    return [warning for warning in person.warnings if UNLIKE in warning]


def head_of(photo, tools):
    return pipeline.person_from_pixels(photo, tools, pipeline.Stages(), 1, "mirror", 512)


def test_a_good_head_passes(demo_person):
    check = demo_person.check
    assert not told(demo_person)
    assert check.distance < 0.3
    assert check.seen > 0.8
    assert check.landmarks < 3.0
    inner = slice(80, 176), slice(80, 176)  # two pixels off would be 11
    assert np.abs(check.picture.astype(float) - check.photo)[inner].mean() < 7


def test_the_report_has_the_figures(demo_person):
    figures = report(demo_person, pipeline.Stages())["check"]
    assert figures == {
        "distance": round(demo_person.check.distance, 3),
        "seen": round(demo_person.check.seen, 3),
        "landmarks_percent": round(demo_person.check.landmarks, 2),
    }


def test_a_face_of_which_little_is_seen_is_told(tools, monkeypatch):
    """As if the person mask had holes where the face is: the rest of the head is invented."""
    import holotalk_addon.face as face_room
    from holotalk_addon.face.mask import person_mask

    def holed(photo, parsing, mesh, covered=False):
        mask = person_mask(photo, parsing, mesh, covered)
        top, bottom = (int(y) for y in (mesh[10, 1], mesh[152, 1]))
        mask[(top + bottom) // 2 - 12 : bottom] = 0.0
        mask[: top + 30] = 0.0
        return mask

    monkeypatch.setattr(face_room, "person_mask", holed, raising=False)
    person = head_of(read_photo(assets.demo_portrait()), tools)
    (sentence,) = told(person)
    assert "could be taken from it" in sentence
    assert person.check.seen < 0.5


@pytest.mark.parametrize("away", [(0.3, 0.0), (0.0, -0.3), (-0.2, 0.2)])
def test_landmarks_beside_the_face_are_told(tools, monkeypatch, away):
    """As if the face had been found where it is not."""
    find = pipeline.take_face

    def beside(*arguments, **options):
        taken = find(*arguments, **options)
        face = taken.face
        shift = np.multiply(away, face.box[3])
        moved = replace(
            face,
            mesh=face.mesh + np.append(shift, 0.0),
            landmarks68=face.landmarks68 + shift,
            iris=face.iris + shift,
            eye_contour=face.eye_contour + shift,
        )
        return replace(taken, faces=(moved,), face=moved)

    monkeypatch.setattr(pipeline, "take_face", beside)
    assert told(head_of(read_photo(assets.demo_portrait()), tools))


def test_no_dog_gets_a_human_head_in_silence(tools):
    person = head_of(read_photo(case_path("13_dog.jpg")), tools)
    assert told(person)


@pytest.mark.parametrize(
    "name", ["justin.png", "sample_3.jpg", "stock-emotions-a-5.jpg", "takeo.ppm", "carell.jpg"]
)
def test_portraits_pass(tools, name):
    assert not told(head_of(read_photo(photo_path(name)), tools))


def test_a_small_face_passes(tools):
    """A face of 47 pixels is coarse, and told so, but it is the person."""
    import cv2

    pixels = cv2.resize(
        read_photo(assets.demo_portrait()).pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
    )
    person = head_of(photo_from_pixels(np.ascontiguousarray(pixels)), tools)
    assert not told(person)
    assert any("pixels wide" in warning for warning in person.warnings)

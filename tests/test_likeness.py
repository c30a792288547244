# SPDX-License-Identifier: GPL-3.0-or-later
"""Would somebody who knows the person know the head? By dlib's face descriptor, as the benchmark does."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def distances(evaluate, tools, demo_person):
    """Descriptor distance between the demo portrait and its views, by yaw."""
    describe = evaluate.Descriptor()
    views = evaluate.render_person(demo_person, (0.0, -30.0, 30.0))
    truth = describe(demo_person.photo.pixels, demo_person.face.landmarks68)
    return {
        yaw: np.linalg.norm(truth - describe(view, evaluate.view_landmarks(demo_person, tools.model, yaw)))
        for yaw, view in views.items()
    }


def test_the_front_view_is_the_person(distances):
    # dlib calls below 0.6 the same person; the same face cut out on black measures 0.14.
    assert distances[0.0] < 0.36


def test_turned_views_are_the_person(distances):
    assert max(distances[-30.0], distances[30.0]) < 0.52


def test_somebody_else_is_not(evaluate, tools, demo_person, photos):
    """The measure tells people apart: another person's photo is far from this head."""
    from holotalk_addon.face import find_faces, read_photo

    path = photos / "carell.jpg"
    if not path.exists():
        pytest.skip("carell.jpg is not in HOLOTALK_PHOTOS")
    photo = read_photo(path)
    face = find_faces(photo, tools.faces)[0]
    describe = evaluate.Descriptor()
    view = evaluate.render_person(demo_person, (0.0,))[0.0]
    other = describe(photo.pixels, face.landmarks68)
    ours = describe(view, evaluate.view_landmarks(demo_person, tools.model, 0.0))
    assert np.linalg.norm(other - ours) > 0.6


def test_rendered_people_are_fitted_nearer_than_the_mean(evaluate, tools):
    table = evaluate.geometry_table(tools, 12)
    mean_head, fitted = table[:, 0], table[:, 1]
    assert fitted.mean() < 0.85 * mean_head.mean()
    assert (fitted < mean_head).mean() >= 0.8

# SPDX-License-Identifier: GPL-3.0-or-later
"""The head behind the face meets the person's outline: ears, neck and cranium move, the face stays."""

from dataclasses import replace

import numpy as np
import pytest

from holotalk_addon.head.head import PARTS

SIDE = 480
SKIN, HAIR, GROUND = (205, 160, 140), (60, 45, 40), (90, 110, 130)


def person_like(model, seed):
    """A random person's identity, and the likeliest one for their landmarks: (K,) each."""
    truth = np.random.default_rng(seed).normal(size=len(model.identity_basis))
    points = np.stack([model.landmarks(component)[:, :2] for component in model.identity_basis])
    flat = points.reshape(len(truth), -1)
    told = 0.1 * flat @ flat.T / 0.003**2
    return truth, np.linalg.solve(told + np.eye(len(truth)), told @ truth)


def fit_of(model, identity):
    from holotalk_addon.face import rotation_from_angles
    from holotalk_addon.head.camera import Camera
    from holotalk_addon.head.fitting import HeadFit

    return HeadFit(
        identity=identity,
        expression=np.zeros(len(model.expression_basis)),
        rotation=rotation_from_angles(8.0, 0.0, 0.0),
        translation=np.array([0.0, 0.02, -0.7]),
        camera=Camera.of_picture(SIDE, SIDE, 1.8 * SIDE),
        vertices=model.vertices(identity),
        nme_percent=0.0,
        residual_nme_percent=0.0,
    )


def drawn(model, fit):
    """(SIDE, SIDE) the triangle that each pixel shows, or -1."""
    from holotalk_addon.head.raster import rasterize

    at = fit.to_camera(fit.posed(model))[model.triangles]
    return rasterize(fit.camera.project(at), -at[..., 2], SIDE, SIDE).triangle


def photograph(model, fit, haired=False):
    """A plain photo of this head and its mask: skin all over, or hair everywhere but in the face."""
    found = drawn(model, fit)
    covered = haired & (model.region("face") < 0.9)[model.triangles].any(axis=1)
    colour = np.where(covered[:, None], HAIR, SKIN)
    pixels = np.where((found >= 0)[..., None], colour[np.maximum(found, 0)], GROUND)
    return pixels.astype(np.uint8), (found >= 0).astype(np.float32)


def off(model, fit, truth, name):
    """Mean distance in mm of a region's vertices in the photo's plane, at the head."""
    chosen = (model.region(name) > 0.5) & (model.fade > 0.95)
    shown, true = (
        f.camera.project(f.to_camera(f.posed(model)))[chosen] * 0.7 / f.camera.focal for f in (fit, truth)
    )
    return 1000.0 * np.linalg.norm(shown - true, axis=1).mean()


def landmarks(model, fit):
    return fit.camera.project(fit.to_camera(model.landmarks(fit.posed(model))))


@pytest.mark.parametrize("seed", [2, 4, 6])
def test_the_head_comes_nearer_and_the_face_stays(tools, seed):
    from holotalk_addon.head.outline import meet_outline

    model = tools.model
    truth, alike = (fit_of(model, identity) for identity in person_like(model, seed))
    found = meet_outline(model, alike, *photograph(model, truth))
    before, after = (
        sum(off(model, fit, truth, name) for name in ("ears", "neck", "scalp")) for fit in (alike, found)
    )
    assert before > 5.0, "there is something to correct"
    assert after < 0.8 * before
    moved = np.linalg.norm(landmarks(model, found) - landmarks(model, alike), axis=1)
    assert np.median(moved) < 0.05, "pixels: the face stays where the landmarks have put it"
    assert moved.mean() < 0.2, "but for the points before the ears"
    inside = model.vertex_parts != PARTS.index("skin")
    assert np.array_equal(found.vertices[inside], model.vertices(found.identity)[inside]), "eyes stay round"
    shown, known = (fit.camera.project(fit.to_camera(model.poles(fit.vertices))) for fit in (found, alike))
    assert np.linalg.norm(shown - known, axis=1).max() < 1.0, "and between their lids"


def test_the_same_photo_gives_the_same_head(tools):
    from holotalk_addon.head.outline import meet_outline

    truth, alike = (fit_of(tools.model, identity) for identity in person_like(tools.model, 4))
    pixels, person = photograph(tools.model, truth)
    one, other = (meet_outline(tools.model, alike, pixels, person) for _ in range(2))
    assert np.array_equal(one.vertices, other.vertices)
    assert np.array_equal(one.rotation, other.rotation)


def test_hair_beyond_the_head_moves_nothing(tools):
    """Long hair tells nothing of the head under it."""
    from holotalk_addon.head.outline import meet_outline

    model = tools.model
    fit = fit_of(model, np.zeros(len(model.identity_basis)))
    wider = replace(fit, vertices=(fit.vertices + 0.008 * model.normals(fit.vertices)).astype(np.float32))
    assert meet_outline(model, fit, *photograph(model, wider, haired=True)) is fit


@pytest.mark.parametrize("seed", [3, 5])
def test_the_head_draws_in_where_it_stands_out_of_the_person(tools, seed):
    """Whatever covers a head, the outline is outside it."""
    from holotalk_addon.head.outline import meet_outline

    model = tools.model
    truth, alike = (fit_of(model, identity) for identity in person_like(model, seed))
    pixels, person = photograph(model, truth, haired=True)
    found = meet_outline(model, alike, pixels, person)
    before, after = (((drawn(model, fit) >= 0) & (person == 0)).sum() for fit in (alike, found))
    assert before > 400, "there is something to correct"
    assert after < 0.75 * before


def test_a_hole_in_the_mask_is_no_outline(tools):
    from holotalk_addon.head.outline import meet_outline

    model = tools.model
    fit = fit_of(model, np.zeros(len(model.identity_basis)))
    pixels, person = photograph(model, fit)
    ear = (model.region("ears") > 0.5) & (model.mean[:, 0] > 0)
    x, y = fit.camera.project(fit.to_camera(fit.vertices))[ear].mean(axis=0).astype(int)
    holed = person.copy()
    holed[y - 12 : y + 12, x - 8 : x - 3] = 0.0
    whole, other = (meet_outline(model, fit, pixels, mask) for mask in (person, holed))
    assert np.linalg.norm(whole.vertices - other.vertices, axis=1).max() < 0.002


def test_beyond_the_edge_of_the_photo_nothing_is_known(tools):
    """A portrait cut at the crown: the photo's border is no outline."""
    from holotalk_addon.head.outline import meet_outline

    model = tools.model
    truth, alike = (fit_of(model, identity) for identity in person_like(model, 5))
    pixels, person = photograph(model, truth)
    rows = np.flatnonzero(person.any(axis=1))
    top = int(rows[0] + 0.2 * len(rows))
    shifted = replace(alike.camera, centre_y=alike.camera.centre_y - top)
    found = meet_outline(model, replace(alike, camera=shifted), pixels[top:], person[top:])
    crown = (model.region("scalp") > 0.5) & (model.mean[:, 1] > 0.09)
    height = [fit.vertices[crown, 1].max() for fit in (alike, found)]
    assert abs(height[1] - height[0]) < 0.004


def test_the_demo_portrait_keeps_its_face(tools, demo_person):
    """Its landmarks stay as near as the fit had brought them."""
    face, fit = demo_person.face, demo_person.fit
    points = landmarks(tools.model, fit)
    eyes = np.linalg.norm(face.mesh[33, :2] - face.mesh[263, :2])
    nme = 100.0 * np.linalg.norm(points - face.mesh[:, :2], axis=1).mean() / eyes
    assert nme < fit.residual_nme_percent + 0.05

# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pixel around a face shows: the trained network on the demo portrait and on real photos."""

import dataclasses

import cv2
import numpy as np
import pytest
from faces import faces, models, network, parsing, photo

from holotalk_addon.errors import AssetError
from holotalk_addon.face import find_faces, person_mask, photo_from_pixels
from holotalk_addon.face.networks import Network
from holotalk_addon.face.parsing import (
    CHANNELS,
    CLASSES,
    PERSON,
    SIDE,
    ParsingNetwork,
    Square,
    cut_hair,
    hidden_share,
    network_input,
    parsing_warnings,
)
from holotalk_addon.networks import find_network

PLAIN = ("astronaut", "carell.jpg", "connelly.jpg", "sample_3.jpg", "takeo.ppm", "plain_man2.jpg")
GREY = (
    *PLAIN,
    *("lawrence.jpg", "justin.png", "sample_2.jpg", "sample_4.jpg", "plain_woman1.jpg"),
    *(f"stock-emotions-a-{k}.jpg" for k in range(2, 9)),
)


def at(found, points, *names):
    """How surely (N, 2) pixels of the photo show one of these classes."""
    corners = np.asarray(points, dtype=float)
    share = found.share(*names)
    return np.array([found.read(share, corner - 0.5, 1.0, (1, 1))[0, 0] for corner in corners])


def face_inside(mesh, shape):
    """(H, W) within the face's outline, 3 % of its height from it."""
    hull = cv2.convexHull(mesh[:, :2].astype(np.float32)).astype(int)
    inside = cv2.fillConvexPoly(np.zeros(shape, np.uint8), hull, 1)
    reach = 2 * max(1, round(0.03 * np.ptp(mesh[:, 1]))) + 1
    return cv2.erode(inside, np.ones((reach, reach), np.uint8), borderValue=0) > 0


def moved(mesh, left, top):
    """The mesh in a cut of the photo that begins there."""
    return mesh - np.array([left, top, 0.0])


def told(found):
    return found.probability.argmax(axis=-1)


@pytest.mark.parametrize("name", PLAIN)
def test_a_face_is_skin(name):
    picture, face, found = photo(name), faces(name)[0], parsing(name)
    tall, across = np.ptp(face.mesh[:, 1]), np.ptp(face.mesh[:, 0])
    cheeks, brow, nose = face.mesh[[50, 280], :2], face.mesh[[151], :2], face.mesh[[4], :2]
    assert at(found, [*cheeks, *brow, *nose], "skin").min() > 0.8
    inside = face_inside(face.mesh, picture.pixels.shape[:2])
    mask = person_mask(picture, found, face.mesh)
    assert (mask[inside] > 0.5).mean() > 0.95
    x, _, wide, _ = face.box
    beside = np.array([[x - 0.6 * wide, face.mesh[10, 1]], [x + 1.6 * wide, face.mesh[10, 1]]])
    beside = beside[(beside[:, 0] > 0) & (beside[:, 0] < picture.width)]
    assert not len(beside) or at(found, beside, *PERSON).max() < 0.2, "beside the head"
    assert found.square.side == pytest.approx(2.6 * max(tall, across))
    np.testing.assert_allclose(found.probability.sum(axis=-1), 1.0, atol=1e-4)


@pytest.mark.parametrize("name", ["astronaut", "connelly.jpg", "carell.jpg"])
def test_hair_is_hair(name):
    face, found = faces(name)[0], parsing(name)
    tall = np.ptp(face.mesh[:, 1])
    up = (face.mesh[10, :2] - face.mesh[152, :2]) / np.linalg.norm(face.mesh[10, :2] - face.mesh[152, :2])
    above = face.mesh[10, :2] + 0.15 * tall * up
    assert at(found, [above], "hair", "headwear")[0] > 0.8
    assert at(found, [above], "hair")[0] > 0.5
    over, below = face.mesh[10, :2] + 0.6 * tall * up, face.mesh[152, :2] - 0.5 * tall * up
    if over[1] > 0:
        assert at(found, [over], "ground")[0] > 0.8
    assert at(found, [below], "clothes", "skin", "hair")[0] > 0.8


@pytest.mark.parametrize(
    ("name", "number", "points"),
    [
        ("06_cuddled_child.jpg", 0, [(20, 90), (40, 110), (50, 130), (20, 140)]),
        ("07_smiling_couple.jpg", 0, [(250, 190), (365, 352), (435, 190), (420, 220), (350, 342)]),
        ("07_smiling_couple.jpg", 1, [(360, 240), (395, 200), (540, 260), (545, 335)]),
        ("10_arms_round_the_neck.jpg", 0, [(360, 280), (385, 320), (345, 190), (165, 430)]),
        ("10_arms_round_the_neck.jpg", 1, [(230, 290), (260, 320), (300, 300), (260, 400)]),
    ],
    ids=["father's hair", "boy and wife", "husband and girl", "woman behind him", "man before her"],
)
def test_others_at_the_face_are_not_this_person(name, number, points):
    """Their hair, faces, hands and sleeves."""
    picture, face, found = photo(name), faces(name)[number], parsing(name, number)
    assert at(found, points, "skin", "hair", "beard").max() < 0.5
    mask = person_mask(picture, found, face.mesh)
    # Hands on the chest count as clothes: the neck fades out above them.
    assert max(mask[y, x] for x, y in points if y < face.mesh[152, 1]) < 0.5
    x, y = face.mesh[4, :2].astype(int)
    assert mask[y, x] > 0.9


def test_a_mask_lies_before_the_face():
    picture, face, found = photo("09_mask.jpg"), faces("09_mask.jpg")[0], parsing("09_mask.jpg")
    lips_and_cheeks = face.mesh[[0, 17, 50, 280, 199], :2]
    assert at(found, lips_and_cheeks, "cover").min() > 0.8
    assert at(found, face.mesh[[151], :2], "skin")[0] > 0.8
    assert 0.3 < hidden_share(found, face.mesh) < 0.7
    inside = face_inside(face.mesh, picture.pixels.shape[:2])
    worn, held = (person_mask(picture, found, face.mesh, covered) for covered in (True, False))
    assert (worn[inside] > 0.5).mean() > 0.95, "it belongs to them"
    assert (held[inside] > 0.5).mean() < 0.7


@pytest.mark.slow
def test_a_tight_grey_face_is_the_person():
    """Of the old mask, 38 of 42 such files kept less than 90 % of the face."""
    covers = []
    picture, face = photo("01_grey_tight.png"), faces("01_grey_tight.png")[0]
    mask = person_mask(picture, parsing("01_grey_tight.png"), face.mesh)
    covers.append((mask[face_inside(face.mesh, mask.shape)] > 0.5).mean())
    for name in GREY:
        face, pixels = faces(name)[0], photo(name).pixels
        grey = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        low, high = face.mesh[:, :2].min(axis=0), face.mesh[:, :2].max(axis=0)
        for factor in (1.05, 1.2):
            half = 0.5 * factor * (high - low).max()
            left, top = np.maximum(((low + high) / 2 - half).astype(int), 0)
            right, bottom = ((low + high) / 2 + half).astype(int)
            cut = photo_from_pixels(np.ascontiguousarray(grey[top:bottom, left:right]))
            mesh = moved(face.mesh, left, top)
            mask = person_mask(cut, network()(cut.pixels, mesh), mesh)
            covers.append((mask[face_inside(mesh, mask.shape)] > 0.5).mean())
    assert covers[0] > 0.95
    assert (np.array(covers) >= 0.95).mean() >= 0.95


@pytest.mark.parametrize("edge", ["left", "top", "bottom"])
def test_an_edge_changes_nothing_far_from_it(edge):
    """The photo cut off at an ear, at the hairline, at the chin."""
    face, pixels, whole = faces("astronaut")[0], photo("astronaut").pixels, parsing("astronaut")
    x, y, wide, tall = face.box
    left, top, bottom = int(x - 0.05 * wide), int(y - 0.05 * tall), int(y + 1.1 * tall)
    cut = {
        "left": (left, 0, len(pixels)),
        "top": (0, top, len(pixels)),
        "bottom": (0, 0, bottom),
    }[edge]
    part = np.ascontiguousarray(pixels[cut[1] : cut[2], cut[0] :])
    found = network()(part, moved(face.mesh, *cut[:2]))
    far = cv2.erode(found.inside.astype(np.uint8), np.ones((3, 3)), iterations=20, borderValue=1) > 0
    assert 0.2 < far.mean() < 0.95
    own, before = (np.isin(told(p), [CLASSES.index(name) for name in PERSON]) for p in (found, whole))
    assert (own == before)[far].mean() > 0.97


@pytest.mark.parametrize("name", ["astronaut", "connelly.jpg"])
def test_a_mirrored_photo_is_parsed_the_same(name):
    face, pixels = faces(name)[0], photo(name).pixels
    mesh = face.mesh.copy()
    mesh[:, 0] = pixels.shape[1] - mesh[:, 0]
    mirrored = network()(np.ascontiguousarray(pixels[:, ::-1]), mesh)
    found = told(parsing(name))
    back = told(mirrored)[:, ::-1]
    inside = parsing(name).inside
    for k, kind in enumerate(CLASSES):
        a, b = (inside & (what == k) for what in (found, back))
        if a.sum() > 100:
            assert (a & b).sum() / (a | b).sum() > 0.9, kind


def test_hair_cut_off_by_the_picture_is_told():
    face, pixels = faces("astronaut")[0], photo("astronaut").pixels
    whole = parsing("astronaut")
    assert cut_hair(whole) == 0
    assert parsing_warnings(whole, face.mesh, False) == ()
    top = int(face.mesh[10, 1] - 0.15 * face.box[3])
    part = np.ascontiguousarray(pixels[top:])
    mesh = moved(face.mesh, 0, top)
    found = network()(part, mesh)
    assert 0.3 < cut_hair(found) < 2
    (sentence,) = parsing_warnings(found, mesh, False)
    assert "cuts off the hair" in sentence
    assert "shows all of the head" in sentence
    low = np.ascontiguousarray(pixels[: int(face.mesh[152, 1])])
    assert parsing_warnings(network()(low, face.mesh), face.mesh, False) == ()


def with_a_board(pixels, mesh):
    """A green board held before the face from its left to its middle, below the eyes; and where it is."""
    board = pixels.copy()
    low, high = mesh[:, :2].min(axis=0).astype(int), mesh[:, :2].max(axis=0).astype(int)
    where = np.zeros(pixels.shape[:2], dtype=bool)
    where[int(mesh[4, 1]) : int(mesh[17, 1]), low[0] - 60 : (low[0] + high[0]) // 2] = True
    board[where] = (30, 120, 60)
    return board, where


def test_what_hides_the_face_is_told():
    face, pixels = faces("astronaut")[0], photo("astronaut").pixels
    assert hidden_share(parsing("astronaut"), face.mesh) < 0.01
    board, where = with_a_board(pixels, face.mesh)
    found = network()(board, face.mesh)
    inside = face_inside(face.mesh, where.shape)
    share = hidden_share(found, face.mesh)
    assert share == pytest.approx((where & inside).sum() / inside.sum(), abs=0.05)
    said = parsing_warnings(found, face.mesh, False)
    assert any(f"{100 * share:.0f} % of the face" in sentence for sentence in said)
    assert not parsing_warnings(found, face.mesh, True), "told already"
    mask = person_mask(photo_from_pixels(board), found, face.mesh)
    assert (mask[where & inside] > 0.5).mean() < 0.2


def test_spots_within_the_face_belong_to_it():
    """Teeth, white stubble: what the network takes for something else, but nobody could hold there."""
    face, picture, found = faces("astronaut")[0], photo("astronaut"), parsing("astronaut")
    lips = face.mesh[[0, 17, 61, 291], :2].mean(axis=0)
    x, y = ((lips - found.square.centre) * SIDE / found.square.side + SIDE / 2).astype(int)
    odd = found.probability.copy()
    odd[y - 4 : y + 4, x - 8 : x + 8] = np.eye(len(CLASSES))[CLASSES.index("cover")]
    spotted = dataclasses.replace(found, probability=odd)
    assert hidden_share(spotted, face.mesh) == 0
    mask = person_mask(picture, spotted, face.mesh)
    assert mask[int(lips[1]), int(lips[0])] > 0.9


def test_a_field_is_read_on_the_photos_own_grid():
    """A field that is the place itself, read on a grid of the photo, says where the grid's pixels are."""
    found = parsing("astronaut")
    place = (np.arange(SIDE, dtype=np.float32) + 0.5) * found.square.side / SIDE
    across = np.tile(place + found.square.centre[0] - found.square.side / 2, (SIDE, 1)).astype(np.float32)
    corner = found.square.centre - [40.0, 30.0]
    read = found.read(across, corner, 2.0, (40, 30))
    assert read.shape == (30, 40)
    np.testing.assert_allclose(read[7], corner[0] + 2.0 * (np.arange(40) + 0.5), atol=0.1)


def test_what_the_network_is_given():
    mesh = np.array([[100.0, 100.0, 0], [150.0, 100.0, 0], [150.0, 160.0, 0], [100.0, 160.0, 0]])
    inside = np.ones((SIDE, SIDE), dtype=bool)
    inside[:, 200:] = False
    given = network_input(np.full((SIDE, SIDE, 3), 77, np.uint8), inside, mesh)
    assert given.shape == (SIDE, SIDE, CHANNELS)
    assert given.dtype == np.uint8
    assert given[10, 10].tolist() == [77, 77, 77, 255, 0]
    assert given[130, 130].tolist() == [77, 77, 77, 255, 255]
    assert given[10, 230].tolist() == [0, 0, 0, 0, 0]
    square = Square.around(mesh)
    assert square.centre.tolist() == [125.0, 136.0]
    assert square.side == pytest.approx(156.0)


def test_another_network_is_refused():

    weights = find_network("cae")
    assert Network(weights).input_shape[-1] != CHANNELS
    with pytest.raises(AssetError, match="model_weights"):
        ParsingNetwork(weights)


def test_a_small_picture_of_a_face_found_by_itself():
    """From the file to the mask, at a fifth of the size: the network's square is larger than the photo."""
    small = cv2.resize(photo("astronaut").pixels[:230, 120:330], None, fx=0.6, fy=0.6)
    picture = photo_from_pixels(np.ascontiguousarray(small))
    face = find_faces(picture, models())[0]
    mask = person_mask(picture, network()(picture.pixels, face.mesh), face.mesh)
    assert mask.shape == small.shape[:2]
    assert (mask[face_inside(face.mesh, mask.shape)] > 0.5).mean() > 0.97

# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that the parsing network learns from, put together from people made of plain discs."""

import cv2
import numpy as np
import pytest
from made_up_people import (
    CLOTHES_COLOUR,
    HAIR_COLOUR,
    SKIN_COLOUR,
    made_up_people,
    write_made_up_photos,
)

from holotalk_addon.errors import OptionError
from holotalk_addon.face.parsing import CHANNELS, CLASSES, SIDE
from holotalk_addon.learning.parsing_people import (
    CLOTHES,
    COVER,
    HAIR,
    SKIN,
    drawn_grounds,
    grounds_from,
    load_people,
    people_of,
    save_people,
)
from holotalk_addon.learning.parsing_samples import UNKNOWN, make_sample
from holotalk_addon.learning.shards import open_data

COLOUR = {SKIN: SKIN_COLOUR, HAIR: HAIR_COLOUR, CLOTHES: CLOTHES_COLOUR}


@pytest.fixture(scope="module")
def people():
    return made_up_people(range(4))


def samples(people, count, varied=True, number=0):
    return [make_sample(people, number, np.random.default_rng((3, k)), varied) for k in range(count)]


def test_people_are_kept_in_a_small_file(people, tmp_path):
    path = tmp_path / "people.npz"
    save_people(people, path)
    again = load_people(path)
    assert path.stat().st_size < 0.1 * sum(picture.nbytes for picture in people.cut_out)
    np.testing.assert_array_equal(again.person, people.person)
    np.testing.assert_allclose(again.points, people.points, atol=0.07)  # 16 bits
    assert len(again.grounds) == len(people.grounds)
    for was, now in zip(people.label, again.label, strict=True):
        np.testing.assert_array_equal(now, was)
    for was, now in zip(people.cut_out, again.cut_out, strict=True):
        np.testing.assert_array_equal(now[..., 3], was[..., 3])
        solid = cv2.erode(was[..., 3], np.ones((5, 5))) == 255
        assert np.abs(now[..., :3].astype(int) - was[..., :3])[solid].mean() < 4, "red stays red"
    for was, now in zip(people.grounds, again.grounds, strict=True):
        assert np.abs(now.astype(int) - was).mean() < 6


def test_other_files_are_no_people(tmp_path):
    (tmp_path / "text.npz").write_text("nothing of the kind")
    np.savez(tmp_path / "other.npz", person=np.arange(3))
    for name in ("text.npz", "other.npz", "missing.npz"):
        with pytest.raises(OptionError, match="make it anew"):
            load_people(tmp_path / name)


def test_some_of_the_people(people):
    few = people.of(np.array([False, True, False, True]))
    assert few.person.tolist() == [1, 3]
    assert few.cut_out[1] is people.cut_out[3]
    assert few.points.shape == (2, 468, 2)
    assert few.grounds is people.grounds


def test_a_plain_sample_shows_the_person_as_they_are(people):
    sample = samples(people, 1, varied=False)[0]
    assert sample.rgb.shape == (SIDE, SIDE, 3)
    assert sample.rgb.dtype == np.uint8
    assert set(np.unique(sample.label)) == {0, SKIN, HAIR, CLOTHES, UNKNOWN}
    for kind, colour in COLOUR.items():
        inner = cv2.erode((sample.label == kind).astype(np.uint8), np.ones((5, 5))) > 0
        assert inner.sum() > 200
        assert np.abs(sample.rgb[inner].astype(int) - colour).max() < 5
    assert np.median(sample.label[tuple(sample.points[:, ::-1].astype(int).T)]) == SKIN
    low, high = sample.points.min(axis=0), sample.points.max(axis=0)
    assert (high - low).max() == pytest.approx(SIDE / 2.6, abs=1)
    given = sample.input()
    assert given.shape == (SIDE, SIDE, CHANNELS)
    assert (given[..., 3] == 255 * sample.inside).all()
    assert not given[..., :3][~sample.inside].any()


def test_the_labels_follow_the_person(people):
    """Turned, mirrored, larger or smaller: the face's points lie on skin, and hair above them."""
    turned = 0
    for sample in samples(people, 40):
        middle = sample.points.mean(axis=0)
        if not (middle.min() >= 0 and middle.max() < SIDE):
            continue
        x, y = middle.astype(int)
        assert sample.label[y, x] in (SKIN, COVER, UNKNOWN)
        skin = np.argwhere(sample.label == SKIN)[:, ::-1]
        hair = np.argwhere(sample.label == HAIR)[:, ::-1]
        if len(skin) > 500 and len(hair) > 500:
            assert np.linalg.norm(np.median(skin, axis=0) - middle) < 0.35 * np.ptp(sample.points[:, 1])
            assert np.median(hair[:, 1]) < middle[1]
        turned += abs(sample.points[0, 0] - sample.points[1, 0]) > 4
    assert turned > 10, "they are turned"


def test_beyond_the_picture_nothing_is_learnt(people):
    framed = 0
    for sample in samples(people, 40):
        assert (sample.label[~sample.inside] == UNKNOWN).all()
        assert (sample.label[sample.inside] != UNKNOWN).all()
        framed += not sample.inside.all()
    assert framed > 10
    whole = samples(people, 1, varied=False)[0]
    assert not whole.inside[-1].any(), "the render cuts the clothes below: nobody knows how they go on"
    assert whole.inside[0].all(), "above them is ground that may go on"


def only(monkeypatch, **returned):
    """Leave everything out of a varied sample but what is named."""
    from holotalk_addon.learning import parsing_samples as module

    plain = {
        "_recoloured": lambda cut_out, *_: cut_out,
        "_photographed": lambda rgb, _: rgb,
        "_frame": lambda *_: np.ones((SIDE, SIDE), dtype=bool),
        "with_covers": lambda _, rgb, label, *__: (rgb, label),
        "_place": lambda points, rng, _, whole=module._place: whole(points, rng, False),
    }
    for name, value in (plain | returned).items():
        if value is not None:
            monkeypatch.setattr(module, name, value)


def test_others_behind_are_ground(people, monkeypatch):
    only(monkeypatch)
    plain = samples(people, 1, varied=False)[0]
    grounds = 0
    for sample in samples(people, 30):
        np.testing.assert_array_equal(sample.label, plain.label)
        ground = (sample.label == 0) & sample.inside
        near = np.abs(sample.rgb.astype(int) - COLOUR[SKIN]).max(axis=2) < 6
        grounds += (near & ground).sum() > 100
    assert grounds > 3, "somebody stands beside them at times"


def test_what_is_before_the_head_is_cover(people, monkeypatch):
    only(monkeypatch, with_covers=None)
    plain = samples(people, 1, varied=False)[0]
    head = np.isin(plain.label, (SKIN, HAIR))
    covered = []
    for sample in samples(people, 60):
        cover = sample.label == COVER
        assert not (cover & ~head).any(), "beside the head it is ground"
        inner = cv2.erode(cover.astype(np.uint8), np.ones((5, 5))) > 0
        if inner.sum() > 100:
            covered.append((np.abs(sample.rgb.astype(int) - plain.rgb)[inner].max(axis=1) > 12).mean())
        same = ~cover & head & (cv2.dilate(cover.astype(np.uint8), np.ones((5, 5))) == 0)
        same = cv2.erode(same.astype(np.uint8), np.ones((3, 3))) > 0
        assert np.abs(sample.rgb.astype(int) - plain.rgb)[same].mean() < 2
        assert (cover & (plain.label == SKIN)).sum() < 0.75 * (plain.label == SKIN).sum(), "a face is left"
    assert len(covered) > 8
    assert np.mean(covered) > 0.8, "others have skin of the same colour"


def test_the_same_numbers_make_the_same_picture(people):
    one, again, other = (make_sample(people, 1, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.input(), again.input())
    np.testing.assert_array_equal(one.label, again.label)
    assert (one.input() != other.input()).mean() > 0.2


def test_nothing_is_written_into_the_people(people):
    before = [
        people.cut_out[2].copy(),
        people.label[2].copy(),
        people.points[2].copy(),
        people.grounds[0].copy(),
    ]
    samples(people, 20, number=2)
    after = [people.cut_out[2], people.label[2], people.points[2], people.grounds[0]]
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(now, was)


def test_training_data_become_people(tmp_path):
    """Whose scalp is skin and whose is hair; who fades away below the neck is left out."""
    write_made_up_photos(tmp_path, {0: ("short", "shirt"), 1: ("bald", "shirt"), 2: ("short", "none")})
    people = people_of([open_data(tmp_path, "full")], [])
    assert people.person.tolist() == [0, 1]
    y, x = np.argwhere(people.label[0] == HAIR)[0]
    assert CLASSES[people.label[0][y, x]] == "hair"
    assert CLASSES[people.label[1][y, x]] == "skin"
    assert (people.cut_out[0][..., 3] > 0).sum() == (people.label[0] > 0).sum()
    with pytest.raises(OptionError, match="preset full"):
        people_of([], [])


def test_grounds():
    rng = np.random.default_rng(1)
    for ground in drawn_grounds(3, rng):
        assert ground.shape == (256, 256, 3)
        assert ground.dtype == np.uint8
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 120, axis=0).repeat(3, axis=2)
    cuts = grounds_from([ramp], 6, rng)
    assert {cut.shape for cut in cuts} == {(SIDE, SIDE, 3)}
    assert all(np.diff(cut[128, :, 0].astype(int)).min() >= 0 for cut in cuts), "upright, not mirrored"
    assert len({int(cut[0, 0, 0]) for cut in cuts}) > 3, "from different places"

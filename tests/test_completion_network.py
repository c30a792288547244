# SPDX-License-Identifier: GPL-3.0-or-later
"""The completion ``cae`` as the add-on runs it: what our network is shown, and how sides get on to a head."""

import dataclasses
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up_people import write_made_up_truth

from holotalk_addon import assets, pipeline
from holotalk_addon.cae import light, painting, stack_data, stacks
from holotalk_addon.cae.completions import completion_kind
from holotalk_addon.cae.learned import CompletionNetwork
from holotalk_addon.errors import AssetError, OptionError
from holotalk_addon.head import drawing, fill
from holotalk_addon.head.fill import mirror_and_fill
from holotalk_addon.head.scalp_paint import luminance
from holotalk_addon.learning import judging
from holotalk_addon.learning.shards import open_data
from holotalk_addon.networks import find_network

ROOT = Path(__file__).resolve().parents[1]
SIDES = tuple(stacks.SIDE_YAWS)
LIGHTER = np.float32(0.4)


@pytest.fixture(scope="module")
def seen_head(tools):
    from holotalk_addon.face import read_photo

    photo = read_photo(assets.demo_portrait())
    return pipeline.fitted(photo, tools, pipeline.Stages(), texture_size=512).head


@pytest.fixture(scope="module")
def filled(seen_head):
    return mirror_and_fill(seen_head)


@pytest.fixture(scope="module")
def drawn(seen_head):
    return drawing.draw_fitted(seen_head, stacks.side_views())


@pytest.fixture(scope="module")
def shown(seen_head, filled, drawn):
    return stacks.draw_sides(seen_head, filled, drawn)


def test_the_stack_is_front_side_and_masks(shown):
    whole = shown.stacks()
    assert whole.shape == (3, stacks.STACK_SIZE, stacks.STACK_SIZE, stacks.CHANNELS)
    assert whole.dtype == np.float32
    assert 0 <= whole.min() < whole.max() <= 1
    for k in range(3):
        np.testing.assert_array_equal(whole[k, ..., 3:6], shown.front / np.float32(255))
        np.testing.assert_array_equal(whole[k, ..., :3], shown.side[k] / np.float32(255))
    np.testing.assert_array_equal(whole[..., 6], shown.seen / np.float32(255))


def test_masks_tell_what_was_seen_and_what_is_hair(shown):
    cover, seen, hair = (mask / 255.0 for mask in (shown.cover, shown.seen, shown.hair))
    assert (seen > cover + 0.02).mean() < 0.01
    assert (hair <= cover + 0.01).all()
    left, right, back = (seen[k].sum() / cover[k].sum() for k in range(3))
    assert 0.1 < left < 0.7
    assert 0.1 < right < 0.7
    assert back < 0.02
    assert hair[2].sum() / cover[2].sum() > 0.4, "the astronaut has hair behind"
    # The nose points left in the left picture: what was seen lies there.
    columns = np.arange(stacks.STACK_SIZE)
    middles = [float((seen[k].sum(axis=0) * columns).sum() / seen[k].sum()) for k in range(2)]
    assert middles[0] < 0.43 * stacks.STACK_SIZE
    assert middles[1] > 0.57 * stacks.STACK_SIZE


def test_to_the_network_a_right_side_is_a_left_one(shown):
    picture = shown.stacks()[1]
    turned = stacks.facing_left(picture, "right")
    np.testing.assert_array_equal(turned, picture[:, ::-1])
    np.testing.assert_array_equal(stacks.facing_left(turned, "right"), picture)
    for name in ("left", "back"):
        np.testing.assert_array_equal(stacks.facing_left(picture, name), picture)


def side_pictures(drawn, shown, changes):
    """Sides that are changed by so much."""
    views = stacks.side_views()[1:]
    return [
        painting.SidePicture(view, one, picture, np.clip(picture + changes.get(name, 0), 0, 1), seen / 255.0)
        for name, view, one, picture, seen in zip(
            SIDES, views, drawn[1:], shown.stacks()[..., :3], shown.seen.astype(np.float32), strict=True
        )
    ]


@pytest.fixture(scope="module")
def lighter(shown):
    """By the side's name: lighter, where the photo showed nothing."""
    unseen = 1.0 - shown.seen.astype(np.float32) / 255.0
    return {name: LIGHTER * share[..., None] for name, share in zip(SIDES, unseen, strict=True)}


def test_pictures_that_agree_change_nothing(seen_head, filled, drawn, shown):
    painted = painting.paint_sides(seen_head, filled, side_pictures(drawn, shown, {}))
    np.testing.assert_array_equal(painted.pixels, filled.pixels)
    np.testing.assert_array_equal(painted.hair.texture, filled.hair.texture)


def test_a_change_gets_on_to_its_side_of_head_and_hair(seen_head, filled, drawn, shown, lighter):
    """A left side in the light: seen from there, nowhere else, and not where the photo was."""
    painted = painting.paint_sides(seen_head, filled, side_pictures(drawn, shown, {"left": lighter["left"]}))
    change = [
        (one.picture(painted) - one.picture(filled))[..., 0] for one in drawn
    ]  # of red light, in front, left, right, back
    masks = [shown.cover[k] > 250 for k in range(3)]
    unseen = [mask & (shown.seen[k] < 12) for k, mask in enumerate(masks)]
    on_skin = unseen[0] & (shown.hair[0] < 5)
    on_hair = unseen[0] & (shown.hair[0] > 250)
    low = stacks.level_view(0.0, stacks.STACK_SIZE).project(np.array([[0.0, -0.09, 0.0]]))[0, 1]
    on_skin[int(low) :] = False  # the bust fades
    assert on_skin.sum() > 300
    assert on_hair.sum() > 2000
    assert np.median(change[1][on_hair]) > 0.1
    before = drawn[1].picture(filled)[..., 0]
    lighter = np.median((change[1] / np.maximum(before, 0.1))[on_skin])
    assert 0.2 < lighter < 0.35, "skin may not glow"
    assert np.abs(change[2][masks[1]]).mean() < 0.02, "nothing on the other side"
    photographed = masks[0] & (shown.seen[0] > 250)
    assert np.median(np.abs(change[1][photographed])) < 0.01, "the photo stays"
    np.testing.assert_array_equal(painted.pixels[..., 3], filled.pixels[..., 3])
    np.testing.assert_array_equal(painted.hair.texture[..., 3], filled.hair.texture[..., 3])
    seen = filled.seen > 0.999
    np.testing.assert_array_equal(painted.pixels[seen], filled.pixels[seen])


def test_what_the_photo_denies_is_not_believed_nearby(seen_head, filled, drawn, shown, lighter):
    """A whole side is lighter, and with it what the photo showed otherwise: then beside that all is doubtful,
    and there is no seam; far from it nothing tells against it.
    """
    whole = side_pictures(drawn, shown, {"left": LIGHTER})
    partly = side_pictures(drawn, shown, {"left": lighter["left"]})
    before = drawn[1].picture(filled)
    believed, doubted = (
        (drawn[1].picture(painting.paint_sides(seen_head, filled, sides)) - before)[..., 0]
        for sides in (partly, whole)
    )
    seen = (shown.seen[0] > 200).astype(np.uint8)
    far = cv2.distanceTransform(1 - seen, cv2.DIST_L2, 5)
    unseen = (shown.cover[0] > 250) & (shown.seen[0] < 12) & ~drawn[1].ends()
    beside = unseen & (far < 8) & (shown.hair[0] < 5)  # hair begins softly anyway
    behind = unseen & (far > 50)
    assert beside.sum() > 100
    assert behind.sum() > 1000
    assert np.median(believed[beside]) > 0.08
    assert np.abs(np.median(doubted[beside])) < 0.05
    assert np.median(doubted[behind] / np.maximum(believed[behind], 0.05)) > 0.95


def test_what_fades_is_not_painted(seen_head, filled, drawn, shown):
    """The network has learnt nothing about the end of the bust: a change there alone is none."""
    ends = [one.ends() & (one.hair_cover() < 0.9) for one in drawn[1:]]
    assert all(end.sum() > 200 for end in ends)
    changes = {name: LIGHTER * end[..., None] for name, end in zip(SIDES, ends, strict=True)}
    painted = painting.paint_sides(seen_head, filled, side_pictures(drawn, shown, changes))
    change = np.abs(painted.pixels[..., :3].astype(int) - filled.pixels[..., :3])
    assert np.quantile(change, 0.999) <= 3


def test_hair_changes_evenly_and_begins_softly(seen_head, filled, drawn, shown):
    """All three sides are lighter alike: so is everything far from what the photo showed, also where two
    pictures meet; beside that next to nothing is, and there is no seam.
    """
    unseen = 1.0 - shown.seen.astype(np.float32) / 255.0
    by_a_third = {
        name: 0.3 * side / np.float32(255) * share[..., None]
        for name, side, share in zip(SIDES, shown.side, unseen, strict=True)
    }
    painted = painting.paint_sides(seen_head, filled, side_pictures(drawn, shown, by_a_third))
    seen, solid = seen_head.hair.seen, filled.hair.texture[..., 3] > 200
    before, after = (t.hair.texture[..., 1].astype(float) / 255 + stacks.DARKEST for t in (filled, painted))
    change = np.log(after / before)
    three = np.concatenate([seen] * 3, axis=1)  # around the head
    far = cv2.distanceTransform((three < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    far = far[:, seen.shape[1] : 2 * seen.shape[1]] / seen.shape[1]
    lit = solid & (seen < 0.01) & (before > 0.2) & (before < 0.7)
    behind, beside = lit & (far > 0.12), lit & (far < 0.015)
    assert behind.sum() > 10_000
    assert beside.sum() > 300
    assert np.quantile(change[behind], 0.1) > 0.15
    assert np.quantile(change[behind], 0.9) < 0.28
    assert np.median(change[beside]) < 0.04


def test_the_soft_beginning_goes_all_around_the_head():
    """Also for hair that was seen from the side: no step where the texture ends, or anywhere else."""
    seen = np.zeros((512, 1024), np.float32)
    assert (painting._away(seen) == 1).all()
    assert (painting._away(1 - seen) == 0).all()
    seen[100:400, 640:980] = 1
    share = painting._away(seen)
    assert (share[seen == 1].mean(), share[250, 300]) == (pytest.approx(0, abs=0.01), 1)
    steps = np.abs(np.diff(share, axis=1))
    assert np.abs(share[:, 0] - share[:, -1]).max() <= steps.max() < 0.03


def test_painting_keeps_colours(seen_head, filled, drawn, shown):
    """A picture that is redder, or too bright to have its colour, makes lighter, and redder nothing."""
    red = {name: np.array([0.5, 0.0, 0.0], np.float32) for name in SIDES}
    for changes in (red, dict.fromkeys(SIDES, np.float32(-0.1))):
        painted = painting.paint_sides(seen_head, filled, side_pictures(drawn, shown, changes))
        for before, after in (
            (filled.pixels, painted.pixels),
            (filled.hair.texture, painted.hair.texture),
        ):
            clear = (before[..., :3].min(axis=-1) > 40) & (after[..., :3].max(axis=-1) < 250)
            clear &= after[..., :3].min(axis=-1) > 40
            was, now = (t[clear][:, :3].astype(float) / t[clear][:, 1:2] for t in (before, after))
            assert np.abs(before.astype(int) - after)[clear].mean() > 0.5
            assert np.abs(now - was).max() < 0.05


@pytest.fixture(scope="module")
def lit(seen_head, filled):
    return light.light_skin(seen_head, filled)


def on_a_ball():
    """(N, 3) normals to all sides, and which of them a camera sees."""
    up, around = np.meshgrid(np.linspace(-0.95, 0.95, 20), np.linspace(0, 2 * np.pi, 40, endpoint=False))
    aside = np.sqrt(1 - up**2)
    normals = np.stack([aside * np.sin(around), up, aside * np.cos(around)], axis=-1).reshape(-1, 3)
    return normals, normals[:, 2] > 0.2


def as_srgb(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_even_light_is_even_behind():
    normals, front = on_a_ball()
    shown = np.full(len(normals), 0.6)
    noise = np.random.default_rng(5).normal(0, 0.02, front.sum())
    found = light.find_light(normals[front], shown[front] + noise, np.ones(front.sum()))
    np.testing.assert_allclose(found.brightness(normals), 0.6, atol=0.05)
    beard = front & (normals[:, 1] < -0.5) & (normals[:, 2] > 0.4)
    assert beard.sum() > 20
    shown[beard] = 0.2
    found = light.find_light(normals[front], shown[front], np.ones(front.sum())).brightness(normals)
    assert found[normals[:, 2] < 0].mean() > 0.55


@pytest.mark.parametrize("lamp", [(0.0, 0.5, 0.87), (0.8, 0.0, 0.6), (-0.6, 0.6, 0.53)])
def test_a_lamp_is_found_and_does_not_light_what_is_turned_away(lamp):
    normals, front = on_a_ball()
    lamp = np.array(lamp) / np.linalg.norm(lamp)
    truth = as_srgb(0.1 + 0.5 * np.maximum(normals @ lamp, 0))
    noise = np.random.default_rng(5).normal(0, 0.02, front.sum())
    found = light.find_light(normals[front], truth[front] + noise, np.ones(front.sum())).brightness(normals)
    assert np.abs(found - truth)[front].mean() < 0.02
    away = normals @ lamp < -0.3
    assert found[away].mean() == pytest.approx(truth[away].mean(), abs=0.08)
    assert found[away].mean() < 0.65 * found[normals @ lamp > 0.7].mean()


def test_light_leaves_what_was_seen_and_begins_without_a_seam(seen_head, filled, lit):
    model = seen_head.model
    skin = model.vertex_parts == 0
    seen = fill.at_vertices(model, filled.seen[..., None])[:, 0]
    assert np.median(np.abs(lit.change[skin & (seen > 0.9)])) < 0.05
    assert np.median(np.abs(lit.change[skin & (seen < 0.1)])) > 0.1
    i, j = model.edges[skin[model.edges].all(axis=1)].T
    across = (seen[i] > 0.5) & (seen[j] <= 0.5)
    assert across.sum() > 50
    assert np.quantile(np.abs(lit.change[i] - lit.change[j])[across], 0.9) < 0.1


def test_skin_is_as_light_and_pictures_agree(seen_head, filled, drawn, shown, lit):
    """Far lighter sides count as far as the light goes; where the light asks for nothing they are none."""
    sides = side_pictures(drawn, shown, dict.fromkeys(SIDES, LIGHTER))
    dark, none, bright = (
        painting.paint_sides(seen_head, filled, sides, dataclasses.replace(lit, change=np.full(V, change)))
        for V in [len(seen_head.model.mean)]
        for change in (-0.2, 0.0, 0.2)
    )
    unseen = filled.seen < 0.01
    unseen &= seen_head.layout.draw(seen_head.model, seen_head.model.region("neck")) > 0.9
    light_of = [luminance(t.pixels[unseen][:, :3].astype(float)).mean() for t in (filled, dark, none, bright)]
    assert light_of[2] == pytest.approx(light_of[0], rel=0.01)
    assert 0.85 < light_of[1] / light_of[0] < 0.95
    assert 1.05 < light_of[3] / light_of[0] < 1.3


def test_hair_is_not_darker_than_the_light_makes_it(seen_head, filled, drawn, shown, lit):
    darker = side_pictures(drawn, shown, dict.fromkeys(SIDES, np.float32(-0.3)))
    lamps = np.zeros_like(lit.light.lamps)
    even = dataclasses.replace(lit, light=light.SkinLight(0.4, lamps))
    front = dataclasses.replace(lit, light=light.find_light(*(a[on_a_ball()[1]] for a in lamp_in_front())))
    hidden = seen_head.hair.seen < 0.01
    hidden &= filled.hair.texture[..., 3] > 200
    was, freely, evenly, lamp = (
        luminance(t.hair.texture[hidden][:, :3].astype(float)).mean()
        for t in (
            filled,
            *(painting.paint_sides(seen_head, filled, darker, one) for one in (None, even, front)),
        )
    )
    assert freely < 0.7 * was
    assert evenly == pytest.approx(was, rel=0.01)
    assert freely <= lamp < 0.9 * was


def lamp_in_front():
    normals, _ = on_a_ball()
    return normals, as_srgb(0.05 + 0.5 * np.maximum(normals[:, 2], 0)), np.ones(len(normals))


@pytest.fixture(scope="module")
def bald(tools, load_script):
    """A bald man, by the light: how each completion did on the sides and on the back of his rendered head."""
    script = load_script("evaluate_light")
    number = script.numbers("bald", 5)[-1]
    ways = {name: pipeline.completion(name) for name in ("mirror", "auto")}
    result = {}
    for kind in script.LIGHTS:
        order = script.make_order("full", script.SEED, 192, script.YAWS, number)
        with closing(script.Sitting(order, kind)) as session:
            (person,) = judging.people_of(session(number).arrays, script.YAWS)
        assert person.attributes["hair_style"] == "bald"
        result[kind] = {name: judged.scores for name, judged in script.judge(person, tools, ways).items()}
    return result


@pytest.mark.slow
def test_an_evenly_lit_bald_head_is_not_made_worse(bald):
    """No brown shade over the skull. Columns: SSIM, PSNR, L1 %, and % of full brightness too light."""
    mirror, auto = bald["even"]["mirror"], bald["even"]["auto"]
    back = SIDES.index("back")
    assert auto[:back, 0].mean() > mirror[:back, 0].mean() - 0.01
    assert auto[back, 0] > mirror[back, 0] - 0.01
    assert auto[:back, 3].mean() > -4
    assert auto[back, 3] > -6
    assert auto[:, 2].mean() < mirror[:, 2].mean() + 1


@pytest.mark.slow
def test_a_bald_head_lit_from_the_front_is_in_shade_behind(bald):
    mirror, auto = bald["directed"]["mirror"], bald["directed"]["auto"]
    back = SIDES.index("back")
    assert mirror[back, 3] > 10, "the truth is much darker than what was filled in"
    assert abs(auto[back, 3]) < 5
    assert auto[back, 2] < 0.7 * mirror[back, 2]
    assert auto[:back, 2].mean() < 0.8 * mirror[:back, 2].mean()
    assert auto[:, 0].mean() > mirror[:, 0].mean() + 0.02


@pytest.fixture(scope="module")
def network():
    return CompletionNetwork(find_network("cae"))


@pytest.fixture(scope="module")
def completed(tools):
    """The demo portrait completed by mirroring and by our network."""
    photo = assets.demo_portrait()
    return [
        pipeline.person_from_photo(photo, tools, pipeline.Stages(), complete=name, texture_size=512)
        for name in ("mirror", "cae")
    ]


def test_the_photo_stays_and_the_rest_changes(completed):
    mirrored, learned = completed
    seen = learned.seen > 0.999
    assert seen.mean() > 0.03
    np.testing.assert_array_equal(learned.head.texture[seen], mirrored.head.texture[seen])
    changed = np.abs(learned.head.texture.astype(int) - mirrored.head.texture)[learned.seen < 0.01]
    assert changed.mean() > 1
    assert changed.mean() < 40
    np.testing.assert_array_equal(learned.head.hair.vertices, mirrored.head.hair.vertices)


def test_heads_are_completed_by_it_unless_asked_otherwise(completed, tools):
    asked_for_nothing = pipeline.person_from_photo(
        assets.demo_portrait(), tools, pipeline.Stages(), texture_size=512
    )
    np.testing.assert_array_equal(asked_for_nothing.head.texture, completed[1].head.texture)


def test_its_pictures_come_along(completed, shown):
    _, learned = completed
    pictures = {picture.name: picture.pixels for picture in learned.pictures}
    assert tuple(pictures) == completion_kind("cae").pictures
    size = stacks.STACK_SIZE
    for k, name in enumerate(SIDES):
        assert pictures[name].shape == (size, size, 3)
        assert pictures[name][shown.cover[k] == 0].mean() < 10, "on black"
        assert pictures[name][shown.cover[k] > 250].mean() > 25
    both = pictures["sides"]
    assert both.shape == (2 * size, 3 * size, 3)
    np.testing.assert_array_equal(both[:size], np.concatenate(list(shown.side), axis=1))
    assert np.abs(both[:size].astype(int) - both[size:]).mean() > 0.3


def test_a_mirrored_person_gets_mirrored_sides(network, shown):
    """Left and right are one to it."""
    whole = shown.stacks()
    swapped = whole[[1, 0, 2], :, ::-1]
    straight, turned = network(whole), network(np.ascontiguousarray(swapped))
    np.testing.assert_allclose(turned[[1, 0]], straight[:2, :, ::-1], atol=1e-6)


def test_it_shades_and_does_not_tint(network, shown):
    """Who is photographed in black and white stays so."""
    whole = shown.stacks()
    whole[..., :3] = whole[..., :3].mean(axis=-1, keepdims=True)
    whole[..., 3:6] = whole[..., 3:6].mean(axis=-1, keepdims=True)
    made = network(whole)
    assert np.abs(made - whole[..., :3]).max() > 0.1
    assert np.ptp(made, axis=-1).max() < 1e-5


def test_other_networks_are_refused():
    with pytest.raises(AssetError, match="not HoloTalk's"):
        CompletionNetwork(assets.find("face_landmark"))


@pytest.fixture(scope="module")
def person(tools, tmp_path_factory):
    """Somebody of whom everything is known, from the network's sides."""
    folder = tmp_path_factory.mktemp("truth") / "people"
    write_made_up_truth(tools.model, folder, range(3, 4), size=stacks.STACK_SIZE)
    return next(judging.true_people(open_data(folder, "full"), tuple(stacks.SIDE_YAWS.values())))


def test_photos_are_spoilt_and_truth_follows_their_colours(person):
    spoilt = [stack_data.as_photographed(person, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(spoilt[0].photo, spoilt[1].photo)
    assert np.abs(spoilt[0].photo.astype(int) - spoilt[2].photo).mean() > 1
    for one in spoilt:
        assert one.photo.shape == person.photo.shape
        assert np.abs(one.photo.astype(int) - person.photo).mean() < 60
        # A grey that is as bright in the photo as in the truth stays so.
        bright = (person.colour > 0.4) & (person.colour < 0.6)
        truth = np.median(one.colour[bright])
        shown = np.median(one.photo[(person.photo > 102) & (person.photo < 153)]) / 255
        assert truth == pytest.approx(shown, abs=0.08)
        assert (one.colour[person.colour == 0] == 0).all(), "black stays black"


def test_stacks_to_learn_from_lie_on_the_truth(person, tools):
    seen_head = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=512).head
    made = stack_data.learning_stacks(person, seen_head)
    assert made.side.shape == (1, 3, stacks.STACK_SIZE, stacks.STACK_SIZE, 3)
    head = made.cover[0] > 127
    both = (head & person.head).sum(axis=(1, 2)) / (head | person.head).sum(axis=(1, 2))
    assert (both > 0.85).all()
    region = made.region[0]
    assert set(np.unique(region)) == {stack_data.NOT_JUDGED, stack_data.SEEN, stack_data.UNSEEN}
    assert (region[2] == stack_data.SEEN).mean() < 0.01, "nothing is seen of the back"
    seen = region[0] == stack_data.SEEN
    truth, side = (array[0, 0].astype(float) / 255 for array in (made.truth, made.side))
    assert np.abs(truth - side)[seen].mean() < 0.12
    # Nothing of the truth is in the stack.
    other = stack_data.learning_stacks(dataclasses.replace(person, colour=1 - person.colour), seen_head)
    for name in ("front", "side", "seen", "cover", "hair"):
        np.testing.assert_array_equal(getattr(made, name), getattr(other, name))
    assert not np.array_equal(made.truth, other.truth)


def test_stacks_are_kept_and_read_again(person, tools, tmp_path):
    seen_head = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=512).head
    made = stack_data.learning_stacks(person, seen_head)
    stack_data.write_stacks(tmp_path / "shard_00000.npz", made)
    stack_data.write_stacks(tmp_path / "shard_00001.npz", made)
    again = stack_data.read_stacks(tmp_path)
    assert len(again) == 2
    np.testing.assert_array_equal(again.side[1], made.side[0])
    (tmp_path / ".holotalk-12.npz").write_bytes(b"still being written")
    stack_data.write_stacks(tmp_path / "shard_00002.npz", stack_data.no_stacks())
    assert len(stack_data.read_stacks(tmp_path)) == 2
    (tmp_path / "shard_00001.npz").write_bytes(b"half")
    with pytest.raises(OptionError, match="damaged"):
        stack_data.read_stacks(tmp_path)
    with pytest.raises(OptionError, match="no stacks"):
        stack_data.read_stacks(tmp_path / "nothing")
    with pytest.raises(OptionError, match="--size 256"):
        stack_data.learning_stacks(
            dataclasses.replace(person, views=tuple(dataclasses.replace(v, size=128) for v in person.views)),
            seen_head,
        )

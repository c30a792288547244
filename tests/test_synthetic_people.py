# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people: the same twice, plausible in range and spread, dressed outside their skin."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from holotalk_addon.head.head import PARTS
from holotalk_addon.head.raster import rasterize
from holotalk_addon.head.skin_optics import (
    skin_colour,
    skin_table,
    srgb_bytes,
    to_linear,
    to_srgb,
)
from holotalk_addon.head.surface import triangulate
from holotalk_addon.people import make, open_workshop, random_shot, synthetic_person
from holotalk_addon.people.attributes import LENGTHS_M, random_attributes, random_expression
from holotalk_addon.people.backdrop import BACKGROUNDS, draw_background
from holotalk_addon.people.person import EYE_COLOURS
from holotalk_addon.people.shot import LIGHTS
from holotalk_addon.wardrobe.hairstyles import hair_density, style_hair
from holotalk_addon.wardrobe.look import (
    BEARD_STYLES,
    COLLARS,
    GLASSES,
    HAIR_COLOURS,
    HAIR_STYLES,
    HEADWEAR,
)

TEXTURE = 512


@pytest.fixture(scope="module")
def model(tools):
    return tools.model


@pytest.fixture(scope="module")
def shop(model):
    return open_workshop(model, TEXTURE)


@pytest.fixture(scope="module")
def people(model, shop):
    return [synthetic_person(model, np.random.default_rng([77, i]), shop) for i in range(16)]


@pytest.fixture
def person_with(model, shop, monkeypatch):
    """A person of given attributes, the rest random."""

    def made(seed=0, **given):
        monkeypatch.setattr(make, "random_attributes", lambda rng: replace(random_attributes(rng), **given))
        return synthetic_person(model, np.random.default_rng([78, seed]), shop)

    return made


def prop(person, name):
    found = [p for p in person.props if p.name == name]
    assert found, f"no {name} among {[p.name for p in person.props]}"
    return found[0]


def test_the_same_seed_gives_the_same_person(model, shop, people):
    again = synthetic_person(model, np.random.default_rng([77, 3]), shop)
    first = people[3]
    assert again.attributes == first.attributes
    np.testing.assert_array_equal(again.identity, first.identity)
    np.testing.assert_array_equal(again.head.texture, first.head.texture)
    assert len(again.props) == len(first.props)
    for a, b in zip(again.props, first.props, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.texture, b.texture)


def test_who_somebody_is_can_be_told_before_they_are_made(people):
    for i, person in enumerate(people[:4]):
        assert make.person_attributes(np.random.default_rng([77, i])) == person.attributes


def test_another_seed_gives_another_person(people):
    assert len({p.attributes for p in people}) == len(people)
    assert np.abs(people[0].identity - people[1].identity).max() > 0.3


def test_codes_tell_the_whole_shape(model, people):
    for person in people:
        np.testing.assert_array_equal(person.head.vertices, model.vertices(person.identity))
        np.testing.assert_array_equal(person.head.expression, person.expression)
        assert person.expression.min() >= 0
        assert person.expression.max() <= 1


def test_codes_follow_the_attributes(model, shop):
    """A man's, a woman's, a child's and an old head differ as the targets say."""
    rng = np.random.default_rng(5)
    plain = replace(random_attributes(rng), sex=0.0, age=25.0, african=0.0, asian=0.0, caucasian=1.0,
                    weight=0.5, muscle=0.5)  # fmt: skip

    def mean_shape(**given):
        asked = replace(plain, **given)
        codes = [shop.mixer.codes(model, asked, np.random.default_rng([6, i])) for i in range(24)]
        return model.vertices(np.mean(codes, axis=0))

    woman, man, heavy = mean_shape(), mean_shape(sex=1.0), mean_shape(weight=1.0)
    cheeks = (model.region("face") > 0.5) & (model.mean[:, 1] < -0.05) & (model.mean[:, 1] > -0.1)
    assert np.ptp(heavy[cheeks, 0]) > np.ptp(woman[cheeks, 0]) + 0.003
    jaw = (model.region("face") > 0.5) & (model.mean[:, 1] < -0.08)
    assert np.linalg.norm(man[jaw] - woman[jaw], axis=1).mean() > 0.001


def test_codes_lie_close_to_the_mixed_shape(model, shop):
    """What the coefficients leave out of the mixed targets is about a millimetre."""
    basis = model.identity_basis.reshape(len(model.identity_basis), -1)
    np.testing.assert_allclose(basis @ shop.mixer.to_codes, np.eye(len(basis)), atol=1e-3)
    face = model.region("face") > 0.5
    left, codes = [], []
    for i in range(20):
        asked = random_attributes(np.random.default_rng([8, i]))
        mixed = shop.mixer.shape(model, asked, np.random.default_rng([9, i]))
        code = shop.mixer.codes(model, asked, np.random.default_rng([9, i]))
        left.append(np.linalg.norm(model.vertices(code) - mixed, axis=1)[face].mean())
        codes.append(code)
    assert np.mean(left) < 0.0012
    # In the model's own standard deviations: neither asleep nor far beyond its range.
    assert 0.5 < np.stack(codes)[:, :20].std() < 2.0


def test_everything_is_finite_and_of_its_type(people):
    for person in people:
        head = person.head
        assert head.texture.shape == (TEXTURE, TEXTURE, 4)
        assert head.texture.dtype == np.uint8
        assert np.isfinite(head.vertices).all()
        for p in person.props:
            assert p.vertices.dtype == np.float32
            assert p.polygons.dtype == np.int32
            assert p.texture.dtype == np.uint8
            assert np.isfinite(p.vertices).all()
            assert p.uvs.shape == (*p.polygons.shape, 2)
            assert p.uvs.min() >= -1e-6
            assert p.uvs.max() <= 1 + 1e-6
            assert p.polygons[:, :3].min() >= 0
            assert p.polygons.max() < len(p.vertices)
            assert np.abs(p.vertices).max() < 0.75
            if p.normals is not None:
                np.testing.assert_allclose(np.linalg.norm(p.normals, axis=1), 1, atol=1e-3)
            assert p.see_through or (p.texture[..., 3] == 255).all()


def test_attributes_stay_in_their_lists_and_ranges():
    drawn = [random_attributes(np.random.default_rng([9, i])) for i in range(400)]
    lists = {"hair_style": HAIR_STYLES, "beard": BEARD_STYLES, "headwear": HEADWEAR, "collar": COLLARS,
             "glasses": GLASSES, "eye_colour": EYE_COLOURS, "hair_colour": HAIR_COLOURS}  # fmt: skip
    for name, allowed in lists.items():
        assert {getattr(a, name) for a in drawn} <= set(allowed)
    for a in drawn:
        assert a.african + a.asian + a.caucasian == pytest.approx(1)
        low, high = LENGTHS_M[a.hair_style]
        assert low <= a.hair_length <= high
        assert 0.004 < a.melanin < 0.5
        assert 10 <= a.age <= 85
        for name in ("sex", "weight", "muscle", "greying", "curl", "hair_line", "brows", "make_up", "blush",
                     "freckles", "wrinkles", "under_eye"):  # fmt: skip
            assert 0 <= getattr(a, name) <= 1, name
        assert a.beard == "none" or (a.male and a.age > 18)
        assert a.make_up == 0 or not a.male
    assert set(LENGTHS_M) == set(HAIR_STYLES)


def test_a_crowd_shows_every_kind():
    drawn = [asdict(random_attributes(np.random.default_rng([10, i]))) for i in range(1200)]
    for name, allowed in (("hair_style", HAIR_STYLES), ("beard", BEARD_STYLES), ("headwear", HEADWEAR),
                          ("collar", COLLARS), ("glasses", GLASSES), ("eye_colour", EYE_COLOURS),
                          ("hair_colour", HAIR_COLOURS)):  # fmt: skip
        assert {a[name] for a in drawn} == set(allowed), name
    for name in ("sex", "weight", "melanin", "age"):
        values = np.array([a[name] for a in drawn])
        assert values.std() > 0.1 * np.ptp(values), name
    assert 0.4 < np.mean([a["sex"] > 0.5 for a in drawn]) < 0.6
    dark = np.array([a["melanin"] for a in drawn])
    african = np.array([a["african"] for a in drawn])
    assert np.corrcoef(np.log(dark), african)[0, 1] > 0.6


def test_expressions_smile_when_asked(model):
    names = tuple(str(n) for n in model.expression_names)
    asked = replace(random_attributes(np.random.default_rng(0)), smile=0.9)
    expression = random_expression(names, asked, np.random.default_rng(1))
    assert expression[names.index("mouthSmileLeft")] > 0.3
    assert expression.dtype == np.float32


def test_skin_darkens_with_melanin_and_reddens_with_blood():
    table = skin_table()
    melanin = np.log(np.geomspace(0.01, 0.4, 12))[None]
    colour = skin_colour(table, melanin, np.full_like(melanin, np.log(0.01)))[0]
    assert (np.diff(colour.sum(axis=1)) < 0).all()
    assert (colour[:, 0] >= colour[:, 1]).all()
    assert (colour[:, 1] >= colour[:, 2] * 0.9).all()
    blood = np.log(np.geomspace(0.003, 0.08, 12))[None]
    red = skin_colour(table, np.full_like(blood, np.log(0.02)), blood)[0]
    assert (np.diff(red[:, 0] / red[:, 1]) > 0).all()


def test_srgb_there_and_back():
    grey = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(to_srgb(to_linear(grey)), grey, atol=1e-5)
    np.testing.assert_allclose(srgb_bytes(to_linear(grey)), np.arange(256), atol=1)


def test_painted_skin_has_the_persons_tone(model, shop, person_with):
    face = shop.spread(model.region("face")) > 0.9
    pale = person_with(melanin=0.015, make_up=0.0, beard="none", hair_style="bald").head.texture[face]
    dark = person_with(melanin=0.3, make_up=0.0, beard="none", hair_style="bald").head.texture[face]
    assert pale[:, :3].mean() > dark[:, :3].mean() + 60
    # No doll: the skin varies finely.
    assert pale[:, :3].astype(float).std(axis=0).min() > 3


def test_eyes_are_painted_in_their_colour(shop, person_with):
    def iris(colour):
        texture = person_with(eye_colour=colour).head.texture.reshape(-1, 4)
        off = np.degrees(shop.eye_angles[:, 0])
        return texture[shop.eye_texels[(off > 12) & (off < 19)], :3].astype(float).mean(axis=0)

    blue, brown = iris("blue"), iris("brown")
    assert blue[2] > blue[0]
    assert brown[0] > brown[2] * 1.3
    assert shop.part.reshape(-1)[shop.eye_texels].tolist().count(PARTS.index("eyes")) == len(shop.eye_texels)


@pytest.mark.parametrize("style", [s for s in HAIR_STYLES if s != "bald"])
def test_hair_covers_the_scalp_and_not_the_face(model, shop, style):
    """On the mean head, seen from its sides: hair is where it grows, nothing enters the skull."""
    low, high = LENGTHS_M[style]
    asked = replace(
        random_attributes(np.random.default_rng(3)), hair_style=style, hair_length=(low + high) / 2,
        headwear="none", hair_line=0.0, curl=0.9 if style in ("curly", "afro") else 0.2, sex=0.2,
    )  # fmt: skip
    warp = shop.cage.bend(np.zeros_like(model.mean))
    props, density = style_hair(shop, asked, model.mean, warp, np.random.default_rng(4))
    assert props
    vertices = np.concatenate([p.vertices for p in props])
    around_head = vertices[vertices[:, 1] > -0.12].astype(np.float64)
    assert np.quantile(shop.space.distance(around_head), 0.02) > -0.004
    grown = density > 0.8
    assert grown.sum() > 60
    assert density[model.region("lips") > 0.5].max() == 0
    assert density[model.region("eyelids") > 0.5].max() == 0
    # Every place of the scalp has hair near it.
    from scipy.spatial import cKDTree

    gap, _ = cKDTree(vertices).query(model.mean[grown])
    assert np.quantile(gap, 0.98) < 0.030
    # From the front the eyes stay free.
    poles = model.poles(model.mean)
    for p in props:
        triangles = triangulate(p.polygons)[0]
        in_front = p.vertices[triangles][..., 2].min(axis=1) > 0.06
        if not in_front.any():
            continue
        size = 400
        xy = np.stack([p.vertices[:, 0] * 1000 + 200, 200 - p.vertices[:, 1] * 1000], axis=1)
        seen = rasterize(xy[triangles[in_front]], None, size, size).triangle >= 0
        for pole in poles:
            x, y = int(pole[0] * 1000 + 200), int(200 - pole[1] * 1000)
            assert seen[y - 4 : y + 5, x - 4 : x + 5].mean() < 0.7, style


def test_the_hair_line_is_symmetric(model, shop):
    asked = replace(random_attributes(np.random.default_rng(3)), hair_style="long", hair_line=0.4)
    density = hair_density(shop, asked, np.random.default_rng(0))
    skin = model.vertex_parts == PARTS.index("skin")
    np.testing.assert_allclose(density[skin], density[model.mirror][skin], atol=1e-5)


def test_a_receding_hair_line_bares_the_forehead(shop):
    def area(line, style="short"):
        asked = replace(
            random_attributes(np.random.default_rng(3)), hair_style=style, hair_line=line, sex=0.9
        )
        return hair_density(shop, asked, np.random.default_rng(0)).sum()

    assert area(1.0) < 0.9 * area(0.0)
    assert area(0.5, "fringe of hair") < 0.75 * area(0.5)


def test_longer_hair_hangs_lower(model, shop):
    warp = shop.cage.bend(np.zeros_like(model.mean))

    def lowest(style, length):
        asked = replace(random_attributes(np.random.default_rng(3)), hair_style=style, hair_length=length,
                        headwear="none")  # fmt: skip
        props, _ = style_hair(shop, asked, model.mean, warp, np.random.default_rng(4))
        return np.quantile(np.concatenate([p.vertices for p in props])[:, 1], 0.01)

    assert lowest("bob", 0.19) > lowest("medium", 0.28) + 0.03
    assert lowest("medium", 0.28) > lowest("long", 0.45) + 0.05
    assert lowest("crew", 0.02) > -0.09


def test_hair_follows_the_person(model, person_with):
    """Roots lie on the person's own skin, not on the mean head's."""
    person = person_with(seed=2, hair_style="crew", hair_length=0.02, headwear="none")
    hair = prop(person, "hair").vertices
    from scipy.spatial import cKDTree

    skin = person.head.posed_vertices()[model.vertex_parts == PARTS.index("skin")]
    gap, _ = cKDTree(skin).query(hair)
    assert np.quantile(gap, 0.95) < 0.025


def test_bald_people_have_no_hair_prop(person_with):
    assert "hair" not in {p.name for p in person_with(hair_style="bald").props}


@pytest.mark.parametrize("beard", ["moustache", "goatee", "short beard", "full beard"])
def test_a_beard_grows_on_jaw_and_lip_and_follows_the_mouth(model, person_with, beard):
    given = {"beard": beard, "sex": 1.0, "age": 40.0, "collar": "none", "glasses": "none", "headwear": "none"}
    beard_prop = prop(person_with(**given), "beard")
    posed = person_with(**given).head.posed_vertices()
    mouth = posed[model.region("lips") > 0.5].mean(axis=0)
    above = np.quantile(beard_prop.vertices[:, 1], 0.98)
    assert above < posed[model.region("brows") > 0.5][:, 1].min()
    if beard != "moustache":
        assert np.quantile(beard_prop.vertices[:, 1], 0.05) < mouth[1] - 0.02
    from scipy.spatial import cKDTree

    gap, _ = cKDTree(posed).query(beard_prop.vertices)
    assert np.quantile(gap, 0.9) < 0.045


def test_stubble_is_painted(shop, model, person_with):
    face = shop.spread(model.region("face")) > 0.9
    given = {"sex": 1.0, "age": 40.0, "melanin": 0.02, "hair_colour": "black", "hair_rgb": (0.05, 0.05, 0.05)}
    with_it = person_with(beard="stubble", **given).head.texture[face][:, :3].astype(float)
    from_cheek = person_with(beard="none", **given).head.texture[face][:, :3].astype(float)
    assert with_it.mean() < from_cheek.mean() - 2


@pytest.mark.parametrize("headwear", [h for h in HEADWEAR if h != "none"])
def test_hats_lie_outside_the_head_and_over_the_hair(shop, person_with, headwear):
    person = person_with(headwear=headwear, hair_style="short", hair_length=0.04, age=30.0)
    hat = prop(person, "hat")
    on_mean = hat.vertices - shop.cage.bend(person.head.vertices - shop.model.mean).at(hat.vertices)
    around_head = on_mean[on_mean[:, 1] > -0.09].astype(np.float64)
    assert np.quantile(shop.space.distance(around_head), 0.02) > -0.004
    # The eyes can see.
    poles = shop.model.poles(person.head.posed_vertices())
    near = (np.abs(hat.vertices[:, None] - poles[None]) < [0.012, 0.008, 1.0]).all(axis=2).any(axis=1)
    assert not (near & (hat.vertices[:, 2] > 0.05)).any()


@pytest.mark.parametrize("collar", [c for c in COLLARS if c != "none"])
def test_collars_close_round_the_neck(person_with, collar):
    person = person_with(collar=collar, age=30.0, scarf=False)
    vertices = np.concatenate([p.vertices for p in person.props if p.name == "collar"])
    chin = person.head.vertices[:, 1].min() + 0.03
    assert np.quantile(vertices[:, 1], 0.99) < -0.06
    assert np.ptp(vertices[:, 0]) > 0.25
    assert vertices[:, 1].min() < chin - 0.1
    assert prop(person, "body").vertices[:, 1].max() < -0.05


@pytest.mark.parametrize("kind", [g for g in GLASSES if g != "none"])
def test_glasses_sit_before_the_eyes(model, person_with, kind):
    for seed in range(3):
        person = person_with(seed=seed, glasses=kind, headwear="none")
        lenses = prop(person, "lenses")
        assert lenses.see_through
        poles = model.poles(person.head.posed_vertices())
        for pole in poles:
            mine = lenses.vertices[np.sign(lenses.vertices[:, 0]) == np.sign(pole[0])]
            middle = (mine.min(axis=0) + mine.max(axis=0)) / 2
            assert np.abs(middle[:2] - pole[:2]).max() < 0.012
            assert 0.004 < middle[2] - pole[2] < 0.035
        frame = prop(person, "glasses").vertices
        assert frame[:, 2].min() < poles[:, 2].min() - 0.06  # the temples reach the ears


def test_the_texture_size_is_the_workshops(people, shop):
    assert shop.size == TEXTURE
    alpha = people[0].head.texture[..., 3]
    lash = shop.part == PARTS.index("lashes")
    assert (alpha[~lash] == 255).all()
    assert alpha[lash].min() < 60


def test_shots_are_deterministic_and_in_range():
    for i in range(40):
        shot, again = (random_shot(np.random.default_rng([12, i])) for _ in range(2))
        assert shot.lamps == again.lamps
        assert (shot.yaw, shot.focal_mm, shot.centre) == (again.yaw, again.focal_mm, again.centre)
        np.testing.assert_array_equal(shot.background, again.background)
        assert shot.background.shape == (256, 256, 3)
        assert shot.background.dtype == np.uint8
        assert abs(shot.yaw) <= 60
        assert 20 < shot.focal_mm < 120
        # Some light falls on the face from before it.
        front = sum(max(0.0, lamp.direction[2]) * lamp.light for lamp in shot.lamps)
        assert front + np.mean([shot.sky, shot.horizon, shot.ground]) > 0.1
        for lamp in shot.lamps:
            assert np.linalg.norm(lamp.direction) == pytest.approx(1)
            assert max(lamp.colour) == pytest.approx(1)


def test_shots_show_every_kind():
    shots = [random_shot(np.random.default_rng([13, i])) for i in range(120)]
    assert {s.kind for s in shots} == set(LIGHTS)
    assert {s.background_kind for s in shots} == set(BACKGROUNDS)
    # A background is a picture of something, and no two are alike.
    assert len({s.background.tobytes() for s in shots}) == len(shots)


def test_an_unknown_background_is_refused():
    with pytest.raises(ValueError, match="bokeh"):
        draw_background("moon", np.random.default_rng(0))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair as a volume: it meets the outline of the photo, is where hair is, and bald heads stay bald."""

import dataclasses

import cv2
import numpy as np
import pytest
from faces import case_path


@pytest.fixture(scope="module")
def seen_head(tools, demo_person):
    """The demo portrait as a completion gets it."""
    from holotalk_addon import pipeline

    return pipeline.fitted(demo_person.photo, tools, pipeline.Stages(), 1, 512).head


@pytest.fixture(scope="module")
def hair(seen_head):
    """As it grows; the completion of the head shades it afterwards."""
    assert seen_head.hair is not None
    return seen_head.hair.hair


def texels(hair):
    """(F, 4) the texel under the middle of each polygon; the texture goes on round the head."""
    uv = hair.uvs[:, :3].mean(axis=1)
    rows, columns = hair.texture.shape[:2]
    return hair.texture[((1 - uv[:, 1]) * rows).astype(int), (uv[:, 0] * columns).astype(int) % columns]


def drawn(hair):
    """(F,) the polygons whose middle is solid."""
    return texels(hair)[:, 3] > 127


def used_by(hair, chosen):
    """The vertices of some polygons."""
    corners = hair.polygons[chosen]
    return np.unique(corners[corners >= 0])


def edges(hair):
    """How many polygons share each edge."""
    polygons = np.where(hair.polygons < 0, hair.polygons[:, :1], hair.polygons)
    pairs = np.stack([polygons, np.roll(polygons, -1, axis=1)], axis=-1).reshape(-1, 2)
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(pairs, axis=0, return_counts=True)


def test_head_and_hair_meet_the_outline(evaluate, tools, demo_person):
    with_hair, without = evaluate.outline_iou(tools, demo_person)
    assert with_hair > 0.89
    assert without < 0.75, "the measure sees that hair is missing"


def test_hair_is_where_hair_is(hair, demo_person):
    vertices, used = hair.vertices, used_by(hair, drawn(hair))
    x, y, z = vertices[used].T
    head = demo_person.head.vertices
    assert y.max() > head[:, 1].max() + 0.005, "over the crown"
    assert z.min() < head[:, 2].min() - 0.002, "behind the head"
    assert y.min() > -0.10, "short hair ends at the neck"
    face = (np.abs(x) < 0.03) & (z > 0.06)
    assert y[face].min() > 0.02, "nothing hangs before the eyes"
    assert abs(x.max() + x.min()) < 0.02, "both sides alike"


def test_hair_is_a_sound_surface(hair):
    assert hair.polygons.max() == len(hair.vertices) - 1
    assert len(np.unique(hair.vertices, axis=0)) == len(hair.vertices), "no vertex stands twice"
    quads = (hair.polygons >= 0).all(axis=1)
    assert 0 < (~quads).sum() < 0.05 * len(quads), "triangles at the crown alone"
    corners = hair.vertices[hair.polygons[quads]].astype(float)
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    outward = corners.mean(axis=1) - [0, 0.03, -0.01]
    outward[outward[:, 1] < 0, 1] = 0
    assert ((normal * outward).sum(axis=1) > 0).mean() > 0.97, "counter-clockwise from outside"
    assert hair.soft.any()
    assert 0 < drawn(hair)[hair.soft].mean() < 1, "edges are see-through in places"
    assert drawn(hair)[~hair.soft].all(), "the rest is opaque"
    assert hair.fade.min() >= 0
    assert hair.fade.max() == 1
    assert np.isfinite(hair.vertices).all()


def test_the_surface_is_open_at_its_lower_edge_alone(hair):
    """No slit at the back, no hole at the crown."""
    pairs, count = edges(hair)
    assert count.max() == 2
    border = hair.vertices[np.unique(pairs[count == 1])]
    assert border[:, 1].max() < 0.08
    behind = border[border[:, 2] < -0.05]
    assert behind[:, 1].max() < 0.03


@pytest.mark.parametrize("rows", [30, 45])
def test_hair_goes_on_where_the_photo_ends(tools, demo_person, rows):
    """The demo portrait cut off below the crown."""
    from holotalk_addon import pipeline
    from holotalk_addon.face import photo_from_pixels

    model, fit = tools.model, demo_person.fit
    crown = fit.camera.project(fit.to_camera(fit.posed(model)))[:, 1].min()
    photo = photo_from_pixels(np.ascontiguousarray(demo_person.photo.pixels[int(crown) + rows :]))
    cut = pipeline.person_from_pixels(photo, tools, pipeline.Stages(), texture_size=512).head.hair
    top = cut.vertices[used_by(cut, drawn(cut))][:, 1].max()
    pairs, count = edges(cut)
    border = cut.vertices[np.unique(pairs[count == 1])]
    assert border[:, 1].max() < 0.09, "no bald band"
    assert top > 0.11


@pytest.mark.parametrize("columns", [45, 90, 135])
def test_no_side_is_dropped(columns):
    """Hair around a bald crown and forehead, whatever way round it is looked at."""
    from holotalk_addon.head.hair_rays import COLUMNS
    from holotalk_addon.head.hair_volume import hung

    cover = np.zeros((60, COLUMNS))
    cover[20:45, :60] = cover[20:45, 120:] = 1.0  # the middle column is the face
    whole = hung(cover)
    assert (whole > 0.5).sum() == pytest.approx(cover.sum(), rel=0.1)
    assert (whole[:, :60] > 0.5).sum() == pytest.approx((whole[:, 120:] > 0.5).sum(), rel=0.05)
    np.testing.assert_allclose(hung(np.roll(cover, columns, axis=1)), np.roll(whole, columns, axis=1))
    cover[:, :] = 0
    cover[25, 90] = 1
    assert hung(cover).max() < 0.5, "a speck is no hair"


def test_unseen_hair_has_the_colour_of_the_seen(hair, seen_head):
    """The back of the head, which no photo from the front shows."""
    from holotalk_addon.head.hair_mask import hair_mask

    mask = hair_mask(seen_head)
    rows, columns = np.nonzero(cv2.erode(mask.hair, np.ones((5, 5))) > 0.5)
    place = (np.stack([columns, rows], axis=1) + 0.5) / mask.scale + mask.corner
    seen = seen_head.pixels[place[:, 1].astype(int), place[:, 0].astype(int)].astype(float).mean(axis=0)
    back = drawn(hair) & (hair.vertices[hair.polygons].mean(axis=1)[:, 2] < -0.08)
    painted = texels(hair)[back, :3]
    assert np.abs(painted.mean(axis=0) - seen).max() < 40
    assert painted.std(axis=0).max() > 2, "with the grain of strands"


def test_the_same_photo_grows_the_same_hair(hair, seen_head):
    from holotalk_addon.head.hair_volume import grow_hair

    again = grow_hair(seen_head).hair
    for field in dataclasses.fields(hair):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(hair, field.name))


def test_a_bald_head_stays_bald(tools, seen_head, demo_person):
    """The fitted head itself, drawn in skin colour all over, is all there is of the person."""
    from holotalk_addon.head.hair_volume import grow_hair
    from holotalk_addon.head.raster import barycentric, pixel_centres, rasterize

    model, fit = tools.model, seen_head.fit
    at = fit.to_camera(fit.posed(model))
    corners = fit.camera.project(at)[model.triangles]
    height, width = seen_head.person.shape
    raster = rasterize(corners, -at[model.triangles][..., 2], width, height)
    pixel, triangle, centre = pixel_centres(raster)
    shade = np.einsum(
        "nc,nc->n",
        barycentric(corners, triangle, centre),
        (0.6 + 0.4 * np.clip(model.normals(at)[:, 2], 0, 1))[model.triangles[triangle]],
    )
    pixels = np.full((height * width, 3), 90, dtype=np.uint8)
    pixels[pixel] = np.clip(shade[:, None] * [205, 160, 135], 0, 255)
    person = np.zeros(height * width, dtype=np.float32)
    person[pixel] = 1
    pixels, person = pixels.reshape(height, width, 3), person.reshape(height, width)
    parsing = tools.parsing(pixels, demo_person.face.mesh)
    assert grow_hair(dataclasses.replace(seen_head, pixels=pixels, person=person, parsing=parsing)) is None


@pytest.fixture
def painted_on(tools, seen_head, demo_person):
    """The same portrait with something painted in it that the person's outline takes in."""

    def paint(where, colour):
        pixels, person = seen_head.pixels.copy(), seen_head.person.copy()
        pixels[where] = colour
        person[where] = 1.0
        parsing = tools.parsing(pixels, demo_person.face.mesh)
        return dataclasses.replace(seen_head, pixels=pixels, person=person, parsing=parsing)

    return paint


def beside_head(seen_head, tools, right_m, up_m):
    """The photo's pixel so many metres to the picture's right of the eyes, and above them; pixels a metre."""
    from holotalk_addon.head.head import PARTS

    model, fit = tools.model, seen_head.fit
    eyes = fit.to_camera(fit.posed(model))[model.vertex_parts == PARTS.index("eyes")].mean(axis=0)
    metre = fit.camera.focal / -eyes[2]
    return fit.camera.project(eyes[None])[0] + metre * np.array([right_m, -up_m]), metre


def test_a_light_behind_the_hair_is_not_painted_on_it(hair, seen_head, tools, painted_on):
    """A red lamp at the outline: in none of the texture is there any red."""
    from holotalk_addon.head.hair_volume import grow_hair

    rows, columns = np.indices(seen_head.person.shape)
    (_, y), metre = beside_head(seen_head, tools, 0.0, 0.05)
    x = np.flatnonzero(seen_head.person[int(y)] > 0.5).max() + 0.006 * metre
    lamp = np.hypot(columns - x, rows - y) < 0.013 * metre
    assert 0 < (seen_head.person[lamp] > 0.5).mean() < 0.7, "at the outline"
    lit = grow_hair(painted_on(lamp, (255, 10, 20))).hair
    red, green, blue = np.moveaxis(lit.texture[drawn_texels(lit), :3].astype(int), 1, 0)
    assert (red - np.maximum(green, blue)).max() < 90
    reach = [np.abs(h.vertices[used_by(h, drawn(h))][:, 0]).max() for h in (hair, lit)]
    assert reach[1] < reach[0] + 0.008, "and no bump"


def drawn_texels(hair):
    """The solid texels."""
    return hair.texture[..., 3] > 127


def test_an_arm_held_to_the_head_is_no_hair(hair, seen_head, tools, painted_on):
    """A bar in the face's colour from the scalp to the picture's edge, shaded as round things are."""
    from holotalk_addon.head.hair_mask import hair_mask
    from holotalk_addon.head.hair_volume import grow_hair

    (x, y), metre = beside_head(seen_head, tools, 0.05, 0.07)
    (cheek_x, cheek_y), _ = beside_head(seen_head, tools, 0.03, -0.03)
    skin = np.median(
        seen_head.pixels[int(cheek_y) - 4 : int(cheek_y) + 5, int(cheek_x) - 4 : int(cheek_x) + 5], (0, 1)
    )
    rows, columns = np.indices(seen_head.person.shape)
    off = (rows - y - 0.3 * (columns - x)) / (0.02 * metre)
    arm = (columns > x) & (np.abs(off) < 1)
    raised = painted_on(arm, (0.55 + 0.45 * np.sqrt(1 - off[arm] ** 2))[:, None] * skin)
    mask = hair_mask(raised)
    assert mask.hidden.any()
    assert not (mask.hair * mask.hidden).any()
    assert not hair_mask(seen_head).hidden.any()
    grown = grow_hair(raised).hair
    high = [h.vertices[used_by(h, drawn(h))] for h in (hair, grown)]
    reach = [np.abs(v[v[:, 1] > 0.05][:, 0]).max() for v in high]
    assert reach[1] < reach[0] + 0.01, "no horn"
    light = [h.texture[drawn_texels(h), :3].mean() for h in (hair, grown)]
    assert light[1] == pytest.approx(light[0], abs=12), "in the colour of hair"


def test_a_wall_that_the_outline_takes_in_is_no_hair(hair, seen_head, tools):
    """The person's outline reaches far into the ground on one side."""
    from holotalk_addon.head.hair_mask import hair_mask

    rows, columns = np.indices(seen_head.person.shape)
    (x, y), metre = beside_head(seen_head, tools, 0.10, 0.20)
    (_, low), _ = beside_head(seen_head, tools, 0.0, 0.0)
    wall = (columns > x) & (columns < x + 0.07 * metre) & (rows > y) & (rows < low)
    wider = dataclasses.replace(seen_head, person=np.maximum(seen_head.person, wall.astype(np.float32)))
    before, after = hair_mask(seen_head).hair, hair_mask(wider).hair
    more = (after > 0.5) & (before < 0.5)
    assert more.sum() < 0.06 * (before > 0.5).sum()


def test_hair_stands_off_behind_as_beside(hair, demo_person):
    """The demo portrait's stands off 3 cm above its ears, and so it does behind."""
    head = demo_person.head.vertices
    vertices = hair.vertices[used_by(hair, drawn(hair))]
    band = (vertices[:, 1] > 0.05) & (vertices[:, 1] < 0.08)
    own = head[(head[:, 1] > 0.05) & (head[:, 1] < 0.08)]
    beside = np.abs(vertices[band][:, 0]).max() - np.abs(own[:, 0]).max()
    behind = own[:, 2].min() - vertices[band][:, 2].min()
    assert behind > 0.5 * beside > 0.005


def test_curls_of_the_outline_go_on_behind(hair, seen_head, tools):
    """The person's outline in waves of 7 mm: the back of the head is uneven too."""
    from holotalk_addon.head.hair_volume import grow_hair

    rows, columns = np.indices(seen_head.person.shape)
    (x, y), metre = beside_head(seen_head, tools, 0.0, 0.02)
    inside = cv2.distanceTransform((seen_head.person > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    wave = np.sin(np.arctan2(rows - y, columns - x) * 40) > 0
    bitten = (inside < 0.014 * metre) & wave & (rows < y)
    curly = grow_hair(
        dataclasses.replace(seen_head, person=np.where(bitten, 0, seen_head.person).astype(np.float32))
    ).hair

    def unevenness(grown):
        v = grown.vertices.astype(float)
        v = v[(v[:, 2] < -0.08) & (np.abs(v[:, 0]) < 0.06) & (v[:, 1] > 0.03) & (v[:, 1] < 0.09)]
        basis = np.column_stack([np.ones(len(v)), v[:, :2], v[:, :2] ** 2])
        return (v[:, 2] - basis @ np.linalg.lstsq(basis, v[:, 2], rcond=None)[0]).std()

    assert unevenness(curly) > 1.5 * unevenness(hair)


def test_unseen_hair_goes_on_without_a_seam(hair):
    """No line at the back, where the texture begins, and detail there as elsewhere."""
    light = hair.texture[100:250, :, :3].astype(float).mean(axis=2)
    steps = np.abs(np.diff(np.concatenate([light, light[:, :1]], axis=1), axis=1)).mean(axis=0)
    behind = np.r_[steps[-160:], steps[:160]]
    assert steps[-1] < 1.2 * np.quantile(behind, 0.98), "as between any other two columns"
    assert np.median(behind) > 0.25 * np.median(steps[400:624]), "the front, which was seen"
    wide = cv2.GaussianBlur(np.roll(light, 512, axis=1), (0, 0), 12.0)
    assert np.abs(np.diff(wide.mean(axis=0)[200:824])).max() < 3.0, "nor where the photo ends"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "longest"), [("connelly.jpg", True), ("sample_4.jpg", False), ("justin.png", False)]
)
def test_long_hair_falls_and_short_hair_does_not(evaluate, tools, photos, name, longest):
    from holotalk_addon import pipeline

    path = photos / name
    if not path.exists():
        pytest.skip(f"{name} is not in HOLOTALK_PHOTOS")
    person = pipeline.person_from_photo(path, tools, pipeline.Stages(), texture_size=512)
    hair = person.head.hair
    lowest = hair.vertices[used_by(hair, drawn(hair))][:, 1].min()
    assert lowest < -0.12 if longest else lowest > -0.11
    assert evaluate.outline_iou(tools, person)[0] > 0.88


@pytest.mark.slow
@pytest.mark.parametrize("name", ["connelly.jpg", "lawrence.jpg"])
def test_long_hair_falls_behind_too(tools, photos, name):
    from holotalk_addon import pipeline

    hair = grown_from(photos / name, tools, pipeline)
    low = drawn(hair) & (hair.vertices[hair.polygons].mean(axis=1)[:, 1] < -0.08)
    middle = hair.vertices[hair.polygons].mean(axis=1)[low]
    azimuth = np.abs(np.degrees(np.arctan2(middle[:, 0], middle[:, 2])))
    counts, _ = np.histogram(azimuth, np.arange(90, 181, 15))
    assert counts.min() > 0.5 * counts.max() > 20


@pytest.mark.slow
def test_no_red_lamp_in_black_hair(tools, photos):
    from holotalk_addon import pipeline

    hair = grown_from(photos / "connelly.jpg", tools, pipeline)
    red, green, blue = np.moveaxis(hair.texture[drawn_texels(hair), :3].astype(int), 1, 0)
    assert np.quantile(red - np.maximum(green, blue), 0.999) < 80
    assert ((red > 150) & (np.maximum(green, blue) < 60)).sum() == 0


@pytest.mark.slow
def test_shadows_on_a_shaved_head_are_no_hair(tools, photos):
    from holotalk_addon import pipeline

    assert grown_from(photos / "breakingbad.jpg", tools, pipeline) is None


@pytest.mark.slow
def test_hands_at_the_head_are_no_horns(tools, photos):
    from holotalk_addon import pipeline

    hair = grown_from(photos / "stock-emotions-a-1.jpg", tools, pipeline)
    vertices = hair.vertices[used_by(hair, drawn(hair))]
    assert np.abs(vertices[vertices[:, 1] > 0.03][:, 0]).max() < 0.12
    skin = hair.texture[drawn_texels(hair), :3].min(axis=1) > 130
    assert skin.mean() < 0.01


def grown_from(path, tools, pipeline):
    """The hair of one of the real portraits."""
    if not path.exists():
        pytest.skip(f"{path.name} is not in HOLOTALK_PHOTOS")
    return pipeline.person_from_photo(path, tools, pipeline.Stages(), texture_size=512).head.hair


@pytest.mark.slow
@pytest.mark.parametrize("name", ["08_white_hair.jpg", "plain_man2.jpg"])
def test_white_hair_about_a_bald_crown_lies_on_the_head(tools, name):
    from holotalk_addon import pipeline
    from holotalk_addon.face import read_photo
    from holotalk_addon.head.hair_mask import hair_mask

    seen_head = pipeline.fitted(read_photo(case_path(name)), tools, pipeline.Stages(), 1, 512).head
    mask = hair_mask(seen_head)
    assert mask.crown_bare
    # On both sides of the head, and nowhere far from it: no wig with a gap at the temples.
    middle = mask.head.any(axis=0).nonzero()[0].mean()
    sides = mask.hair[:, : round(middle)].sum(), mask.hair[:, round(middle) :].sum()
    assert min(sides) > 0.2 * sum(sides)
    grown = seen_head.grown
    assert grown is not None
    scalp = seen_head.fit.vertices[seen_head.model.region("scalp") > 0.5]
    assert grown.vertices[grown.vertices[:, 1] > 0.03][:, 0].max() < scalp[:, 0].max() + 0.008
    assert grown.vertices[grown.vertices[:, 1] > 0.03][:, 0].min() > scalp[:, 0].min() - 0.008
    shown = grown.texture[grown.texture[..., 3] > 200][:, :3]
    assert np.median(shown.max(axis=1)) > 110, "it is white, or grey in the shade"
    assert np.median(np.ptp(shown.astype(int), axis=1)) < 60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stock-emotions-a-4.jpg", "sample_3.jpg", "justin.png"])
def test_the_forehead_is_no_hand_that_hides_hair(tools, photos, name):
    """Hair was painted down on to it, as a fringe that nobody has."""
    from holotalk_addon import pipeline
    from holotalk_addon.face import read_photo
    from holotalk_addon.head.hair_mask import hair_mask

    path = photos / name
    if not path.exists():
        pytest.skip(f"{path.name} is not in HOLOTALK_PHOTOS")
    mask = hair_mask(pipeline.fitted(read_photo(path), tools, pipeline.Stages(), 1, 512).head)
    assert mask.hidden.sum() < 30


@pytest.mark.slow
def test_hair_that_the_picture_cuts_is_no_bald_crown(tools, demo_person):
    """Of the scalp a tight portrait shows a strip, and that has hair."""
    from holotalk_addon import pipeline
    from holotalk_addon.face import photo_from_pixels
    from holotalk_addon.head.hair_mask import hair_mask

    mesh = demo_person.face.mesh
    brows, chin = mesh[[70, 300], 1].mean(), mesh[152, 1]
    top = round(brows - 0.25 * (chin - brows))
    cut = np.ascontiguousarray(demo_person.photo.pixels[top:])
    head = pipeline.fitted(photo_from_pixels(cut), tools, pipeline.Stages(), 1, 512).head
    assert not hair_mask(head).crown_bare

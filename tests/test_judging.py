# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness that judges completions: its measures, its regions, and that it can be stopped."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_people import FULL_YAWS, made_up_attributes, write_made_up_truth
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.errors import OptionError
from holotalk_addon.head.completion import HeadTexture
from holotalk_addon.head.drawing import draw_person, surface
from holotalk_addon.head.head import Hair
from holotalk_addon.learning import judging
from holotalk_addon.learning.code_digest import code_behind, code_digest, module_name
from holotalk_addon.learning.shards import HELD_OUT_FROM, open_data
from holotalk_addon.people import random_shot

SCRIPTS = Path(__file__).resolve().parent.parent / "blender_scripts"
PEOPLE = 3


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("evaluate_completion")


@pytest.fixture(scope="module")
def folder(tools, tmp_path_factory):
    people = range(HELD_OUT_FROM, HELD_OUT_FROM + PEOPLE)
    return write_made_up_truth(tools.model, tmp_path_factory.mktemp("truth") / "people", people)


@pytest.fixture(scope="module")
def people(folder):
    return list(judging.true_people(open_data(folder, "full")))


@pytest.fixture(scope="module")
def judged_by_hand(people, tools):
    """The first person's fit, laid on the truth."""
    person = people[0]
    seen_head = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=512).head
    return person, seen_head, judging.lay_on(person, seen_head)


def test_people_come_as_they_were_written(people, tools):
    assert [person.number for person in people] == list(range(HELD_OUT_FROM, HELD_OUT_FROM + PEOPLE))
    person = people[0]
    assert person.attributes == made_up_attributes(HELD_OUT_FROM)
    assert set(judging.YAWS) < set(FULL_YAWS)
    for view, yaw in zip(person.views, judging.YAWS, strict=True):
        # At yaw 90 the head's front points to the picture's right.
        front = view.rotation @ [0.0, 0.0, 1.0]
        np.testing.assert_allclose(front[0], np.sin(np.radians(yaw)), atol=1e-6)
    assert person.head.any(axis=(1, 2)).all()
    assert not person.colour[~person.head].max() > 0.5


def test_the_measures_know_perfect_from_poor():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 1, (48, 48, 3)).astype(np.float32)
    region = np.zeros((48, 48), dtype=bool)
    region[8:40, 8:40] = True
    ssim, psnr, l1 = judging.compared(truth, truth, region)
    assert ssim == pytest.approx(1.0)
    assert psnr == pytest.approx(100.0)
    assert l1 == 0.0
    off = truth.copy()
    off[region] += 0.1
    ssim, psnr, l1 = judging.compared(truth, off, region)
    assert psnr == pytest.approx(20.0, abs=0.01)
    assert l1 == pytest.approx(0.1, abs=1e-4)
    assert ssim < 1.0
    outside = truth.copy()
    outside[~region] = 0.0
    assert judging.compared(truth, outside, region)[2] == 0.0
    assert np.isnan(judging.compared(truth, truth, np.zeros((48, 48), dtype=bool))).all()


def test_the_head_lies_on_the_true_one(judged_by_hand):
    person, _, views = judged_by_hand
    cover = np.stack([head.cover() > 0.5 for head in views.drawn])
    both = (cover & person.head).sum(axis=(1, 2))
    either = (cover | person.head).sum(axis=(1, 2))
    assert (both / either > 0.88).all()


def test_the_photo_shows_no_back_and_half_of_the_sides(judged_by_hand):
    _, _, views = judged_by_hand
    share = views.unseen.sum(axis=(1, 2)) / views.judged.sum(axis=(1, 2))
    by_yaw = dict(zip(judging.YAWS, share, strict=True))
    assert by_yaw[180.0] > 0.97
    assert by_yaw[60.0] < by_yaw[90.0] < 0.97
    assert by_yaw[-60.0] < by_yaw[-90.0] < 0.97


def test_a_true_texture_beats_black(judged_by_hand, tools):
    """The more of the truth a completion knows, the better it scores."""
    person, seen_head, views = judged_by_hand
    size = seen_head.layout.size
    black = HeadTexture(np.zeros((size, size, 4), np.uint8), seen_head.baked.seen)
    copied = judging.template_copy(seen_head)
    mirrored = pipeline.completion("mirror")(seen_head, lambda _f: None)
    tables = [
        judging.scores(person, views, judging.completed(views, texture))
        for texture in (black, copied, mirrored)
    ]
    errors = [np.nanmean(table[:, 1, 2]) for table in tables]
    assert errors[0] > errors[1] > errors[2]
    for table in tables:
        assert (table[:, 2, 2] < table[:, 1, 2] + 0.02).all(), "outlines that differ are no painter's fault"
    painted = [np.nanmean(table[:, 2, 2]) for table in tables]
    assert painted[0] > painted[1] > painted[2]
    assert 0.5 * errors[2] < painted[2] < errors[2]
    ssims = [np.nanmean(table[:, 0, 0]) for table in tables]
    assert ssims[0] < ssims[2]


def test_shade_on_bare_skin_is_told_with_its_sign(judged_by_hand):
    person, _, views = judged_by_hand
    truth = person.colour
    np.testing.assert_allclose(judging.skin_light(person, views, truth), 0.0, atol=1e-6)
    np.testing.assert_allclose(judging.skin_light(person, views, truth - np.float32(0.1)), -0.1, atol=1e-4)
    haired = replace(person, skin=person.skin & False)
    assert np.isnan(judging.skin_light(haired, views, truth)).all()
    painted = np.where(person.skin[..., None], truth, truth + np.float32(0.5))
    np.testing.assert_allclose(judging.skin_light(person, views, painted), 0.0, atol=1e-6)


def test_a_template_copy_keeps_the_photo(judged_by_hand):
    _, seen_head, _ = judged_by_hand
    copied = judging.template_copy(seen_head)
    seen = seen_head.baked.seen > 0.999
    np.testing.assert_allclose(copied.pixels[seen, :3] / 255.0, seen_head.baked.colour[seen], atol=0.01)
    assert copied.pixels.shape == (seen_head.layout.size, seen_head.layout.size, 4)


@pytest.mark.slow
def test_judging_goes_on_where_it_stopped(script, folder, tools):
    data = open_data(folder, "full")
    asked = []

    def counted(seen_head, progress):
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return judging.template_copy(seen_head, progress)

    kept = folder / "judged"
    with pytest.raises(KeyboardInterrupt):
        script.judge(data, tools, {"template": (counted, "1")}, kept)
    assert len(list((kept / "template").glob("*.npz"))) == 1
    result, faceless = script.judge(data, tools, {"template": (counted, "1")}, kept)
    assert len(asked) == 2 + PEOPLE - 1
    assert (len(result["template"]), faceless) == (PEOPLE, 0)
    again, _ = script.judge(data, tools, {"template": (counted, "1")}, kept)
    assert len(asked) == 2 + PEOPLE - 1
    np.testing.assert_array_equal(again["template"][0].scores, result["template"][0].scores)
    # Other weights: judged anew.
    script.judge(data, tools, {"template": (counted, "2")}, kept)
    assert len(asked) == 2 + 2 * PEOPLE - 1


@pytest.mark.slow
def test_one_command_prints_the_table_and_draws_the_worst(script, folder, tmp_path, capsys):
    table, worst = tmp_path / "table.md", tmp_path / "worst.png"
    arguments = ["--data", str(folder), "--people", str(PEOPLE), "--completions", "template", "mirror"]
    assert script.main([*arguments, "--table", str(table), "--worst", str(worst)]) == 0
    text = table.read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    rows = [line.split("|") for line in text.splitlines() if line.startswith(("| template", "| mirror"))]
    assert [row[2].strip() for row in rows] == ["+-90", "+-60", "180", "all"] * 2
    assert all(0 < float(row[9]) < float(row[8]) + 2 for row in rows)
    unseen_l1 = {row[1].strip(): float(row[8]) for row in rows if row[2].strip() == "all"}
    assert 0 < unseen_l1["mirror"] < unseen_l1["template"] < 100
    size = 160
    assert Image.open(worst).size == (2 * size + 5 * size, PEOPLE * 3 * size)


def test_attributes_are_broken_down(script, people):
    def judged(age, hat, error):
        scores = np.full((5, 3, 3), error)
        person = people[0]
        nothing = np.zeros((0, 64, 64), np.uint8)
        return script.Judged(1, {"age": age, "hat": hat}, scores, person.photo, nothing, scores[:3, 0])

    rows = [judged(20 + k, "cap" if k < 6 else "none", 0.1 if k < 6 else 0.3) for k in range(18)]
    text = script.report({"mirror": rows}, 0)
    assert "| hat: cap | 6 | 10.00 |" in text
    assert "| hat: none | 12 | 30.00 |" in text
    ages = [line for line in text.splitlines() if line.startswith("| age:")]
    assert [line.split("|")[2].strip() for line in ages] == ["6", "6", "6"]


def test_unknown_completions_and_wrong_folders_are_told(script, folder, tmp_path, capsys):
    assert script.main(["--data", str(folder), "--completions", "magic"]) == 2
    assert "no completion 'magic'" in capsys.readouterr().err
    assert script.main(["--data", str(tmp_path), "--completions", "mirror"]) == 2
    assert "no training data" in capsys.readouterr().err
    with pytest.raises(OptionError, match="4 held-out people"):
        judging.held_out_data(folder, 4)


@pytest.mark.parametrize("name", ["evaluate_hair", "evaluate_fit"])
def test_a_wrong_folder_is_told_in_one_line(load_script, folder, tmp_path, capsys, name):
    script = load_script(name)
    assert script.main(["--data", str(tmp_path)]) == 2
    assert script.main(["--data", str(folder), "--people", "4"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{name}: ")
    assert "no training data" in first
    assert "4 held-out people" in second


def test_hair_is_measured_against_the_truth(load_script, people, tools):
    """Their hair is paint, so that the head alone has their outline already."""
    script = load_script("evaluate_hair")
    found = script.measure(people[0], tools)
    assert found.views.shape == (2, len(judging.YAWS), len(script.MEASURES))
    assert found.views[0, :, 0].min() > 0.8
    assert found.views[:, :, 0].max() <= 1
    assert 0.4 < found.views[0, :, 3].min() <= found.views[0, :, 3].max() < 8
    assert 0 < found.face_mm[1] < 6
    assert found.pictures.shape == people[0].colour.shape
    worn = [
        {"age": 11, "headwear": "none", "hair_style": "short"},
        {"age": 80, "headwear": "hat", "hair_style": "bald"},
    ]
    text = script.table([replace(found, attributes=attributes) for attributes in worn])
    named = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| ")][1:]
    assert named == [
        ["| +-90", "2"], ["| +-60", "2"], ["| 180", "2"], ["| all", "2"],
        ["| children, under 16", "1"], ["| old, 65 and more", "1"], ["| short", "1"], ["| hat", "1"],
    ]  # fmt: skip
    assert f"| {found.face_mm[0]:.1f} -> {found.face_mm[1]:.1f} |" in text


def test_people_are_lit_as_asked(load_script):
    script = load_script("evaluate_light")
    shots = [random_shot(np.random.default_rng(seed)) for seed in range(20)]
    assert "overcast" in {shot.kind for shot in shots}
    for shot in shots:
        even, directed = (script.lit(shot, kind, np.random.default_rng(1)) for kind in script.LIGHTS)
        assert even.lamps == ()
        assert even.sky == even.horizon == even.ground
        assert max(lamp.light for lamp in directed.lamps) > np.mean(directed.ground)
        assert even.yaw == directed.yaw == shot.yaw
    bald, haired = (script.numbers(who, 3) for who in script.WHO)
    assert len({*bald, *haired}) == 6
    assert min(*bald, *haired) >= HELD_OUT_FROM
    assert script.numbers("bald", 2) == bald[:2]


def test_a_surface_that_is_off_by_three_millimetres_measures_three(people, tools):
    model, person = tools.model, people[0]
    truth = model.vertices(person.identity).astype(float)

    def miss(vertices):
        drawn = [draw_person(model, vertices, None, view) for view in person.views]
        return judging.surface_miss(person, [surface(vertices, one) for one in drawn])

    assert miss(truth).max() < 1.0, "what the pixels of the truth leave"
    outward = model.normals(truth)
    np.testing.assert_allclose(miss(truth + 0.003 * outward), 3.0, atol=0.35)
    np.testing.assert_allclose(miss(truth + 0.006 * outward), 6.0, atol=0.35)


def test_what_hides_the_head_is_its_surface(people, tools):
    """A ball around the head, solid in its lower half and clear above."""
    model, view = tools.model, people[0].views[0]
    truth = model.vertices(people[0].identity).astype(float)
    radius = 0.14
    pixel, bare = surface(truth, draw_person(model, truth, None, view))
    centres = np.stack([pixel % view.size, pixel // view.size], axis=1) + 0.5
    np.testing.assert_allclose(view.project(bare), centres, atol=0.3)
    _, places = surface(truth, draw_person(model, truth, _ball(radius), view))
    above, below = places[:, 1] > 0.02, (places[:, 1] < -0.02) & (places[:, 1] > -0.06)
    assert below.any()
    np.testing.assert_allclose(np.linalg.norm(places[below], axis=1), radius, atol=0.003)
    np.testing.assert_array_equal(places[above], bare[bare[:, 1] > 0.02])


def _ball(radius):
    """Hair that is a ball around the head's origin: opaque below it, more than half clear above."""
    columns, rows = 48, 24
    down, around = np.meshgrid(
        np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, columns + 1), indexing="ij"
    )
    sides = [np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)]
    number = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    corners = [number[1:, :-1], number[1:, 1:], number[:-1, 1:], number[:-1, :-1]]
    polygons = np.stack(corners, axis=-1).reshape(-1, 4).astype(np.int32)
    uvs = np.stack([around / (2 * np.pi), 1 - down / np.pi], axis=-1).reshape(-1, 2).astype(np.float32)
    texture = np.full((64, 64, 4), 255, np.uint8)
    texture[:32, :, 3] = 100
    return Hair(
        vertices=(radius * np.stack(sides, axis=-1)).reshape(-1, 3).astype(np.float32),
        polygons=polygons,
        uvs=uvs[polygons],
        soft=np.ones(len(polygons), dtype=bool),
        fade=np.ones(number.size, dtype=np.float32),
        texture=texture,
    )


def test_the_face_is_measured_at_rest_and_wherever_it_stands(tools):
    model = tools.model
    truth = model.mean.astype(float)
    turned = 1.3 * truth @ np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]) + 0.4
    assert judging.face_miss(model, turned, truth) == pytest.approx(0.0, abs=1e-6)
    signs = np.random.default_rng(5).choice([-1.0, 1.0], len(truth))
    off = truth + 0.003 * signs[:, None] * model.normals(truth)
    assert judging.face_miss(model, off, truth) == pytest.approx(3.0, abs=0.05)
    behind = truth + np.where(model.region("face") > 0.5, 0.0, 0.05)[:, None]
    assert judging.face_miss(model, behind, truth) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_the_likeness_has_a_floor_that_true_people_show(evaluate, folder, tools, capsys):
    table, photos = evaluate.floor_table(tools, open_data(folder, "full"))
    assert table.shape == (PEOPLE, 3, len(evaluate.LIKENESS_YAWS))
    true, turned, ours = table.transpose(1, 0, 2)
    # Level, in the same light, on another ground: next to the same picture.
    assert true[:, 0].max() < 0.25
    assert (turned[:, 0] == 0).all()
    assert turned[:, 1:].min() > 0
    assert np.median(true[:, 3:]) > np.median(true[:, 0])
    assert np.median(ours[:, 0]) < 0.6
    assert len(photos) == PEOPLE
    assert np.linalg.norm(photos[0] - photos[1]) > true[:2, 0].max()  # somebody else is farther
    assert evaluate.main(["--only", "floor", "--data", str(folder.parent)]) == 2
    assert "no training data" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate.main(["--only", "floor"])


def test_a_sheet_names_its_rows(evaluate):
    strip = np.zeros((evaluate.SHEET_SIDE, 9 * evaluate.SHEET_SIDE, 3), np.uint8)
    assert evaluate.sheet_of([strip], ["one.jpg"]) is strip
    sheet = evaluate.sheet_of([strip, strip], ["one.jpg", "another.jpg"])
    line = sheet.shape[0] // 2 - evaluate.SHEET_SIDE
    first, second = sheet[:line], sheet[line + evaluate.SHEET_SIDE :][:line]
    photo = evaluate.SHEET_SIDE
    assert second[:, :photo].max() == 255
    assert (second[:, :photo] > 0).sum() > (first[:, :photo] > 0).sum()
    np.testing.assert_array_equal(first[:, photo:], second[:, photo:])
    views = first[:, photo:].reshape(line, len(evaluate.SHEET_YAWS), photo, 3)
    assert (views.max(axis=(0, 2, 3)) > 0).all(), "each view says its degrees"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the package and the scripts, to be changed."""
    root = SCRIPTS.parent
    for path in [*root.glob("holotalk_addon/**/*.py"), *root.glob("blender_scripts/*.py")]:
        copy = tmp_path / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path


def digest_in(checkout):
    script = checkout / "blender_scripts" / "evaluate_completion.py"
    return code_digest(script, checkout / "holotalk_addon")


def test_other_code_does_not_stand_by_what_older_code_judged(checkout):
    """A byte more in a module that judging depends on makes it other code; in those that show heads it does
    not."""
    before = digest_in(checkout)
    assert digest_in(checkout) == before == code_digest(SCRIPTS / "evaluate_completion.py")
    changes = {
        "blender_scripts/evaluate_completion.py": True,
        "holotalk_addon/learning/judging.py": True,
        "holotalk_addon/pipeline.py": True,
        "holotalk_addon/head/drawing.py": True,
        "holotalk_addon/ui/panels.py": False,
        "holotalk_addon/scene/render.py": False,
        "blender_scripts/make_stacks.py": False,
    }
    for name, matters in changes.items():
        content = (checkout / name).read_bytes()
        (checkout / name).write_bytes(content + b"#")
        assert (digest_in(checkout) != before) == matters, name
        (checkout / name).write_bytes(content)


@pytest.mark.parametrize("name", ["evaluate_completion", "make_stacks"])
def test_what_heads_are_made_by_and_judged_with_is_in_the_digest(name):
    behind = names_behind(SCRIPTS / f"{name}.py")
    assert behind >= {
        *(
            "",
            "assets",
            "pipeline",
            "face",
            "face.photo",
            "face.parsing",
            "head",
            "head.drawing",
            "head.fitting",
        ),
        *(
            "head.texture",
            "wardrobe.hairstyles",
            "people.compile_model",
            "learning.judging",
            "learning.shards",
        ),
        *("cae.stacks", "cae.painting"),
    }
    assert "cli" not in behind
    assert not {name.partition(".")[0] for name in behind} & {"hologram", "scene", "live", "ui"}


def test_a_module_that_comes_in_changes_the_digest(checkout):
    before = digest_in(checkout)
    (checkout / "holotalk_addon" / "head" / "another.py").write_text("ONE = 1\n")
    assert digest_in(checkout) == before
    drawing = checkout / "holotalk_addon" / "head" / "drawing.py"
    drawing.write_text(drawing.read_text() + "\n\ndef late():\n    from . import another\n")
    with_it = digest_in(checkout)
    (checkout / "holotalk_addon" / "head" / "another.py").write_text("ONE = 2\n")
    assert len({before, with_it, digest_in(checkout)}) == 3


@pytest.mark.slow
def test_the_digest_knows_every_module_that_judging_loads(folder, tmp_path):
    """Asked of a process that has judged: not of the imports, which the digest reads."""
    told = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    print(*sorted(name for name in sys.modules if name.split('.')[0] == 'holotalk_addon'))\n"
    )
    data = shutil.copytree(folder, tmp_path / "people", ignore=shutil.ignore_patterns("judged"))
    script = SCRIPTS / "evaluate_completion.py"
    options = ["--data", data, "--people", "1", "--completions", "template", "cae"]
    done = subprocess.run(
        [sys.executable, "-c", told, script, *options],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS.parent)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    known = {f"holotalk_addon.{name}".rstrip(".") for name in names_behind(script)}
    assert {"holotalk_addon.head.drawing", "holotalk_addon.cae.learned"} <= loaded
    assert loaded <= known


def names_behind(script):
    return {module_name(path) for path in code_behind(script) if path != script}


def test_results_depend_on_the_code_and_the_networks(script, monkeypatch, tmp_path):
    made_by = script.made_by()
    assert script._way("mirror")[1] == script._way("template")[1] == made_by
    learned = script._way("cae")[1]
    assert learned.startswith(f"{made_by} ")
    other = tmp_path / "parsing.tflite"
    seen_head = script.find_network
    other.write_bytes(seen_head("parsing").read_bytes() + b"1")
    monkeypatch.setattr(script, "find_network", lambda key: other if key == "parsing" else seen_head(key))
    assert script.made_by() != made_by

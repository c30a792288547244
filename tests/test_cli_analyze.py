# SPDX-License-Identifier: GPL-3.0-or-later
"""``holotalk analyze``: its contract, faces in odd photos, files with odd names."""

import json
import re
import shutil

import numpy as np
import pytest
import skimage.data
from cli_parts import QUICK, check_face, contents
from PIL import Image


def analysed(result, status=0):
    assert result[0] == status, result[2]
    return json.loads(result[1])


def test_analyze_obeys_the_contract(cli, demo):
    done = cli("analyze", demo, "--json")
    assert done.stderr == ""
    (entry,) = analysed((done.returncode, done.stdout, done.stderr))
    assert set(entry) == {"photo", "width", "height", "faces"}
    assert (entry["photo"], entry["width"], entry["height"]) == (str(demo), 512, 512)
    assert len(entry["faces"]) == 1
    check_face(entry["faces"][0], 512, 512)
    middle = np.array(entry["faces"][0]["landmarks68"])[27:36].mean(axis=0)
    assert np.linalg.norm(middle - [224, 110]) < 25  # the astronaut's nose


def test_analyze_prints_a_line_a_face_for_people(holotalk, demo):
    status, output, error = holotalk("analyze", demo)
    assert (status, error) == (0, "")
    lines = output.splitlines()
    assert lines[0] == f"{demo}: 1 face, 512 x 512 pixels"
    assert re.fullmatch(r"  1: \d+ x \d+ at \(\d+, \d+\), score 0\.\d\d, yaw [+-]\d+, .* degrees", lines[1])


def test_a_photo_without_a_face_has_an_empty_list(holotalk, tmp_path):
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "coffee.png")
    (entry,) = analysed(holotalk("analyze", tmp_path / "coffee.png", "--json"))
    assert entry["faces"] == []
    assert "error" not in entry


def test_analyze_goes_on_past_a_bad_photo(holotalk, demo, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    result = holotalk("analyze", tmp_path / "bad.jpg", demo, tmp_path / "missing.jpg", "--json")
    bad, good, missing = analysed(result)
    assert "error" not in good
    assert len(good["faces"]) == 1
    for entry in (bad, missing):
        assert entry["error"]
        assert "faces" not in entry
    assert [line.startswith("holotalk: ") for line in result[2].splitlines()] == [True, True]


def test_analyze_fails_only_where_all_are_bad(holotalk, tmp_path):
    names = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    entries = analysed(holotalk("analyze", *names, "--json"), status=2)
    assert [entry["photo"] for entry in entries] == [str(name) for name in names]
    assert all(entry["error"] for entry in entries)


def test_several_faces_come_largest_first(holotalk, photos):
    path = photos / "group-2.jpg"
    if not path.exists():
        pytest.skip("group-2.jpg is not in HOLOTALK_PHOTOS")
    (entry,) = analysed(holotalk("analyze", path, "--json"))
    areas = [face["box"][2] * face["box"][3] for face in entry["faces"]]
    assert len(areas) == 3
    assert areas == sorted(areas, reverse=True)
    for face in entry["faces"]:
        check_face(face, entry["width"], entry["height"])


def test_a_picture_20000_pixels_wide_is_analysed_in_its_own_pixels(holotalk, demo, tmp_path):
    """A wide panorama: the portrait stands at a known place in it."""
    place, side = (9000, 300), 1024
    with Image.open(demo) as picture:
        portrait = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    wide = Image.new("RGB", (20_000, 1500), (70, 80, 90))
    wide.paste(portrait, place)
    wide.save(tmp_path / "wide.jpg", quality=90)
    (small,) = analysed(holotalk("analyze", demo, "--json"))
    (entry,) = analysed(holotalk("analyze", tmp_path / "wide.jpg", "--json"))
    assert (entry["width"], entry["height"]) == (20_000, 1500)
    assert len(entry["faces"]) == 1
    check_face(entry["faces"][0], 20_000, 1500)
    expected = np.array(small["faces"][0]["landmarks68"]) * side / 512 + place
    found = np.array(entry["faces"][0]["landmarks68"])
    assert np.abs(found - expected).mean() < 0.03 * side


@pytest.mark.parametrize(
    "name", ["with some spaces.png", "Müßiggänger äöü.png", "人物.png", "it's 100% #1.png"]
)
def test_odd_names_work(holotalk, demo, tmp_path, name):
    shutil.copyfile(demo, tmp_path / name)
    (entry,) = analysed(holotalk("analyze", tmp_path / name, "--json"))
    assert entry["photo"] == str(tmp_path / name)
    assert len(entry["faces"]) == 1


def test_a_name_with_a_leading_dash_works_after_two_dashes(holotalk, demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(demo, "-me.png")
    (entry,) = analysed(holotalk("analyze", "--json", "--", "-me.png"))
    assert entry["photo"] == "-me.png"
    status, output, _ = holotalk("generate", *QUICK, "--motion", "still", "-o", "a b ü.png", "--", "-me.png")
    assert (status, output) == (0, "a b ü.png\n")
    assert contents(tmp_path) == ["-me.png", "a b ü.png"]

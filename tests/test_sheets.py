# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that make what the network learns from, and sheets to look at."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_people import write_made_up_truth
from PIL import Image

from holotalk_addon import assets
from holotalk_addon.cae import stack_data

SCRIPTS = Path(__file__).resolve().parent.parent / "blender_scripts"


def test_stacks_are_made_once_and_anew_when_their_shard_or_the_code_is(tools, tmp_path):
    data, output = tmp_path / "people", tmp_path / "stacks"

    def make():
        command = [sys.executable, SCRIPTS / "make_stacks.py", "--data", data, "-o", output, "--workers", "1"]
        environment = os.environ | {"PYTHONPATH": str(SCRIPTS.parent)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    write_made_up_truth(tools.model, data, range(1), size=256)
    assert "1 of 1 shards: 1 people, 0 without a face" in make()
    (first,) = output.iterdir()
    written = first.stat().st_mtime_ns
    assert make() == ""
    assert first.stat().st_mtime_ns == written
    write_made_up_truth(tools.model, data, range(2), size=256)  # the same shard with one more
    assert "1 of 1 shards: 2 people" in make()
    assert not first.exists()
    assert list(stack_data.read_stacks(output).person) == [0, 1]
    (second,) = output.iterdir()
    shard, people, _ = second.stem.rsplit("_", 2)
    second.rename(output / f"{shard}_{people}_0123456789ab.npz")  # as other code would have named its own
    said = make()
    assert "1 shards are of other people or other code: made anew" in said
    assert "1 of 1 shards: 2 people" in said
    assert list(output.iterdir()) == [second]


def test_data_that_is_no_use_for_stacks_is_told(load_script, tools, tmp_path, capsys):
    script = load_script("make_stacks")
    assert script.main(["--data", str(tmp_path), "-o", str(tmp_path / "x")]) == 2
    assert "no training data" in capsys.readouterr().err
    write_made_up_truth(tools.model, tmp_path / "small", range(1), size=64)
    assert script.main(["--data", str(tmp_path / "small"), "-o", str(tmp_path / "x")]) == 2
    assert "render it with --size 256 --yaws -90 90 180" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_completions_are_compared_on_photos(load_script, tmp_path, capsys):
    script = load_script("compare_completions")
    Image.new("RGB", (300, 300), (90, 120, 90)).save(tmp_path / "wall.png")
    photos = [str(assets.demo_portrait()), str(tmp_path / "wall.png")]
    sheet = tmp_path / "sheet.png"
    assert script.main([*photos, "-o", str(sheet), "--completions", "mirror"]) == 0
    assert "wall.png: No face" in capsys.readouterr().err
    picture = np.asarray(Image.open(sheet))
    assert picture.shape == (256, 9 * 256, 3)
    tiles = [picture[:, k * 256 : (k + 1) * 256] for k in range(9)]
    assert all(tile.std() > 15 for tile in tiles)
    assert script.main([photos[1], "-o", str(sheet)]) == 2
    assert script.main([*photos, "-o", str(tmp_path / "sheet.txt")]) == 2
    assert script.main([*photos, "-o", str(sheet), "--completions", "magic"]) == 2
    assert "no completion 'magic'" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["auto"], ["mirror"], ["mirror", "cae"]])
def test_the_likeness_of_a_completion_can_be_asked_for(evaluate, monkeypatch, capsys, names):
    asked = []
    rows = {"anna.jpg": np.array([0.2, 0.3, 0.3, 0.4, 0.4]), "ben.jpg": np.array([0.2, 0.4, 0.4, 0.5, 0.5])}
    moved = {"anna.jpg": np.array([-1, 0.01, 0.03, -0.02, -0.04]), "ben.jpg": np.full(5, -0.01)}

    def measured(_tools, _sheet, complete):
        asked.append(complete)
        return {name: row + moved[name] * (complete == "cae") for name, row in rows.items()}

    monkeypatch.setattr(evaluate, "_likeness", measured)
    monkeypatch.setattr(evaluate.pipeline, "load_tools", lambda: None)
    wanted = ["--complete", *names] if names != ["auto"] else []
    assert evaluate.main(["--only", "likeness", *wanted]) == 0
    assert asked == names
    told = capsys.readouterr().out
    if len(names) == 1:
        assert "median change" not in told
    else:
        assert "cae for mirror: median change of the distance +0.0000 at +-30, -0.0150 at +-45" in told
        assert "nearer in 6 of 8 views, farther by more than 0.02 in 1; most by +0.030 (anna.jpg at" in told

# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsing network in Keras: its loss, its training and its way into LiteRT.

What needs Keras and TensorFlow is left out where they are not installed: ``make test-train`` installs them.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_people import made_up_people
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="Keras is not installed: make test-train")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make test-train")

from holotalk_addon.face.parsing import CHANNELS, CLASSES, SIDE, ParsingNetwork
from holotalk_addon.learning import conversion, engine
from holotalk_addon.learning.parsing_people import save_people
from holotalk_addon.learning.parsing_samples import UNKNOWN, make_sample
from holotalk_addon.learning.parsing_training import COUNTS, PixelLoss, judge, parsing_network, parsing_task
from holotalk_addon.networks import find_network

ROOT = Path(__file__).resolve().parents[1]
SMALL = (8, 12, 16)


def test_the_published_weights_are_of_this_network():
    network, path = parsing_network(), find_network("parsing")
    assert network.input_shape == (None, SIDE, SIDE, CHANNELS)
    assert network.output_shape == (None, SIDE, SIDE, len(CLASSES))
    # 16-bit weights, and the graph.
    assert path.stat().st_size == pytest.approx(2 * network.count_params(), rel=0.02)
    assert ParsingNetwork(path).look(np.zeros((SIDE, SIDE, CHANNELS), np.uint8)).shape == (SIDE, SIDE, 8)


def test_the_loss_is_the_weighted_cross_entropy_of_known_pixels():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (2, 3, 4, len(CLASSES))).astype(np.float32)
    label = rng.integers(0, len(CLASSES), (2, 3, 4)).astype(np.uint8)
    label[0, 0, :3] = UNKNOWN
    odds = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    total = weight = 0.0
    for place in np.ndindex(label.shape):
        if label[place] != UNKNOWN:
            total -= COUNTS[label[place]] * np.log(odds[place][label[place]])
            weight += COUNTS[label[place]]
    assert float(PixelLoss()(label, logits)) == pytest.approx(total / (weight + 1.0), rel=1e-4)
    logits[0, 0, :3] = 99.0
    assert float(PixelLoss()(label, logits)) == pytest.approx(total / (weight + 1.0), rel=1e-4)


def test_judging_counts_known_pixels():
    """A stand-in for a network that always says what the first sample shows."""
    people = made_up_people(range(2))
    sample = make_sample(people, 0, np.random.default_rng(1), varied=False)

    class Said:
        def predict(self, batch, verbose):
            what = np.where(sample.label == UNKNOWN, CLASSES.index("cover"), sample.label)
            return np.repeat(np.eye(len(CLASSES))[what][None], len(batch), axis=0)

    right = judge(Said(), [sample])
    assert right["ground"] == right["skin"] == right["hair"] == right["clothes"] == 1.0
    assert right["cover"] == 0.0, "unknown pixels count for nothing"
    other = make_sample(people, 1, np.random.default_rng(1), varied=True)
    assert judge(Said(), [sample, other])["hair"] < 1.0


@pytest.mark.slow
def test_it_learns_and_converts(tmp_path):
    people, held_out = made_up_people(range(6)), made_up_people(range(50, 53))
    task = parsing_task(people, held_out)
    options = engine.TrainingOptions(epochs=2, batch=4, steps=12, learning_rate=4e-3, seed=3, cosine=True)
    task = engine.Task(**{**vars(task), "network": lambda: parsing_network(SMALL)})
    state = engine.train(task, tmp_path / "run", options, lambda _line: None)
    first, last = state.history
    assert last["loss"] < first["loss"]
    assert last["val_loss"] < np.log(len(CLASSES)), "better than not knowing"
    assert {f"iou_{name}" for name in CLASSES} <= set(last)
    assert first["learning_rate"] == pytest.approx(4e-3)
    assert last["learning_rate"] == pytest.approx(2e-3), "half way along the cosine"
    sheet = np.asarray(Image.open(tmp_path / "run" / "sheets" / "epoch_0002.png"))
    assert sheet.shape == (3 * SIDE, 3 * SIDE, 3)
    assert sheet.std() > 20
    network = engine.best_network(tmp_path / "run", parsing_network(SMALL))
    path = tmp_path / "parsing.tflite"
    conversion.convert(network, path)
    given = task.held_out.make(np.arange(2), None)[0]
    assert conversion.disagreement(network, path, given.astype(np.float32)) < 0.05
    odds = np.exp(network.predict(np.concatenate([given[:1], given[:1, :, ::-1]]), verbose=0))
    odds /= odds.sum(axis=-1, keepdims=True)
    looked = ParsingNetwork(path).look(given[0])
    np.testing.assert_allclose(looked, (odds[0] + odds[1][:, ::-1]) / 2, atol=0.02)


@pytest.mark.slow
def test_the_script_goes_from_people_to_a_tflite(tmp_path):
    """Samples are made by two processes; the table names every class that there is."""
    save_people(made_up_people(range(13)), tmp_path / "people.npz")
    script = [sys.executable, ROOT / "blender_scripts" / "train_parsing.py"]
    output = tmp_path / "parsing.tflite"
    train = ["train", "--people", tmp_path / "people.npz", "--run", tmp_path / "run", "-o", output]
    some = ["--epochs", "1", "--steps", "2", "--batch", "2", "--workers", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def run(*arguments):
        command = [*script, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = run(*train, *some)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "11 people, 2 held out" in done.stdout
    assert output.stat().st_size > 4_000_000
    done = run("judge", "--people", tmp_path / "people.npz", "--network", output)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("| skin | 0.") == 2
    assert "| glasses | - |" in done.stdout, "nobody wears any"
    done = run("judge", "--people", output, "--network", output)
    assert done.returncode == 2
    assert "make it anew" in done.stderr
    assert "Traceback" not in done.stderr

# SPDX-License-Identifier: GPL-3.0-or-later
"""HOLOTALK's autoencoder and our network in Keras: their shapes, training, and way into LiteRT.

What needs Keras and TensorFlow is left out where they are not installed: ``make test-train`` installs them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_people import made_up_person, write_made_up_data, write_made_up_truth
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="Keras is not installed: make test-train")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed: make test-train")

from holotalk_addon import pipeline
from holotalk_addon.cae import completion_training, holotalk_training, stack_data, stacks
from holotalk_addon.cae.completion_training import (
    SEEN_COUNTS,
    SideLoss,
    UnseenError,
    UnseenStructure,
    completion_task,
    samples_of,
    structure,
)
from holotalk_addon.cae.holotalk_training import holotalk_task
from holotalk_addon.cae.snapshots import Snapshots, read_snapshots, stacked, template_sides
from holotalk_addon.errors import AssetError, OptionError
from holotalk_addon.learning import conversion, engine, judging
from holotalk_addon.learning.shards import open_data

ROOT = Path(__file__).resolve().parents[1]
FIRST_HELD_OUT = 1_000_000


@pytest.fixture(scope="module")
def data(tools, tmp_path_factory):
    """Folders of made-up people: to learn from, and held out."""
    folder = tmp_path_factory.mktemp("data")
    write_made_up_data(tools.model, folder / "train", range(12))
    write_made_up_data(tools.model, folder / "held", range(FIRST_HELD_OUT, FIRST_HELD_OUT + 4))
    return folder


@pytest.fixture(scope="module")
def samples(data):
    return read_snapshots(data / "train"), read_snapshots(data / "held")


@pytest.fixture(scope="module", autouse=True)
def same_sums():
    """Sums of several threads in one order, so that two runs can be compared."""
    import tensorflow

    tensorflow.config.experimental.enable_op_determinism()


@pytest.fixture(scope="module")
def run(samples, tools, tmp_path_factory):
    """A run of two epochs that was stopped after the first and resumed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    templates = template_sides(tools.model)
    for epochs in (1, 2):
        options = engine.TrainingOptions(epochs=epochs, batch=4, seed=3)
        state = engine.train(holotalk_task(*samples, templates), folder, options, lambda _line: None)
        assert state.epoch == epochs
    return folder


def best(run):
    return engine.best_network(run, holotalk_training.holotalk_autoencoder())


def test_the_network_is_holotalks():
    model = holotalk_training.holotalk_autoencoder()
    assert model.count_params() == holotalk_training.PARAMETERS == 8_970_753
    assert model.input_shape == model.output_shape == (None, 128, 64, 1)
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    encoder, decoder = ["Conv2D", "MaxPooling2D"] * 5, ["Conv2D", "UpSampling2D"] * 5
    assert kinds == [*encoder, "Flatten", "Dense", "Dense", "Reshape", *decoder, "Conv2D"]
    filters = [layer.filters for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert filters == [32, 64, 128, 256, 512, 512, 256, 128, 64, 32, 1]
    assert model.layers[-1].activation.__name__ == "sigmoid"
    assert model.get_layer("flatten").output.shape == (None, 4096)


@pytest.mark.slow
def test_it_learns(run, samples):
    """After two short epochs it is much nearer to people it has never seen than at first."""
    state = engine.read_state(run)
    losses = [row["val_loss"] for row in state.history]
    assert losses[1] < losses[0]
    _, held = samples
    true = stacked(held.front, held.side)
    untrained = holotalk_training.holotalk_autoencoder().predict(true, verbose=0)
    made = best(run).predict(true, verbose=0)
    assert np.abs(made - true).mean() < 0.6 * np.abs(untrained - true).mean()


@pytest.mark.slow
def test_a_resumed_run_sees_what_an_uninterrupted_one_sees(run, samples, tmp_path):
    """The same order, mirroring and optimizer: the same weights."""
    options = engine.TrainingOptions(epochs=2, batch=4, seed=3)
    engine.train(holotalk_task(*samples), tmp_path / "straight", options, lambda _line: None)
    _, held = samples
    true = stacked(held.front, held.side)
    resumed = best(run).predict(true, verbose=0)
    straight = best(tmp_path / "straight").predict(true, verbose=0)
    np.testing.assert_allclose(resumed, straight, atol=1e-6)


def test_a_run_keeps_sheets_curves_and_state(run):
    sheets = sorted((run / "sheets").glob("*.png"))
    assert [sheet.stem for sheet in sheets] == ["epoch_0001", "epoch_0002"]
    picture = np.asarray(Image.open(sheets[-1]))
    assert picture.shape == (2 * 4 * 128, 2 * 8 * 64)
    assert picture.std() > 10
    assert list((run / "logs").rglob("events.out.tfevents.*"))
    state = json.loads((run / "state.json").read_text())
    assert {"val_loss", "transfer_l1", "l1", "learning_rate"} <= set(state["history"][0])
    assert [path.name for path in run.glob("*.keras")] == [state["checkpoint"]]


@pytest.mark.slow
def test_it_stops_when_held_out_people_gain_nothing(samples, tmp_path):
    learnt, held = samples
    # Noise cannot be learnt: the loss on it soon rises.
    rng = np.random.default_rng(0)
    noise = Snapshots(held.person, held.yaw, *rng.integers(0, 256, (2, *held.front.shape), dtype=np.uint8))
    options = engine.TrainingOptions(epochs=40, batch=32, patience=2, steps=1)
    state = engine.train(holotalk_task(learnt, noise), tmp_path / "run", options, lambda _line: None)
    assert state.stopped
    assert state.epoch == state.best_epoch + 2 < 40
    again = engine.train(holotalk_task(learnt, noise), tmp_path / "run", options, lambda _line: None)
    assert again == state


def test_the_same_people_cannot_be_learnt_from_and_held_out(samples, tmp_path):
    learnt, _ = samples
    with pytest.raises(OptionError, match="same people"):
        engine.train(holotalk_task(learnt, learnt), tmp_path / "run", engine.TrainingOptions())


def test_a_run_is_not_gone_on_with_as_another(our_run, sides, run):
    options = engine.TrainingOptions(epochs=3)
    with pytest.raises(OptionError, match="cae, this is cae without filling and restraint"):
        engine.train(completion_task(*sides, without=["restraint", "filling"]), our_run, options)
    with pytest.raises(OptionError, match="holotalk, this is cae:"):
        engine.train(completion_task(*sides), run, options)


def test_decisions_can_be_left_out(sides):
    """To see what they are worth: nothing drawn where nothing was seen, drawn freely, plain differences."""
    task = completion_task(*sides, without=["filling", "restraint", "structure"])
    stack, target = task.held_out.make(np.arange(3), None)
    whole, _ = completion_task(*sides).held_out.make(np.arange(3), None)
    seen = whole[..., 6] > 0.99
    assert (stack[stack[..., 6] == 0][:, :3] == 0).all()
    np.testing.assert_allclose(stack[seen][:, :3], whole[seen][:, :3], atol=0.01)
    np.testing.assert_array_equal(stack[..., 3:], whole[..., 3:])
    picture = task.network().predict(stack, verbose=0)
    assert abs(np.corrcoef(picture.ravel(), stack[..., :3].ravel())[0, 1]) < 0.9
    counts = target[..., 3:]
    plain = float((np.abs(target[..., :3] - 0.5) * counts).sum() / (3 * (counts.sum() + 1)))
    assert float(task.loss(target, np.full_like(target[..., :3], 0.5))) == pytest.approx(plain, rel=1e-4)


def test_a_foreign_state_is_told(tmp_path):
    (tmp_path / "state.json").write_text('{"what": 1}')
    with pytest.raises(OptionError, match="not the state"):
        engine.read_state(tmp_path)


@pytest.fixture(scope="module")
def tflite(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("tflite") / "holotalk.tflite"
    conversion.convert(best(run), path)
    return path


def test_litert_agrees_with_keras(run, samples, tflite):
    _, held = samples
    pictures = stacked(held.front, held.side)
    assert conversion.disagreement(best(run), tflite, pictures) <= 1e-3
    # Two bytes a weight: float16.
    assert tflite.stat().st_size == pytest.approx(2 * holotalk_training.PARAMETERS, rel=0.01)


def test_the_weights_come_back_out_of_the_tflite(run, samples, tflite):
    again = holotalk_training.holotalk_autoencoder()
    again.set_weights(conversion.weights_of(tflite))
    trained = best(run)
    for ours, theirs in zip(trained.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
    _, held = samples
    assert conversion.disagreement(again, tflite, stacked(held.front[:4], held.side[:4])) <= 1e-3


def test_training_can_begin_with_published_weights(samples, tflite, tmp_path):
    options = engine.TrainingOptions(epochs=1, batch=4, steps=1, learning_rate=1e-9)
    start = conversion.weights_of(tflite)
    engine.train(holotalk_task(*samples), tmp_path / "run", options, lambda _line: None, start)
    _, held = samples
    pictures = stacked(held.front[:4], held.side[:4])
    assert conversion.disagreement(best(tmp_path / "run"), tflite, pictures) <= 1e-3


def test_other_files_are_no_weights(tmp_path):
    with pytest.raises(AssetError, match="cannot be read"):
        conversion.weights_of(tmp_path / "none.tflite")
    (tmp_path / "bad.tflite").write_bytes(b"not a network at all")
    with pytest.raises(AssetError, match="not a network"):
        conversion.weights_of(tmp_path / "bad.tflite")


def test_mirroring_is_by_sample_and_epoch(samples):
    learnt, held = samples
    options = engine.TrainingOptions(batch=32, seed=5)
    samples = holotalk_task(learnt, held).training
    first, second = (engine.Dealt(samples, options, epoch)[0][0] for epoch in (0, 1))
    again = engine.Dealt(samples, options, 0)[0][0]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    straight = {picture.tobytes() for picture in stacked(learnt.front, learnt.side)}
    mirrored = {picture[:, ::-1].tobytes() for picture in stacked(learnt.front, learnt.side)}
    kinds = [(picture.tobytes() in straight, picture.tobytes() in mirrored) for picture in first]
    assert all(a or b for a, b in kinds)
    assert 4 <= sum(a for a, _ in kinds) <= 28


@pytest.mark.slow
def test_the_script_goes_from_data_to_a_tflite(data, tmp_path):
    script = ROOT / "blender_scripts" / "train_cae.py"
    output = tmp_path / "holotalk.tflite"
    command = [
        sys.executable, script, "--network", "holotalk", "--data", data / "train",
        "--held-out", data / "held", "--run", tmp_path / "run", "-o", output,
        "--epochs", "1", "--steps", "2", "--batch", "4",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "60 stacks of 12 people, 20 of 4 held out" in done.stdout
    assert "LiteRT and Keras differ by at most" in done.stdout
    from holotalk_addon.cae.holotalk import HolotalkNetwork

    assert HolotalkNetwork(output) is not None
    missing = [*command[:5], tmp_path / "nothing", *command[6:]]
    done = subprocess.run(missing, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("train_cae: There is no training data in")


@pytest.fixture(scope="module")
def sides(tools, tmp_path_factory):
    """Stacks of made-up people for our own network: to learn from, and held out."""
    result = []
    for name, numbers in (("train", range(3)), ("held", range(FIRST_HELD_OUT, FIRST_HELD_OUT + 1))):
        folder = tmp_path_factory.mktemp("sides") / name
        write_made_up_truth(tools.model, folder, numbers, size=stacks.STACK_SIZE)
        parts = []
        for person in judging.true_people(open_data(folder, "full"), tuple(stacks.SIDE_YAWS.values())):
            given = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=512).head
            parts.append(stack_data.learning_stacks(person, given))
        result.append(stack_data.joined(parts))
    return result


@pytest.fixture(scope="module")
def our_run(sides, tmp_path_factory):
    """A run of our network that was stopped after its first epoch and resumed."""
    folder = tmp_path_factory.mktemp("runs") / "ours"
    for epochs in (1, 2):
        options = engine.TrainingOptions(epochs=epochs, batch=3, seed=3)
        engine.train(completion_task(*sides), folder, options, lambda _line: None)
    return folder


def test_our_network_begins_with_what_it_is_given(sides):
    """Untrained, it passes the side on as mirroring and filling have made it."""
    made = completion_training.completion_network()
    assert made.input_shape == (None, stacks.STACK_SIZE, stacks.STACK_SIZE, stacks.CHANNELS)
    assert made.output_shape == (None, stacks.STACK_SIZE, stacks.STACK_SIZE, 3)
    assert made.count_params() < 2_500_000
    stack, _ = samples_of(sides[1]).make(np.arange(3), None)
    np.testing.assert_allclose(made.predict(stack, verbose=0), stack[..., :3], atol=1e-6)


def test_our_network_shades_and_draws_nothing(sides):
    """Whatever its weights: the ground stays black, and detail stays what it is, lighter or darker."""
    made = completion_training.completion_network()
    rng = np.random.default_rng(2)
    spreads = [(2 / max(np.prod(w.shape[:-1]), 40)) ** 0.5 for w in made.get_weights()]  # that nothing grows
    made.set_weights(
        [
            rng.normal(0, spread, w.shape).astype(np.float32)
            for spread, w in zip(spreads, made.get_weights(), strict=True)
        ]
    )
    stack, _ = samples_of(sides[1]).make(np.arange(3), None)
    side, cover = 0.3 * stack[..., :3], stack[..., 7]
    stack[..., :3] = side
    picture = made.predict(stack, verbose=0)
    assert (picture[cover == 0] == 0).all()
    whole = (cover == 1)[..., None] & (picture > 0) & (picture < 1)
    gains = np.log((picture + stacks.DARKEST) / (side + stacks.DARKEST))
    assert np.abs(gains[whole]).max() <= completion_training.MOST_GAIN + 1e-3
    assert gains[whole].std() > 0.05
    assert np.ptp(gains, axis=-1)[whole.all(axis=-1)].max() < 1e-3, "and in its own colours"
    both = whole[:, :, 1:] & whole[:, :, :-1]
    assert np.abs(np.diff(gains, axis=2))[both].max() < 2 * completion_training.MOST_GAIN / 8 + 0.01, "smooth"


def test_right_sides_are_learnt_as_left_ones(sides):
    """And backs alone are mirrored at random."""
    made = samples_of(sides[1])
    straight, target = made.make(np.arange(3), None)
    one = sides[1]
    np.testing.assert_array_equal(straight[0, ..., :3], one.side[0, 0] / np.float32(255))
    np.testing.assert_array_equal(straight[1, ..., :3], one.side[0, 1, :, ::-1] / np.float32(255))
    np.testing.assert_array_equal(target[1, ..., :3], one.truth[0, 1, :, ::-1] / np.float32(255))
    counts, masks = target[..., 3], straight[..., 6:]
    turned = []
    for seed in range(8):
        varied, truth = made.make(np.arange(3), np.random.default_rng(seed))
        np.testing.assert_array_equal(varied[:2, ..., 6:], masks[:2])
        turned.append(not np.array_equal(varied[2, ..., 6:], masks[2]))
        way = np.s_[:, ::-1] if turned[-1] else np.s_[:]
        np.testing.assert_array_equal(varied[2, ..., 6:], masks[2][way])
        np.testing.assert_array_equal(truth[2, ..., 3], counts[2][way])
    assert 0 < sum(turned) < 8


def test_colours_vary_alike_in_what_is_shown_and_in_what_is_asked_for(sides):
    """As a camera would: black stays black, lighter stays lighter; and never when networks are judged."""
    made = samples_of(sides[1])
    straight, target = made.make(np.arange(1), None)
    factors = []
    for seed in range(6):
        varied, truth = made.make(np.arange(1), np.random.default_rng(seed))
        for colour in range(3):
            before, after = (
                np.concatenate([stack[0, ..., colour], stack[0, ..., 3 + colour], asked[0, ..., colour]])
                for stack, asked in ((straight, target), (varied, truth))
            )
            level, first, which = np.unique(np.rint(255 * before), return_index=True, return_inverse=True)
            curve = after.ravel()[first]
            np.testing.assert_array_equal(curve[which.ravel()], after.ravel(), "one curve for all pictures")
            assert level[0] == curve[0] == 0
            assert np.all(np.diff(curve) >= 0)
            factors.append(after.sum() / before.sum())
    assert 0.04 < np.std(factors) < 0.4


def test_the_loss_counts_what_was_not_seen_most(sides):
    _, target = samples_of(sides[1]).make(np.arange(3), None)
    loss = SideLoss()
    truth, counts = target[..., :3], target[..., 3]
    noise = np.random.default_rng(8).random(truth.shape).astype(np.float32)
    assert float(loss(target, truth)) == pytest.approx(0, abs=1e-6)
    off = {}
    for name, value in (("unseen", 1.0), ("seen", SEEN_COUNTS), ("not judged", 0.0)):
        region = np.isclose(counts, value)
        assert region.any(), name
        few = region & (np.cumsum(region.reshape(-1)).reshape(region.shape) <= 2000)
        off[name] = float(SideLoss(0, 0)(target, truth + 0.2 * few[..., None]))
    assert off["unseen"] == pytest.approx(off["seen"] / SEEN_COUNTS, rel=0.01)
    assert off["not judged"] == pytest.approx(0, abs=1e-6)
    error = UnseenError()
    error.update_state(target, truth + 0.1)
    assert float(error.result()) == pytest.approx(0.1, rel=0.01)
    found = {}
    for name, picture in (("same", truth), ("seen is noise", np.where(counts[..., None] < 1, noise, truth)),
                          ("all is noise", noise)):  # fmt: skip
        alike = UnseenStructure()
        alike.update_state(target, picture)
        found[name] = float(alike.result())
    assert found["same"] == pytest.approx(1, abs=1e-3)
    assert 0.8 < found["seen is noise"] < 1  # windows reach over the edge
    assert found["all is noise"] < 0.1


def test_structure_is_that_of_wang():
    """Window by window: covariance and means, by NumPy."""
    rng = np.random.default_rng(4)
    one = rng.random((1, 64, 64, 1)).astype(np.float32)
    other = np.clip(one + rng.normal(0, 0.2, one.shape), 0, 1).astype(np.float32)
    ours = np.asarray(structure(one, other))[0, ..., 0]
    assert ours.shape == (15, 15)
    for row, column in ((0, 0), (3, 7), (14, 14)):
        part = np.s_[0, 4 * row : 4 * row + 8, 4 * column : 4 * column + 8, 0]
        (aa, ab), (_, bb) = np.cov(one[part].ravel(), other[part].ravel(), bias=True)
        a, b = one[part].mean(), other[part].mean()
        light = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
        true = light * (2 * ab + 9e-4) / (aa + bb + 9e-4)
        assert ours[row, column] == pytest.approx(true, abs=1e-4)


@pytest.mark.slow
def test_our_network_learns_resumes_and_converts(our_run, sides, tmp_path):
    state = engine.read_state(our_run)
    assert [row["epoch"] for row in state.history] == [1, 2]
    assert {"val_loss", "val_unseen_l1", "val_unseen_ssim"} <= set(state.history[0])
    assert state.history[1]["loss"] < state.history[0]["loss"]
    picture = np.asarray(Image.open(our_run / "sheets" / "epoch_0002.png"))
    assert picture.shape == (stacks.STACK_SIZE, 10 * stacks.STACK_SIZE, 3)
    options = engine.TrainingOptions(epochs=2, batch=3, seed=3)
    engine.train(completion_task(*sides), tmp_path / "straight", options, lambda _line: None)
    stack, _ = samples_of(sides[1]).make(np.arange(3), None)
    made = [
        engine.best_network(run, completion_training.completion_network())
        for run in (our_run, tmp_path / "straight")
    ]
    resumed, straight = (one.predict(stack, verbose=0) for one in made)
    np.testing.assert_allclose(resumed, straight, atol=1e-5)
    path = tmp_path / "cae.tflite"
    conversion.convert(made[0], path)
    assert conversion.disagreement(made[0], path, stack) <= 1e-3
    again = completion_training.completion_network()
    again.set_weights(conversion.weights_of(path))
    assert conversion.disagreement(again, path, stack) <= 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "said", "size"),
    [
        ("holotalk", 5, "10 stacks of 2 people, 5 of 1 held out", 17_000_000),
        ("cae", 7, "6 stacks of 2 people, 3 of 1 held out", 2_000_000),
    ],
)
def test_from_nothing_to_weights(tmp_path, name, steps, said, size):
    """``make train`` on three people: rendered, trained on, converted, judged; and again without work."""
    output = tmp_path / f"{name}.tflite"
    command = [
        sys.executable, ROOT / "blender_scripts" / "make_weights.py", "--folder", tmp_path, "--network", name,
        "--people", "2", "--held-out", "1", "--judged", "1", "--size", "192", "--workers", "0",
        "-o", output, "--train", "--epochs", "1", "--steps", "1", "--batch", "4",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len([line for line in done.stdout.splitlines() if line.startswith("$ ")]) == steps
    assert said in done.stdout
    table = (tmp_path / "table.md").read_text()
    for way in ("template", "mirror", name):
        assert f"| {way} | all |" in table
    assert output.stat().st_size > size
    full = output.with_suffix(".keras")
    assert full.is_file() == (name == "cae"), "ours is kept in full precision too"
    if full.is_file():
        assert full.stat().st_size > 1.9 * output.stat().st_size
    assert np.asarray(Image.open(tmp_path / "worst.png")).std() > 5
    first = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("shard_*.npz"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("shard_*.npz")) == first
    assert (tmp_path / "table.md").read_text() == table


def test_made_up_people_differ(tools):
    """The stand-in data is worth learning from."""
    one, other = (made_up_person(tools.model, number)(0) for number in (1, 2))
    assert np.abs(one.astype(float) - other).mean() > 3

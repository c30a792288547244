# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that trains, on a network of a few weights: a resumed run is the uninterrupted one, or refused.

Any backend of Keras will do; where Keras is not installed, what needs it is left out: ``make test-train``.
"""

import json
import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="Keras is not installed: make test-train")

import keras

from holotalk_addon.errors import OptionError
from holotalk_addon.learning import engine
from holotalk_addon.learning.run_record import RECORD, arrays_digest

OPTIONS = engine.TrainingOptions(epochs=6, batch=4, learning_rate=0.01, seed=5)


def network(filters=3):
    numbers = keras.Input((2,), name="numbers")
    x = keras.layers.Dense(filters, activation="relu", name="hidden")(numbers)
    return keras.Model(numbers, keras.layers.Dense(1, name="sum")(x), name="small")


def samples(first, count, off=0.0):
    """Pairs of numbers and their sum; varied, a little is added to both."""
    numbers = np.random.default_rng(first).normal(size=(count, 2)).astype(np.float32)
    sums = numbers.sum(axis=1, keepdims=True) + np.float32(off)

    def make(chosen, rng):
        seen_head = numbers[chosen]
        return (seen_head if rng is None else seen_head + rng.normal(0, 0.01, seen_head.shape)), sums[chosen]

    return engine.Samples(first + np.arange(count), make, arrays_digest((numbers, sums)))


def task(**changes):
    whole = engine.Task(
        name="small",
        settings={"filters": 3},
        network=network,
        loss="mean_squared_error",
        metrics=(),
        training=samples(0, 12),
        held_out=samples(1000, 6),
        sheet=lambda _network: np.zeros((4, 4, 3), dtype=np.uint8),
    )
    return replace(whole, **changes)


def unlearnable():
    """A task whose held-out loss soon rises: other sums are asked for than are learnt."""
    return task(held_out=samples(1000, 6, off=-50.0))


def train(run, options=OPTIONS, start=None, **changes):
    return engine.train(task(**changes), run, options, lambda _line: None, start)


def rates(state):
    return [row["learning_rate"] for row in state.history]


@pytest.fixture
def begun(tmp_path):
    """A run of which two epochs are done."""
    train(tmp_path / "run", replace(OPTIONS, epochs=2))
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("options", "change", "told"),
    [
        ({"batch": 8}, {}, "batch 4 then, 8 now"),
        ({"learning_rate": 0.5}, {}, "learning rate 0.01 then, 0.5 now"),
        ({"seed": 6}, {}, "seed 5 then, 6 now"),
        ({"steps": 2}, {}, "steps none then, 2 now"),
        ({"cosine": True}, {}, "cosine over epochs none then, 6 now"),
        ({}, {"settings": {"filters": 4}}, "filters 3 then, 4 now"),
        ({}, {"network": partial(network, 4)}, "parameters of the network 13 then, 17 now"),
        ({}, {"loss": "mean_absolute_error"}, "loss mean_squared_error then, mean_absolute_error now"),
        ({}, {"training": samples(0, 13)}, "samples to learn from"),
        ({}, {"training": samples(0, 12, off=1e-3)}, "samples to learn from"),
        ({}, {"held_out": samples(1001, 6)}, "samples held out"),
        ({}, {"start": [np.ones((2, 3))]}, "weights to begin with none then,"),
    ],
)
def test_a_run_is_not_gone_on_with_otherwise(begun, options, change, told):
    before = {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()}
    with pytest.raises(OptionError) as refused:
        train(begun, replace(OPTIONS, **options), **change)
    assert told in str(refused.value)
    assert "choose another folder" in str(refused.value)
    assert {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()} == before


def test_several_differences_are_all_named_and_digests_are_short(begun):
    with pytest.raises(OptionError) as refused:
        train(begun, replace(OPTIONS, batch=2, seed=1), training=samples(0, 14))
    text = str(refused.value)
    assert "batch 4 then, 2 now; seed 5 then, 1 now; samples to learn from " in text
    assert len(text) < len(str(begun)) + 300


def test_a_finished_run_does_not_pass_for_another(begun):
    """Even where nothing would be trained: its network has not learnt from these samples."""
    with pytest.raises(OptionError, match="samples to learn from"):
        train(begun, replace(OPTIONS, epochs=2), training=samples(0, 13))


def test_more_epochs_more_patience_and_other_workers_may_be_asked_for(begun):
    state = train(begun, replace(OPTIONS, epochs=3, patience=9, workers=2))
    assert state.epoch == 3


def test_a_run_without_a_record_is_not_taken_over(begun):
    (begun / RECORD).unlink()
    with pytest.raises(OptionError, match="does not say what its training was begun with"):
        train(begun)
    (begun / RECORD).write_text("[]")
    with pytest.raises(OptionError, match="cannot be read"):
        train(begun)


def test_where_no_epoch_has_ended_anything_may_begin(tmp_path):
    def stop(_network):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, sheet=stop)
    assert json.loads((tmp_path / RECORD).read_text())["batch"] == 4
    state = train(tmp_path, replace(OPTIONS, batch=8, epochs=1))
    assert state.epoch == 1
    assert json.loads((tmp_path / RECORD).read_text())["batch"] == 8


@pytest.mark.parametrize("cosine", [False, True])
def test_a_run_that_is_stopped_anywhere_ends_as_an_uninterrupted_one(tmp_path, cosine):
    """Ended in the midst of epochs 2 and 4, as the sheet is drawn: the same figures, rates and weights."""
    options = replace(OPTIONS, cosine=cosine)
    straight = train(tmp_path / "straight", options)
    drawn = []

    def sheet(_network):
        drawn.append(1)
        if len(drawn) in (2, 5):
            raise KeyboardInterrupt
        return np.zeros((4, 4, 3), dtype=np.uint8)

    for done in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "resumed", options, sheet=sheet)
        assert engine.read_state(tmp_path / "resumed").epoch == done
    resumed = train(tmp_path / "resumed", options, sheet=sheet)
    assert len(resumed.history) == len(straight.history) == 6
    for one, other in zip(resumed.history, straight.history, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    weights = [
        engine.best_network(tmp_path / name, network()).get_weights() for name in ("straight", "resumed")
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    if cosine:
        wanted = 0.005 * (1 + np.cos(np.pi * np.arange(6) / 6))
        assert rates(resumed) == pytest.approx(wanted.tolist(), rel=1e-5)


def test_the_rate_is_halved_and_the_run_ends_where_nothing_is_gained_across_a_resume(tmp_path):
    """Two epochs without a gain halve the rate once, whether or not the run was resumed between them."""
    options = replace(OPTIONS, epochs=20, patience=5)
    straight = engine.train(unlearnable(), tmp_path / "straight", options, lambda _line: None)
    assert straight.stopped
    assert straight.epoch == straight.best_epoch + 5
    for epochs in range(1, 21):
        resumed = engine.train(
            unlearnable(), tmp_path / "resumed", replace(options, epochs=epochs), lambda _line: None
        )
    assert (resumed.epoch, resumed.best_epoch) == (straight.epoch, straight.best_epoch)
    assert rates(resumed) == pytest.approx(rates(straight), rel=1e-6)
    assert min(rates(straight)) == pytest.approx(0.01 / 4, rel=1e-6)
    more = engine.train(unlearnable(), tmp_path / "resumed", replace(options, patience=7), lambda _line: None)
    assert more.epoch == more.best_epoch + 7


def test_arrays_are_told_apart_by_all_that_they_are():
    one = np.arange(6, dtype=np.int32)
    digests = [
        arrays_digest(arrays)
        for arrays in (
            [one],
            [one.reshape(2, 3)],
            [one.astype(np.int64)],
            [one.astype(np.float32)],
            [one[:3], one[3:]],
            [one[::-1]],
            [],
        )
    ]
    assert len(set(digests)) == len(digests)
    assert arrays_digest([np.ascontiguousarray(one.reshape(2, 3).T)]) == arrays_digest([one.reshape(2, 3).T])

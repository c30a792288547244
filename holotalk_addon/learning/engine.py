# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of a network: resumes, logs for TensorBoard, draws a sheet an epoch, stops early.

A run is a folder. After each epoch it holds all that is needed to go on as if nothing had happened:
``state.json`` (written last) names the checkpoint with the optimizer's state; ``best.weights.h5`` has the
weights that did best on held-out people; ``sheets/`` has a picture an epoch, ``logs/`` the curves. The order
of samples, and how each is varied, follow from the seed and the epoch's number alone.

``begun_with.json`` says what decides the result: the task with its settings, the options, the digests of the
samples. A run is gone on with by the same alone; runs of versions that wrote no such file are not gone on
with. More epochs and more patience may be given: they say when to end, not what is learnt (but where the
learning rate falls along a cosine, over all epochs). So may workers, who change nothing, and Keras's backend,
which changes last digits: a run can be trained on one and converted on another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import OptionError
from ..outputs import make_folder, replacing, write_text
from .run_record import arrays_digest, begin_record, check_record

BEST = "best.weights.h5"
_STATE = "state.json"


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the defaults are those of HOLOTALK's published weights."""

    epochs: int = 60
    """At most so many; a run that has ended goes on where more are asked for."""
    batch: int = 32
    learning_rate: float = 1e-3
    """Of Adam; halved whenever the held-out loss has not fallen for two epochs."""
    patience: int = 6
    """Stop after so many epochs in which the held-out loss has not fallen; a run that has stopped goes on
    where more are asked for."""
    steps: int | None = None
    """Steps an epoch; None: once through the data."""
    seed: int = 0
    workers: int = 1
    """Processes that make samples; 1: this one."""
    cosine: bool = False
    """The learning rate falls along a half cosine over all epochs (Loshchilov & Hutter 2017), instead of by
    what has been reached."""


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands."""

    epoch: int = 0
    """Epochs done."""
    best_loss: float = float("inf")
    best_epoch: int = 0
    checkpoint: str = ""
    """The file with the network and its optimizer after ``epoch``."""
    task: str = ""
    """Name of what is trained."""
    stopped: bool = False
    """Whether it has stopped early."""
    history: list[dict[str, float]] = field(default_factory=list)
    """A row an epoch."""


@dataclass(frozen=True)
class Samples:
    """Samples that are made as they are asked for."""

    person: NDArray[np.int64]
    """(N,) whom each of them shows."""
    make: Callable[[NDArray[np.intp], np.random.Generator | None], tuple[Any, Any]]
    """Input and target of (n,) samples: varied by the generator (mirrored, say); None: as they are."""
    digest: str
    """Of all that they are made of, as :func:`.run_record.arrays_digest` gives it."""


@dataclass(frozen=True)
class Task:
    """What is trained, on whom, and how it is judged."""

    name: str
    """A run is gone on with by a task of the same name only."""
    settings: Mapping[str, Any]
    """What decides the result beside options and samples, as plain values by a name for users: filters of the
    network, what counts in the loss. A run is gone on with by the same only."""
    network: Callable[[], keras.Model]
    """Makes it, freshly initialised."""
    loss: Any
    """As Keras takes it."""
    metrics: Sequence[Callable[[], keras.metrics.Metric]]
    training: Samples
    """What to learn from; varied."""
    held_out: Samples
    """Other people, on whom every epoch is judged; never varied."""
    sheet: Callable[[keras.Model], NDArray[np.uint8]]
    """Draws what the network makes of some of them."""
    judge: Callable[[keras.Model], dict[str, float]] = lambda _network: {}
    """More figures of an epoch, by name."""


def train(
    task: Task,
    run: Path,
    options: TrainingOptions,
    say: Callable[[str], None] = print,
    start: Sequence[NDArray[np.float32]] | None = None,
) -> TrainingState:
    """Train, or go on training, until the held-out loss has stopped falling.

    Args:
        task: what.
        run: the run's folder; where it holds a run already, that goes on.
        options: how.
        say: told one line an epoch.
        start: weights to begin with, as :func:`.conversion.weights_of` gives them; None: random ones.

    Returns:
        The last state; :func:`best_network` gives the network.

    Raises:
        OptionError: nobody to learn from or to judge by, or the same people in both; the folder holds a run
            of another task, one that was begun with other options or data, or one that does not say so.
        OutputError: the folder cannot be written.
    """
    if not len(task.training.person) or not len(task.held_out.person):
        raise OptionError("There are no samples to train on or to judge by: render some first.")
    if np.intersect1d(task.training.person, task.held_out.person).size:
        raise OptionError("The same people are trained on and held out: render them with other numbers.")
    make_folder(run)
    make_folder(run / "sheets")
    state = read_state(run)
    if state.epoch and state.task != task.name:
        raise OptionError(
            f"{run} holds a training of {state.task}, this is {task.name}: choose another folder."
        )
    keras.utils.set_random_seed(options.seed)
    network = task.network()
    record = _record(task, network, options, start)
    if state.epoch:
        check_record(run, record)
    else:  # nothing is lost where no epoch has ended
        begin_record(run, record)
    stopped = state.stopped and state.epoch - state.best_epoch >= options.patience
    if stopped or state.epoch >= options.epochs:
        return state
    if state.checkpoint:
        network = keras.models.load_model(run / state.checkpoint)
        say(f"going on after epoch {state.epoch}, best so far {state.best_loss:.4f}")
    else:
        if start is not None:
            network.set_weights(start)
        network.compile(
            optimizer=keras.optimizers.Adam(options.learning_rate),
            loss=task.loss,
            metrics=[metric() for metric in task.metrics],
        )
    keeper = _Keeper(run, state, options, task, say)
    # First the rate, which puts itself into the figures of the epoch that the keeper notes.
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.LearningRateScheduler(partial(_rate, keeper, options)),
        keeper,
    ]
    if find_spec("tensorboard") and find_spec("tensorflow"):  # whose summaries Keras writes
        callbacks.append(keras.callbacks.TensorBoard(str(run / "logs"), write_graph=False))
    network.fit(
        Dealt(task.training, options, state.epoch),
        validation_data=Dealt(task.held_out, replace(options, steps=None), None),
        initial_epoch=state.epoch,
        epochs=options.epochs,
        callbacks=callbacks,
        shuffle=False,  # the samples shuffle themselves, by seed and epoch: Keras would by its own state
        verbose=0,
    )
    return keeper.state


def _record(
    task: Task,
    network: keras.Model,
    options: TrainingOptions,
    start: Sequence[NDArray[np.float32]] | None,
) -> dict[str, Any]:
    """What decides the result, by names that users know."""
    shapes = [(type(layer).__name__, [tuple(w.shape) for w in layer.weights]) for layer in network.layers]
    return {
        "task": task.name,
        **task.settings,
        "loss": task.loss if isinstance(task.loss, str) else type(task.loss).__name__,
        "parameters of the network": network.count_params(),
        "layers of the network": hashlib.sha256(repr(shapes).encode()).hexdigest(),
        "precision": keras.mixed_precision.dtype_policy().name,
        "batch": options.batch,
        "learning rate": options.learning_rate,
        "cosine over epochs": options.epochs if options.cosine else None,
        "steps": options.steps,
        "seed": options.seed,
        "weights to begin with": None if start is None else arrays_digest(start),
        "samples to learn from": task.training.digest,
        "samples held out": task.held_out.digest,
    }


def _rate(keeper: _Keeper, options: TrainingOptions, epoch: int, rate: float) -> float:
    """The learning rate of an epoch, told as it begins, after ``epoch`` others; ``rate`` was the last one's.

    Of the state that is on disk alone: a resumed run is told what an uninterrupted one is.
    """
    if options.cosine:
        done = min(epoch / options.epochs, 0.97)
        return float(0.5 * options.learning_rate * (1.0 + np.cos(np.pi * done)))
    waited = epoch - keeper.state.best_epoch
    return 0.5 * rate if waited and waited % 2 == 0 else rate


def best_network(run: Path, network: keras.Model) -> keras.Model:
    """The network with the weights that did best on held-out people.

    Args:
        run: the run's folder.
        network: one as was trained; its weights are replaced.

    Raises:
        OptionError: no epoch of this run has ended yet.
    """
    if not (run / BEST).is_file():
        raise OptionError(f"{run} has no trained network yet: let the training finish an epoch.")
    network.load_weights(run / BEST)
    return network


def read_state(run: Path) -> TrainingState:
    """Where the run in a folder stands; a fresh state where there is none.

    Raises:
        OptionError: the folder holds something else under the same name.
    """
    path = run / _STATE
    if not path.is_file():
        return TrainingState()
    try:
        return TrainingState(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise OptionError(
            f"{path} is not the state of a training run: delete the folder or choose another."
        ) from error


class Dealt(keras.utils.PyDataset):
    """Samples dealt into batches."""

    def __init__(self, samples: Samples, options: TrainingOptions, epoch: int | None) -> None:
        """``epoch`` counts the shuffles; None keeps samples in order and as they are, for judging."""
        several = options.workers > 1 and epoch is not None
        super().__init__(
            workers=options.workers if several else 1, use_multiprocessing=several, max_queue_size=32
        )
        self._samples, self._batch, self._seed = samples, options.batch, options.seed
        self._epoch = epoch
        count = len(samples.person)
        self._steps = -(-count // options.batch) if options.steps is None else options.steps
        self._order = np.arange(count)
        self._deal()

    def _deal(self) -> None:
        if self._epoch is None:
            return
        rng = np.random.default_rng((self._seed, self._epoch))
        count = len(self._samples.person)
        rounds = -(-self._steps * self._batch // count)
        self._order = np.concatenate([rng.permutation(count) for _ in range(rounds)])

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        part = slice(index * self._batch, (index + 1) * self._batch)
        if self._epoch is None:
            return self._samples.make(self._order[part], None)
        return self._samples.make(
            self._order[part], np.random.default_rng((self._seed, self._epoch, 1 + index))
        )

    def on_epoch_end(self) -> None:
        """Deal anew."""
        if self._epoch is not None:
            self._epoch += 1
            self._deal()


class _Keeper(keras.callbacks.Callback):
    """After each epoch: judge, keep the best, draw the sheet, note where the run stands, stop or go on.

    Keras's own callbacks would do parts of it, but not after a resume. ``EarlyStopping`` and
    ``ReduceLROnPlateau`` forget as training begins what was best and how long ago; ``BackupAndRestore`` keeps
    weights and epoch, nothing of that either. ``CSVLogger`` appends a second row for an epoch that was ended
    between its row and its checkpoint. ``ModelCheckpoint`` can be told the best so far, but writes over the
    file that it keeps: ended then, neither the old nor the new one is left. Here one file, ``state.json``,
    tells all of it, and is replaced in one step when what it tells of is complete.
    """

    def __init__(
        self,
        run: Path,
        state: TrainingState,
        options: TrainingOptions,
        task: Task,
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._run, self.state, self._options = run, state, options
        self._task, self._say = task, say

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        network, state = self.model, self.state
        row = {"epoch": float(epoch + 1), **{name: float(value) for name, value in (logs or {}).items()}}
        row |= self._task.judge(network)
        loss = row["val_loss"]
        better = loss < state.best_loss
        if better:
            beside = self._run / f"new_{BEST}"  # Keras insists on the ending
            network.save_weights(beside, overwrite=True)
            beside.replace(self._run / BEST)
        best_epoch = epoch + 1 if better else state.best_epoch
        waited = epoch + 1 - best_epoch
        checkpoint = f"epoch_{epoch + 1:04d}.keras"  # network and optimizer
        with replacing(self._run / checkpoint) as beside:
            network.save(beside)
        stopped = waited >= self._options.patience
        self.state = TrainingState(
            epoch=epoch + 1,
            best_loss=min(loss, state.best_loss),
            best_epoch=best_epoch,
            checkpoint=checkpoint,
            task=self._task.name,
            stopped=stopped,
            history=[*state.history, row],
        )
        with replacing(self._run / "sheets" / f"epoch_{epoch + 1:04d}.png") as beside:
            Image.fromarray(self._task.sheet(network)).save(beside)
        write_text(self._run / _STATE, json.dumps(asdict(self.state), indent=1) + "\n")
        if state.checkpoint:
            (self._run / state.checkpoint).unlink(missing_ok=True)
        figures = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        self._say(f"epoch {epoch + 1}: {figures}{' (best)' if better else ''}")
        if stopped:
            network.stop_training = True

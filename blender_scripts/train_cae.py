# SPDX-License-Identifier: GPL-3.0-or-later
"""Train one of the two networks that complete heads and write it as a ``.tflite``.

    python blender_scripts/train_cae.py --data DIR --held-out DIR --run DIR -o cae.tflite
    python blender_scripts/train_cae.py --network holotalk --data DIR --held-out DIR --run DIR -o FILE.tflite

``--data`` and ``--held-out`` have different people: for our own network, ``cae``, stacks that
``make_stacks.py`` has made; for HOLOTALK's autoencoder folders that ``holotalk render-data --preset
holotalk`` has filled. The run's folder keeps all that is needed to go on: the same command again resumes
where it was stopped; with other options or other data it is refused, but for more epochs and patience.
Curves: ``tensorboard --logdir RUN/logs``; a picture an epoch in ``RUN/sheets``. Keras on another backend
(``KERAS_BACKEND=torch`` or ``jax``) trains with ``--no-convert``; the same command under TensorFlow then
converts what the run has.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holotalk_addon.cae.stacks import WITHOUT
from holotalk_addon.errors import HoloTalkError, MissingPartError, OptionError
from holotalk_addon.head.morphable_model import load_model
from holotalk_addon.outputs import check_output, replacing
from holotalk_addon.people.compile_model import ensure_model

if TYPE_CHECKING:
    from holotalk_addon.learning.engine import Task

NETWORKS = ("cae", "holotalk")
BATCHES = {"cae": 8, "holotalk": 32}
PROBES = 16
"""Stacks on which Keras and LiteRT are compared."""
LARGEST_DISAGREEMENT = 1e-3
"""Between Keras and LiteRT, of 0..1: a quarter of what one step of a byte is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train, convert, compare; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", choices=NETWORKS, default=NETWORKS[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="people to learn from")
    parser.add_argument("--held-out", type=Path, required=True, metavar="DIR", help="people to judge by")
    parser.add_argument(
        "--run", type=Path, required=True, metavar="DIR", help="the run; resumed if it exists"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.tflite")
    parser.add_argument(
        "--keras", type=Path, metavar="FILE.keras", help="write it there too, in full precision"
    )
    parser.add_argument("--epochs", type=int, default=60, help="at most so many, default 60")
    parser.add_argument("--steps", type=int, help="steps an epoch; default: once through the data")
    parser.add_argument("--batch", type=int, help=f"stacks a step, default {BATCHES}")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate, default 0.001")
    parser.add_argument("--patience", type=int, default=6, help="epochs without progress before it stops")
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        choices=WITHOUT,
        help="leave decisions out of the network cae, to see what they are worth",
    )
    parser.add_argument("--start", type=Path, metavar="FILE.tflite", help="begin with these weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--no-convert", action="store_true", help="train only (backends other than TensorFlow)"
    )
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"train_cae: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train_cae: stopped; the same command goes on after the last whole epoch", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.without and options.network != "cae":
        raise OptionError("--without leaves something out of the network cae: name no other.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not options.no_convert:
        if options.output is None:
            raise MissingPartError("Name the file to write with -o FILE.tflite, or give --no-convert.")
        check_output(options.output, (".tflite",))
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MissingPartError(
            "Training needs Keras and TensorFlow: run `make train`, or `pip install 'holotalk[train]'`."
        ) from error

    from holotalk_addon.learning import engine
    from holotalk_addon.learning.conversion import convert_checked, weights_of

    task, probe = _task(options)
    shown = [len(samples.person) for samples in (task.training, task.held_out)]
    people = [len(np.unique(samples.person)) for samples in (task.training, task.held_out)]
    print(
        f"Keras {keras.__version__} on {keras.backend.backend()}; {shown[0]} stacks of {people[0]} people, "
        f"{shown[1]} of {people[1]} held out",
        flush=True,
    )
    settings = engine.TrainingOptions(
        options.epochs,
        options.batch or BATCHES[options.network],
        options.rate,
        options.patience,
        options.steps,
        options.seed,
    )
    start = weights_of(options.start) if options.start else None
    state = engine.train(task, options.run, settings, lambda line: print(line, flush=True), start)
    print(f"{state.epoch} epochs; the best is {state.best_epoch}, held-out loss {state.best_loss:.4f}")
    if options.no_convert:
        return 0
    network = engine.best_network(options.run, task.network())
    apart = convert_checked(network, options.output, probe, LARGEST_DISAGREEMENT)
    print(f"{options.output}: LiteRT and Keras differ by at most {apart:.1e}")
    if options.keras:
        with replacing(options.keras) as beside:
            network.save(beside)
    return 0


def _task(options: argparse.Namespace) -> tuple[Task, NDArray[np.float32]]:
    """What is trained, and some inputs on which Keras and LiteRT are compared."""
    task: Any
    if options.network == "holotalk":
        from holotalk_addon.cae.holotalk_training import holotalk_task
        from holotalk_addon.cae.snapshots import read_snapshots, template_sides

        templates = template_sides(load_model(ensure_model()))
        task = holotalk_task(read_snapshots(options.data), read_snapshots(options.held_out), templates)
    else:
        from holotalk_addon.cae.completion_training import completion_task
        from holotalk_addon.cae.stack_data import read_stacks

        stacks = read_stacks(options.data), read_stacks(options.held_out)
        task = completion_task(*stacks, without=options.without)
    few = np.arange(min(PROBES, len(task.held_out.person)))
    return task, task.held_out.make(few, None)[0]


if __name__ == "__main__":
    sys.exit(main())

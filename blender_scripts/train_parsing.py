# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the network that says what each pixel around a face shows, and write it as a ``.tflite``.

    python blender_scripts/train_parsing.py pack --data DIR [DIR...] -o people.npz
    python blender_scripts/train_parsing.py train --people people.npz --run DIR -o parsing.tflite
    python blender_scripts/train_parsing.py judge --people held_out.npz --network parsing.tflite

``pack`` takes folders that ``holotalk render-data --preset full --yaws`` has filled (photos alone will do)
and writes a small file: people cut out of their grounds, and other grounds. ``train`` resumes where it was
stopped, with the same options and people alone; a picture an epoch lies in ``RUN/sheets``. Keras on another
backend (``KERAS_BACKEND=torch``) trains with ``--no-convert``; the same command under TensorFlow then
converts what the run has. ``judge`` prints the table of the network's card, of people that nothing was
trained on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from holotalk_addon.errors import HoloTalkError, MissingPartError
from holotalk_addon.learning.parsing_people import (
    ParsingPeople,
    drawn_grounds,
    grounds_from,
    load_people,
    people_of,
    save_people,
)
from holotalk_addon.learning.parsing_samples import class_overlap, make_sample
from holotalk_addon.outputs import check_output

GROUNDS = 500
"""Half of them drawn, half cut out of pictures without people."""
HELD_OUT_SHARE = 0.08
"""Of the packed people, the last: they say when to stop."""
PROBES = 8
LARGEST_DISAGREEMENT = 0.05
"""Between Keras's and LiteRT's logits, which lie several apart where the network is sure: weights have 16
bits."""
PICTURES = (
    *("coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png", "brick.png", "grass.png"),
    *("gravel.png", "hubble_deep_field.jpg", "page.png", "text.png", "coins.png", "moon.png", "color.png"),
)
"""scikit-image's pictures without people."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="training data to one small file")
    pack.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    pack.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npz")
    pack.add_argument("--grounds", type=int, default=GROUNDS)
    pack.add_argument("--seed", type=int, default=0)
    pack.set_defaults(run=_pack)
    train = commands.add_parser("train", help="train and convert")
    train.add_argument("--people", type=Path, required=True, metavar="FILE.npz")
    train.add_argument("--run", dest="folder", type=Path, required=True, metavar="DIR")
    train.add_argument("-o", "--output", type=Path, metavar="FILE.tflite")
    train.add_argument("--epochs", type=int, default=30)
    train.add_argument("--steps", type=int, help="steps an epoch; default: once through the people")
    train.add_argument("--batch", type=int, default=32)
    train.add_argument("--rate", type=float, default=2e-3, help="learning rate at the start, default 0.002")
    train.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    train.add_argument("--half", action="store_true", help="compute in bfloat16 (a graphics card)")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--no-convert", action="store_true", help="train only (other backends)")
    train.set_defaults(run=_train)
    judged = commands.add_parser("judge", help="the table of the card")
    judged.add_argument("--people", type=Path, required=True, metavar="FILE.npz")
    judged.add_argument("--network", type=Path, required=True, metavar="FILE.tflite")
    judged.set_defaults(run=_judge)
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except HoloTalkError as error:
        print(f"train_parsing: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train_parsing: stopped; the same command goes on after the last whole epoch", file=sys.stderr)
        return 130


def _pack(options: argparse.Namespace) -> int:
    from holotalk_addon.learning.shards import open_data

    check_output(options.output, (".npz",))
    rng = np.random.default_rng(options.seed)
    drawn = options.grounds // 2
    grounds = drawn_grounds(drawn, rng) + grounds_from(real_grounds(), options.grounds - drawn, rng)
    people = people_of((open_data(folder, "full") for folder in options.data), grounds)
    save_people(people, options.output)
    print(f"{options.output}: {len(people.person)} people, {len(grounds)} grounds")
    return 0


def real_grounds() -> list[NDArray[np.uint8]]:
    """(H, W, 3) pictures without people: scikit-image's, and views into the rooms and landscapes that Blender
    lights its materials with."""
    import bpy
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    found = []
    for name in PICTURES:
        picture = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
        if picture is not None:
            found.append(np.ascontiguousarray(picture[..., ::-1]))
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    for path in sorted(Path(bpy.utils.system_resource("DATAFILES"), "studiolights", "world").glob("*.exr")):
        image = bpy.data.images.load(str(path))
        width, height = image.size
        linear = np.array(image.pixels[:], dtype=np.float32).reshape(height, width, -1)[::-1, :, :3]
        bpy.data.images.remove(image)
        exposed = np.clip(0.35 * linear / max(float(np.median(linear)), 1e-4), 0, 1) ** (1 / 2.2)
        level = exposed[height // 6 : height - height // 6]  # neither the zenith nor the floor
        found.append(np.ascontiguousarray((255 * level + 0.5).astype(np.uint8)))
    return found


def _train(options: argparse.Namespace) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not options.no_convert:
        if options.output is None:
            raise MissingPartError("Name the file to write with -o FILE.tflite, or give --no-convert.")
        check_output(options.output, (".tflite",))
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MissingPartError(
            "Training needs Keras: run `make train`, or `pip install 'holotalk[train]'`."
        ) from error

    from holotalk_addon.learning import engine
    from holotalk_addon.learning.parsing_training import parsing_network, parsing_task

    people, held_out = _split(load_people(options.people))
    task = parsing_task(people, held_out)
    print(
        f"Keras {keras.__version__} on {keras.backend.backend()}; {len(people.person)} people, "
        f"{len(held_out.person)} held out",
        flush=True,
    )
    if options.half:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    settings = engine.TrainingOptions(
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=options.rate,
        patience=options.epochs,
        steps=options.steps,
        seed=options.seed,
        workers=options.workers,
        cosine=True,
    )
    state = engine.train(task, options.folder, settings, lambda line: print(line, flush=True))
    print(f"{state.epoch} epochs; the best is {state.best_epoch}, held-out loss {state.best_loss:.4f}")
    if options.no_convert:
        return 0
    from holotalk_addon.learning.conversion import convert_checked

    keras.mixed_precision.set_global_policy("float32")
    network = engine.best_network(options.folder, parsing_network())
    probes = task.held_out.make(np.arange(min(PROBES, len(held_out.person))), None)[0].astype(np.float32)
    apart = convert_checked(network, options.output, probes, LARGEST_DISAGREEMENT)
    print(f"{options.output}: the logits of LiteRT and Keras differ by at most {apart:.1e}")
    return 0


def _split(people: ParsingPeople) -> tuple[ParsingPeople, ParsingPeople]:
    last = int(np.ceil(HELD_OUT_SHARE * len(people.person)))
    held_out = np.zeros(len(people.person), dtype=bool)
    held_out[-last:] = True
    return people.of(~held_out), people.of(held_out)


def _judge(options: argparse.Namespace) -> int:
    from holotalk_addon.face.parsing import ParsingNetwork

    people, network = load_people(options.people), ParsingNetwork(options.network)
    for name, varied in (("as plainly as a good portrait", False), ("as they are learnt from", True)):
        samples = (
            make_sample(people, k, np.random.default_rng((11, k)), varied) for k in range(len(people.person))
        )
        shares = class_overlap(
            (sample.label, network.look(sample.input()).argmax(axis=-1)) for sample in samples
        )
        print(f"\n{len(people.person)} people, {name}\n\n| class | IoU |\n|---|---|")
        for label, share in shares.items():
            print(f"| {label} | {'-' if np.isnan(share) else f'{share:.3f}'} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to weights: render people, train on them, convert, judge. ``make train`` runs it.

    python blender_scripts/make_weights.py --folder DIR [--network cae] [--people 600] [--held-out 40]
                                           [--judged 200] [-o model_weights/cae.tflite]

Each step is a command of its own, printed before it runs, and goes on where it was stopped; so does all of
it. For our own network ``DIR`` gets ``people`` and ``people_held_out`` (photos and sides of people to learn
from, and of those who say when to stop), ``stacks`` and ``stacks_held_out`` (what the network sees of them)
and ``run_cae`` (the training), and a ``.keras`` with the weights in full precision lies beside the
``.tflite``; for ``--network holotalk`` it gets ``train`` and ``held_out`` (grey snapshots) and ``run``; and
for both ``judged`` (views of other held-out people, and what every completion made of them), ``table.md``
and ``worst.png``.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from holotalk_addon.cae.stacks import SIDE_YAWS, STACK_SIZE
from holotalk_addon.learning.judging import YAWS
from holotalk_addon.learning.shards import HELD_OUT_FROM, SNAPSHOT_YAWS

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = {"cae": 600, "holotalk": 2000}
HELD_OUT = {"cae": 40, "holotalk": 150}
FIRST_JUDGED = HELD_OUT_FROM + 500_000
"""Others than those who say when to stop."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps; returns the exit status of the first that fails, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "training", metavar="DIR")
    parser.add_argument("--network", choices=list(PEOPLE), default="cae")
    parser.add_argument("--people", type=int, help=f"to learn from, default {PEOPLE}")
    parser.add_argument("--held-out", type=int, help=f"who say when to stop, default {HELD_OUT}")
    parser.add_argument("--judged", type=int, default=200, help="to judge completions on, default 200")
    parser.add_argument("--size", type=int, default=192, help="of the judged views, in pixels, default 192")
    parser.add_argument("--workers", type=int, help="processes that render; default: the computer's cores")
    parser.add_argument("--completions", nargs="+", default=["template", "mirror"], metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, help="default model_weights/NETWORK.tflite")
    parser.add_argument("--train", nargs=argparse.REMAINDER, default=[], help="options of train_cae.py")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    for step in steps(options):
        print(f"\n$ {shlex.join(step)}", flush=True)
        status = subprocess.run(step, check=False).returncode
        if status:
            return status
    return 0


def steps(options: argparse.Namespace) -> list[list[str]]:
    """The commands, in order."""
    folder: Path = options.folder
    output: Path = options.output or ROOT / "model_weights" / f"{options.network}.tflite"
    people = options.people or PEOPLE[options.network]
    held_out = options.held_out or HELD_OUT[options.network]
    workers = [] if options.workers is None else ["--workers", str(options.workers)]

    def script(name: str, *more: object) -> list[str]:
        return [sys.executable, str(ROOT / "blender_scripts" / f"{name}.py"), *map(str, more)]

    def rendered(name: str, preset: str, first: int, samples: int, *more: object) -> list[str]:
        command = [sys.executable, "-m", "holotalk_addon.cli", "render-data", "-o", str(folder / name)]
        command += ["--preset", preset, "-n", str(samples), "--first-person", str(first)]
        return [*command, *map(str, more), *workers]

    def sides(yaws: Iterable[float]) -> list[str]:
        return ["--yaws", *(f"{yaw:g}" for yaw in yaws)]

    trained = ["--network", options.network, "-o", output, *options.train]
    if options.network == "holotalk":
        each = len(SNAPSHOT_YAWS)
        learning = [
            rendered("train", "holotalk", 0, people * each),
            rendered("held_out", "holotalk", HELD_OUT_FROM, held_out * each),
            script("train_cae", *_folders(folder, "train", "held_out", "run"), *trained),
        ]
    else:
        views = ["--size", STACK_SIZE, *sides(SIDE_YAWS.values())]
        learning = [
            rendered("people", "full", 0, people, *views),
            rendered("people_held_out", "full", HELD_OUT_FROM, held_out, *views),
            *(
                script(
                    "make_stacks", "--data", folder / source, "-o", folder / target, *_at_least_one(workers)
                )
                for source, target in (("people", "stacks"), ("people_held_out", "stacks_held_out"))
            ),
            script(
                "train_cae",
                *_folders(folder, "stacks", "stacks_held_out", "run_cae"),
                *("--keras", output.with_suffix(".keras")),
                *trained,
            ),
        ]
    compared = [*options.completions, f"{options.network}={output}"]
    return [
        *learning,
        rendered("judged", "full", FIRST_JUDGED, options.judged, "--size", options.size, *sides(YAWS)),
        script(
            "evaluate_completion",
            *("--data", folder / "judged", "--people", options.judged, "--completions", *compared),
            *("--table", folder / "table.md", "--worst", folder / "worst.png"),
        ),
    ]


def _folders(folder: Path, data: str, held_out: str, run: str) -> list[object]:
    return ["--data", folder / data, "--held-out", folder / held_out, "--run", folder / run]


def _at_least_one(workers: list[str]) -> list[str]:
    """Rendering can do without other processes (0); what needs no Blender always takes one."""
    return ["--workers", str(max(1, int(workers[1])))] if workers else []


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to weights: render people, train on them, convert, judge. ``make train`` runs it.

    python blender_scripts/make_weights.py --folder DIR [--people 2000] [--held-out 150] [--judged 200]
                                           [-o model_weights/holotalk.tflite]

Each step is a command of its own, printed before it runs, and goes on where it was stopped; so does all of
it. ``DIR`` gets ``train`` and ``held_out`` (grey snapshots of people to learn from, and of those who say when
to stop), ``run`` (the training), ``judged`` (views of other held-out people, and what every completion made
of them), ``table.md`` and ``worst.png``.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from holotalk_addon.cae.judging import YAWS
from holotalk_addon.cae.shards import HELD_OUT_FROM, SNAPSHOT_YAWS

ROOT = Path(__file__).resolve().parent.parent
FIRST_JUDGED = HELD_OUT_FROM + 500_000
"""Others than those who say when to stop."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps; returns the exit status of the first that fails, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "training", metavar="DIR")
    parser.add_argument("--people", type=int, default=2000, help="to learn from, default 2000")
    parser.add_argument("--held-out", type=int, default=150, help="who say when to stop, default 150")
    parser.add_argument("--judged", type=int, default=200, help="to judge completions on, default 200")
    parser.add_argument("--size", type=int, default=192, help="of the judged views, in pixels, default 192")
    parser.add_argument("--workers", type=int, help="processes that render; default: the computer's cores")
    parser.add_argument("--completions", nargs="+", default=["template", "mirror"], metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "model_weights" / "holotalk.tflite")
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
    scripts = ROOT / "blender_scripts"

    def rendered(name: str, preset: str, first: int, people: int, *more: str) -> list[str]:
        workers = [] if options.workers is None else ["--workers", str(options.workers)]
        each = len(SNAPSHOT_YAWS) if preset == "holotalk" else 1
        return [
            *(sys.executable, "-m", "holotalk_addon.cli", "render-data", "-o", str(folder / name)),
            *("--preset", preset, "-n", str(people * each), "--first-person", str(first), *more, *workers),
        ]

    training = [sys.executable, str(scripts / "train_cae.py"), "--data", str(folder / "train")]
    training += ["--held-out", str(folder / "held_out"), "--run", str(folder / "run")]
    judging = [sys.executable, str(scripts / "evaluate_completion.py"), "--data", str(folder / "judged")]
    judging += ["--people", str(options.judged), "--completions", *options.completions]
    judging += [f"holotalk={options.output}", "--table", str(folder / "table.md")]
    yaws = [f"{yaw:g}" for yaw in YAWS]
    return [
        rendered("train", "holotalk", 0, options.people),
        rendered("held_out", "holotalk", HELD_OUT_FROM, options.held_out),
        [*training, "-o", str(options.output), *options.train],
        rendered(
            "judged", "full", FIRST_JUDGED, options.judged, "--size", str(options.size), "--yaws", *yaws
        ),
        [*judging, "--worst", str(folder / "worst.png")],
    ]


if __name__ == "__main__":
    sys.exit(main())

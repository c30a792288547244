# SPDX-License-Identifier: GPL-3.0-or-later
"""Make what the completion network learns from: stacks of rendered people.

    python blender_scripts/make_stacks.py --data DIR -o DIR [--workers N]

``--data`` is a folder that ``holotalk render-data --preset full --yaws -90 90 180`` has filled. Each photo
is spoilt a little, as photos are, and goes through the pipeline; the head that comes out is drawn from its
sides, beside the truth (see :mod:`holotalk_addon.cae.stack_data`). Shards that are done already are left
alone: stopped, the same command goes on. Those of other people, or that other code or another parsing network
has made, are made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from holotalk_addon import pipeline
from holotalk_addon.cae import stack_data
from holotalk_addon.cae.stacks import SIDE_YAWS, STACK_SIZE
from holotalk_addon.errors import FaceError, HoloTalkError, OptionError
from holotalk_addon.learning import judging
from holotalk_addon.learning.code_digest import code_digest
from holotalk_addon.learning.shards import ShardEntry, TrainingData, open_data
from holotalk_addon.networks import find_network
from holotalk_addon.outputs import make_folder

TEXTURE = 512
"""Pixels of the heads' textures: more would not show in the stacks."""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the stacks; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="rendered people")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, default all")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"make_stacks: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make_stacks: stopped; the same command goes on", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    data = open_data(options.data, "full")
    if data.card.size != STACK_SIZE or not set(data.card.yaws).issuperset(SIDE_YAWS.values()):
        sides = " ".join(f"{yaw:g}" for yaw in SIDE_YAWS.values())
        raise OptionError(
            f"{options.data} has not all sides at {STACK_SIZE} pixels: render it with --size {STACK_SIZE} "
            f"--yaws {sides}."
        )
    make_folder(options.output)
    made_by = makers()
    targets = {entry: options.output / target_name(entry, made_by) for entry in data.card.shards}
    stale = [path for path in options.output.glob("shard_*.npz") if path not in targets.values()]
    if stale:
        print(f"{len(stale)} shards are of other people or other code: made anew", flush=True)
    for path in stale:
        path.unlink()
    missing = [(data, entry, target) for entry, target in targets.items() if not target.is_file()]
    with ProcessPoolExecutor(max(1, options.workers)) as pool:
        for done, (made, faceless) in enumerate(pool.map(make_shard, *zip(*missing, strict=True)), start=1):
            print(f"{done} of {len(missing)} shards: {made} people, {faceless} without a face", flush=True)
    return 0


def makers() -> str:
    """A digest of what stacks are made by: this script with all that it imports, and the parsing network."""
    parsing = find_network("parsing").read_bytes()
    code = code_digest(Path(__file__).resolve())
    return hashlib.sha256(code.encode() + parsing).hexdigest()


def target_name(entry: ShardEntry, made_by: str) -> str:
    """The file with a shard's stacks: named after what is in the shard, and after the :func:`makers`."""
    return f"{Path(entry.name).stem}_{entry.sha256[:12]}_{made_by[:12]}.npz"


@cache
def _tools() -> pipeline.Tools:
    """Loaded once a process."""
    return pipeline.load_tools()


def make_shard(data: TrainingData, entry: ShardEntry, target: Path) -> tuple[int, int]:
    """Make the stacks of one shard's people; returns how many, and in how many photos no face was found.

    Raises:
        OptionError: the shard is damaged.
    """
    parts, faceless = [stack_data.no_stacks()], 0
    for person in judging.people_of(data.shard(entry, judging.TRUTH), tuple(SIDE_YAWS.values())):
        spoilt = stack_data.as_photographed(person, np.random.default_rng((person.number, 2)))
        try:
            given = pipeline.fitted(spoilt.taken(), _tools(), pipeline.Stages(), 1, TEXTURE).head
        except FaceError:
            faceless += 1
            continue
        parts.append(stack_data.learning_stacks(spoilt, given))
    stack_data.write_stacks(target, stack_data.joined(parts))
    return len(parts) - 1, faceless


if __name__ == "__main__":
    sys.exit(main())

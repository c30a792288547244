# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge completions on held-out people: one photo from the front in, sides and back out, against the truth.

    python blender_scripts/evaluate_completion.py --data DIR [--people 200]
        [--completions template mirror holotalk cae] [--table FILE.md] [--worst FILE.png] [--worst-of NAME]

``--data`` is a folder that ``holotalk render-data --preset full`` has filled with held-out people. Any
completion that ``--complete`` knows can be named, ``NAME=FILE.tflite`` with other weights than this
version's; ``template`` copies the template person. Each person's result is kept in ``DIR/judged``: stopped,
the same command goes on, and a completion that is named later is judged alone.
The tables are Markdown, and go to standard output too.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.cae.completions import KINDS, completion_kind
from holotalk_addon.cae.snapshots import photo_yaw, rounded_yaw, template_snapshot
from holotalk_addon.errors import FaceError, HoloTalkError, OptionError
from holotalk_addon.head.colours import luminance
from holotalk_addon.head.completion import Completion
from holotalk_addon.head.morphable_model import HeadModel
from holotalk_addon.learning import judging
from holotalk_addon.learning.code_digest import code_digest
from holotalk_addon.learning.shards import SNAPSHOT_SIDE, TrainingData
from holotalk_addon.networks import find_network
from holotalk_addon.outputs import make_folder, replacing, write_text

PEOPLE = 200
TEXTURE = 1024
TEMPLATE = "template"
"""Completions that run trained networks, which lie under the same names in ``model_weights``."""
WORST = 10
_CLASSES = 3  # of attributes that are numbers
_FEWEST = 5  # people a class must have to be shown


@dataclass(frozen=True)
class Judged:
    """How one completion did on one person."""

    person: int
    attributes: Mapping[str, Any]
    scores: NDArray[np.float64]
    """(V, 3, 3) as :func:`.judging.scores`."""
    views: NDArray[np.uint8]
    """(V, S, S, 3) what it made."""
    own: NDArray[np.uint8]
    """(2, 64, 64) grey: its own pictures of the sides at -90 and +90 degrees; (0, 64, 64) where it has
    none."""
    small: NDArray[np.float64]
    """(3, 3) the measures in grey at 64 pixels, means of the sides at -90 and +90 degrees: of the template
    person, of this head, and of the completion's own pictures; NaN where there are none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Judge, print the tables; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="held-out people")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"how many, default {PEOPLE}")
    known = [TEMPLATE, *(kind.name for kind in reversed(KINDS))]
    parser.add_argument("--completions", nargs="+", default=known, metavar="NAME")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the tables there too")
    parser.add_argument("--worst", type=Path, metavar="FILE.png", help="draw the worst ten people")
    parser.add_argument("--worst-of", metavar="NAME", help="by this completion; default: the last named")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"evaluate_completion: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evaluate_completion: stopped; the same command goes on", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    ways = {name.partition("=")[0]: _way(name) for name in options.completions}
    worst_of = options.worst_of or list(ways)[-1]
    if worst_of not in ways:
        raise OptionError(f"--worst-of {worst_of}: that is none of the completions judged here.")
    tools = pipeline.load_tools()
    data = judging.held_out_data(options.data, options.people)
    judged, faceless = judge(data, tools, ways, options.data / "judged")
    text = report(judged, faceless)
    print(text)
    if options.table:
        write_text(options.table, text)
    if options.worst:
        worst_picture(data, judged, worst_of, options.worst)
    return 0


def _way(name: str) -> tuple[Completion, str]:
    """A completion, and what its results depend on: :func:`made_by`, and the weights if it has any."""
    kind, _, own = name.partition("=")
    code = made_by()
    if kind == TEMPLATE:
        return judging.template_copy, code
    if own and not Path(own).is_file():
        raise OptionError(f"There is no file {own}: give the .tflite that {kind} shall run.")
    way = pipeline.completion(kind, Path(own) if own else None)
    network = completion_kind(kind).network
    if network is None:
        return way, code
    weights = Path(own) if own else find_network(network)
    return way, f"{code} {hashlib.sha256(weights.read_bytes()).hexdigest()}"


def made_by() -> str:
    """What every head is made by and judged with: the code of this script and all that it imports, and the
    parsing network. What others have judged, these judge anew.
    """
    parsing = find_network("parsing").read_bytes()
    return f"{code_digest(Path(__file__).resolve())} {hashlib.sha256(parsing).hexdigest()[:16]}"


# ---------------------------------------------------------------- judging


def judge(
    data: TrainingData,
    tools: pipeline.Tools,
    ways: Mapping[str, tuple[Completion, str]],
    folder: Path,
    say: Callable[[str], None] | None = None,
) -> tuple[dict[str, list[Judged]], int]:
    """Judge every completion on everybody; what is known already is read from the folder.

    Args:
        data: held-out people, preset ``full``.
        tools: from :func:`pipeline.load_tools`.
        ways: by name, the completion and what its results depend on.
        folder: where results are kept.
        say: told a line now and then; default: standard error.

    Returns:
        The results of each completion, in the order of the people, and in how many photos no face was found.
    """
    make_folder(folder)
    result: dict[str, list[Judged]] = {name: [] for name in ways}
    faceless = 0
    for number, person in enumerate(judging.true_people(data), start=1):
        found: dict[str, Judged | None] = {
            name: _kept(folder / name / f"{person.number}.npz", person, stamp)
            for name, (_, stamp) in ways.items()
        }
        missing = [name for name, judged in found.items() if judged is None]
        if missing:
            try:
                fresh = judge_person(person, tools, {name: ways[name][0] for name in missing})
            except FaceError:
                faceless += 1
                continue
            for name, row in fresh.items():
                make_folder(folder / name)
                _keep(folder / name / f"{person.number}.npz", row, ways[name][1])
            found |= fresh
            if number % 10 == 0:
                (say or _to_stderr)(f"{number} of {data.card.samples} people")
        for name, judged in found.items():
            if judged is not None:
                result[name].append(judged)
    return result, faceless


def judge_person(
    person: judging.TruePerson, tools: pipeline.Tools, ways: Mapping[str, Completion]
) -> dict[str, Judged]:
    """Judge completions on one person.

    Raises:
        FaceError: no face is found in the photo.
    """
    model = tools.model
    seen_head = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=TEXTURE).head
    views = judging.lay_on(person, seen_head)
    result = {}
    for name, way in ways.items():
        texture = way(seen_head, lambda _fraction: None)
        pictures = judging.completed(views, texture)
        own = [_snapshot(picture.pixels) for picture in texture.pictures if picture.name in ("left", "right")]
        if not own or rounded_yaw(photo_yaw(seen_head.fit)) != 0:  # turned by other angles than the truth
            own = list(np.zeros((0, SNAPSHOT_SIDE, SNAPSHOT_SIDE), dtype=np.uint8))
        result[name] = Judged(
            person.number,
            person.attributes,
            judging.scores(person, views, pictures),
            (pictures * 255.0 + 0.5).astype(np.uint8),
            np.array(own, dtype=np.uint8).reshape(-1, SNAPSHOT_SIDE, SNAPSHOT_SIDE),
            _small_scores(person, model, pictures, own),
        )
    return result


def _snapshot(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(64, 64) grey: a completion's own picture of a side, (H, W) grey or (H, W, 3) sRGB."""
    grey = picture.astype(np.float32) if picture.ndim == 2 else luminance(picture.astype(np.float32))
    small = cv2.resize(grey, (SNAPSHOT_SIDE, SNAPSHOT_SIDE), interpolation=cv2.INTER_AREA)
    return (np.asarray(small) + 0.5).astype(np.uint8)


def _small_scores(
    person: judging.TruePerson,
    model: HeadModel,
    pictures: NDArray[np.float32],
    own: Sequence[NDArray[np.uint8]],
) -> NDArray[np.float64]:
    """(3, 3) see :class:`Judged`."""

    def small(picture: NDArray[np.floating]) -> NDArray[np.float32]:
        shape = (SNAPSHOT_SIDE, SNAPSHOT_SIDE)
        return np.asarray(
            cv2.resize(picture.astype(np.float32), shape, interpolation=cv2.INTER_AREA), dtype=np.float32
        )

    found = np.full((2, 3, 3), np.nan)
    for k, yaw in enumerate((-90.0, 90.0)):
        v = judging.YAWS.index(yaw)
        template = template_snapshot(model, yaw).astype(np.float32) / np.float32(255.0)
        shown = [template, small(luminance(pictures[v]))]
        shown += [own[k].astype(np.float32) / np.float32(255.0)] if own else []
        region = (small(person.head[v]) > 0.5) | (template > 0)
        region &= small(person.clothes[v]) < 0.1
        truth = small(luminance(person.colour[v]))
        for way, picture in enumerate(shown):
            found[k, way] = judging.compared(truth[..., None], picture[..., None], region)
    return np.asarray(found.mean(axis=0))


def _kept(path: Path, person: judging.TruePerson, stamp: str) -> Judged | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["stamp"]) != stamp:
            return None
        return Judged(
            person.number, person.attributes, kept["scores"], kept["views"], kept["own"], kept["small"]
        )


def _keep(path: Path, judged: Judged, stamp: str) -> None:
    with replacing(path) as beside:
        np.savez_compressed(
            beside,
            stamp=np.array(stamp),
            scores=judged.scores,
            views=judged.views,
            own=judged.own,
            small=judged.small,
        )


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- tables


def report(judged: Mapping[str, Sequence[Judged]], faceless: int) -> str:
    """The tables, in Markdown."""
    people = len(next(iter(judged.values())))
    lines = [
        f"{people} held-out people, front photo in; {faceless} more in whose photos no face was found.",
        "",
        "| completion | view | SSIM | PSNR dB | L1 % | unseen: SSIM | PSNR dB | L1 % | paintable: L1 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in judged.items():
        table = np.stack([row.scores for row in rows])
        start = 0
        for group in (*judging.VIEWS, judging.YAWS):
            part = table if group is judging.YAWS else table[:, start : start + len(group)]
            label = "all" if group is judging.YAWS else " and ".join(f"{yaw:+g}" for yaw in group[-1:])
            label = label.replace("+", "+-") if len(group) == 2 else label.replace("+", "")
            start += len(group)
            mean = np.nanmean(part, axis=(0, 1))
            cells = [f"{m[0]:.3f} | {m[1]:.2f} | {100 * m[2]:.2f}" for m in mean[:2]]
            cells.append(f"{100 * mean[2, 2]:.2f}")
            lines.append(f"| {name} | {label} | {' | '.join(cells)} |")
    lines += _own_table(judged)
    lines += ["", "L1 in the unseen region of all views, %, by attribute:", ""]
    lines += _attribute_table(judged)
    return "\n".join(lines) + "\n"


def _own_table(judged: Mapping[str, Sequence[Judged]]) -> list[str]:
    """Of completions that draw pictures of their own: these against the template's sides and the head's."""
    lines: list[str] = []
    for name, rows in judged.items():
        table = np.array([row.small for row in rows if len(row.own)])
        if not len(table):
            continue
        lines += [
            "",
            f"In grey at {SNAPSHOT_SIDE} pixels, at +-90 degrees; {len(table)} people who face the camera:",
            "",
            "| picture | SSIM | PSNR dB | L1 % |",
            "|---|---|---|---|",
        ]
        labels = ("the template person's side", f"{name}, on the head", f"{name}, its own picture")
        for label, mean in zip(labels, np.nanmean(table, axis=0), strict=True):
            lines.append(f"| {label} | {mean[0]:.3f} | {mean[1]:.2f} | {100 * mean[2]:.2f} |")
    return lines


def unseen_error(row: Judged) -> float:
    """Mean absolute error in the unseen region over all views."""
    return float(np.nanmean(row.scores[:, judging.REGIONS.index("unseen"), judging.MEASURES.index("L1")]))


def _attribute_table(judged: Mapping[str, Sequence[Judged]]) -> list[str]:
    names = list(judged)
    lines = [f"| attribute | people | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    errors = {name: np.array([unseen_error(row) for row in rows]) for name, rows in judged.items()}
    attributes = [row.attributes for row in next(iter(judged.values()))]
    for attribute in attributes[0] if attributes else ():
        values = [person.get(attribute) for person in attributes]
        for label, members in _classes(values):
            cells = " | ".join(f"{100 * errors[name][members].mean():.2f}" for name in names)
            lines.append(f"| {attribute.replace('_', ' ')}: {label} | {members.sum()} | {cells} |")
    return lines


def _classes(values: Sequence[Any]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Classes of an attribute's values: each name, or thirds of a number's range; none that are too few, and
    none of what is no plain value."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, dtype=np.float64)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _CLASSES + 1)))
        slot = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(len(edges) - 2, 0))
        found = [(f"{edges[k]:.2g} to {edges[k + 1]:.2g}", slot == k) for k in range(len(edges) - 1)]
    elif all(isinstance(value, (str, bool)) for value in values):
        found = [(str(name), np.array([v == name for v in values])) for name in sorted(set(values), key=str)]
    else:
        return []
    shown = [(label, members) for label, members in found if members.sum() >= _FEWEST]
    return shown if len(shown) > 1 else []  # one class alone tells nothing


# ---------------------------------------------------------------- the worst


def worst_picture(
    data: TrainingData, judged: Mapping[str, Sequence[Judged]], by: str, path: Path, count: int = WORST
) -> None:
    """Draw the people on whom the completion ``by`` did worst: to the left the photo; to the right the
    truth and below it what each completion made, from all sides."""
    order = sorted(judged[by], key=unseen_error, reverse=True)[:count]
    rank = {row.person: k for k, row in enumerate(order)}
    made = {name: {row.person: row.views for row in rows} for name, rows in judged.items()}
    blocks: list[NDArray[np.uint8] | None] = [None] * len(order)
    for person in judging.true_people(data):
        if person.number not in rank:
            continue
        truth = (np.clip(person.colour, 0, 1) * 255 + 0.5).astype(np.uint8)
        rows = [truth, *(made[name][person.number] for name in judged)]
        pictures = np.concatenate([np.concatenate(list(views), axis=1) for views in rows])
        side = person.photo.shape[0]
        left = np.zeros((len(pictures), side, 3), dtype=np.uint8)
        left[:side] = person.photo
        for k, name in enumerate(("photo; truth", *judged)):
            at = (6, min(len(left) - 8, (k + 1) * side - 8 if k == 0 else k * side + side // 2))
            cv2.putText(left, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        blocks[rank[person.number]] = np.concatenate([left, pictures], axis=1)
    with replacing(path) as beside:
        Image.fromarray(np.concatenate([block for block in blocks if block is not None])).save(beside)


if __name__ == "__main__":
    sys.exit(main())

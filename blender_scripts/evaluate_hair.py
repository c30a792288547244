# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure head and hair on held-out rendered people: outline, pictures and surface of their sides and back.

    python blender_scripts/evaluate_hair.py --data DIR [--people 200] [--table FILE.md] [--sheet FILE.png]

``--data`` is a folder that ``holotalk render-data --preset full`` has filled with held-out people, as for
``evaluate_completion.py``. A photo goes in; head and hair are laid on the true head and drawn from +-90, +-60
and 180 degrees, with the hair and without it. ``IoU``: outline of head and hair over the true one, above the
chin, without clothes. ``SSIM`` and ``L1``: within what either of the two or the truth covers, without the end
of the bust. ``head mm``: how far the surface of head and hair is from the true one, and that from it, as
:func:`.judging.surface_miss` has it. ``face mm``: how far the face's vertices are from the true ones, at rest
and laid on them, as ``evaluate.py`` measures people whom the head model does not know; of these here it does.
One row each for children, for old people, and for every hair style and headwear.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.errors import FaceError, HoloTalkError
from holotalk_addon.head.drawing import surface
from holotalk_addon.head.fill import mirror_and_fill
from holotalk_addon.learning import judging
from holotalk_addon.outputs import replacing, write_text

TEXTURE = 1024
PEOPLE = 200
SHEET_PEOPLE = 24
MEASURES = ("IoU", "SSIM", "L1 %", "head mm")
CHILD = 16
"""Years: younger ones are children."""
OLD = 65
"""Years: from here on people are old."""
_DIGITS = (3, 3, 1, 1)


@dataclass(frozen=True)
class Measured:
    """How one person's head and hair came out. V views."""

    attributes: Mapping[str, Any]
    views: NDArray[np.float64]
    """(2, V, 4) the :data:`MEASURES` without the hair's volume and with it."""
    face_mm: NDArray[np.float64]
    """(2,) of the mean head, and of the fitted one."""
    pictures: NDArray[np.float32]
    """(V, S, S, 3) 0..1: the views with hair."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the table here too")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="true and grown heads side by side")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"evaluate_hair: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    data = judging.held_out_data(options.data, options.people)
    tools = pipeline.load_tools()
    rows: list[Measured] = []
    strips: list[NDArray[np.uint8]] = []
    for person in judging.true_people(data):
        if len(rows) == options.people:
            break
        try:
            found = measure(person, tools)
        except FaceError:
            continue
        rows.append(replace(found, pictures=found.pictures[:0]))
        if len(strips) < SHEET_PEOPLE:
            strips.append(_strip(person, found.pictures))
        if sys.stderr.isatty() or len(rows) % 10 == 0:
            print(f"{len(rows)} of {options.people} people", file=sys.stderr)
    text = table(rows)
    print(text)
    if options.table:
        write_text(options.table, text)
    if options.sheet:
        with replacing(options.sheet) as beside:
            Image.fromarray(np.concatenate(strips)).save(beside)
    return 0


def kind(attributes: Mapping[str, Any]) -> str:
    """What a person wears on the head: headwear, else the style of the hair."""
    worn = attributes["headwear"]
    return str(attributes["hair_style"] if worn == "none" else worn)


def measure(person: judging.TruePerson, tools: pipeline.Tools) -> Measured:
    """Make a head with hair of somebody's photo, and compare it with them.

    Raises:
        FaceError: no face is found in the photo.
    """
    model = tools.model
    seen_head = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=TEXTURE).head
    views = judging.lay_on(person, seen_head)
    head = judging.laid(person, seen_head)
    texture = mirror_and_fill(seen_head)
    haired = judging.completed(views, texture)
    plain = judging.completed(views, replace(texture, hair=None))
    bald = [replace(drawn, hair=None) for drawn in views.drawn]
    covers = [np.stack([drawn.cover() for drawn in way]) > 0.5 for way in (bald, views.drawn)]
    low = person.lowest()
    result = np.full((2, len(person.views), len(MEASURES)), np.nan)
    for v, view in enumerate(person.views):
        above = np.arange(view.size)[:, None] < view.project(low[None])[0, 1]
        counted = ~person.clothes[v] & ~views.ends[v] & above
        for way, picture in enumerate((plain, haired)):
            drawn, true = covers[way][v] & counted, person.head[v] & counted
            ssim, _, l1 = judging.compared(
                person.colour[v], picture[v] * ~person.clothes[v][..., None], views.judged[v]
            )
            result[way, v, :3] = (drawn & true).sum() / max(1, (drawn | true).sum()), ssim, 100 * l1
    for way, worn in enumerate((bald, views.drawn)):
        shown = [surface(head, drawn) for drawn in worn]
        result[way, :, 3] = judging.surface_miss(person, shown)
    truth = model.vertices(person.identity)
    face = [judging.face_miss(model, shape, truth) for shape in (model.mean, seen_head.fit.vertices)]
    return Measured(person.attributes, result, np.array(face), haired)


def table(rows: Sequence[Measured]) -> str:
    """The Markdown table: all people by angle; then, from all angles, by age and by what is worn."""
    lines = [
        f"{len(rows)} held-out people; without the hair's volume -> with it; the face, which hair does not "
        "change: the mean head's -> the fitted one's.",
        "",
        f"| | people | {' | '.join(MEASURES)} | face mm |",
        f"|---|---|{'---|' * len(MEASURES)}---|",
    ]

    def row(name: str, part: Sequence[Measured], chosen: Sequence[int] | None = None) -> str:
        found = np.stack([one.views for one in part])
        if chosen is not None:
            found = found[:, :, chosen]
        before, after = np.nanmean(found, axis=(0, 2))
        cells = [f"{b:.{d}f} -> {a:.{d}f}" for b, a, d in zip(before, after, _DIGITS, strict=True)]
        mean, fitted = np.mean([one.face_mm for one in part], axis=0)
        cells.append(f"{mean:.1f} -> {fitted:.1f}" if chosen is None else "")
        return f"| {name} | {len(part)} | {' | '.join(cells)} |"

    for group in judging.VIEWS:
        name = f"+-{abs(group[0]):g}" if len(group) > 1 else f"{group[0]:g}"
        lines.append(row(name, rows, [judging.YAWS.index(yaw) for yaw in group]))
    lines.append(row("all", rows))
    groups = {
        f"children, under {CHILD}": [one for one in rows if one.attributes["age"] < CHILD],
        f"old, {OLD} and more": [one for one in rows if one.attributes["age"] >= OLD],
    }
    worn = sorted({(one.attributes["headwear"] != "none", kind(one.attributes)) for one in rows})
    groups |= {name: [one for one in rows if kind(one.attributes) == name] for _, name in worn}
    lines += [row(name, part) for name, part in groups.items() if part]
    return "\n".join(lines) + "\n"


def _strip(person: judging.TruePerson, pictures: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo, then true views over ours."""
    size = pictures.shape[1]
    photo = np.asarray(Image.fromarray(person.photo).resize((2 * size, 2 * size)))
    pairs = [np.concatenate([true, own]) for true, own in zip(person.colour, pictures, strict=True)]
    return np.concatenate([photo, (np.concatenate(pairs, axis=1).clip(0, 1) * 255).astype(np.uint8)], axis=1)


if __name__ == "__main__":
    sys.exit(main())

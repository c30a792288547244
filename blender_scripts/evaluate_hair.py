# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the hair's volume on held-out rendered people: outline and pictures of their sides and back.

    python blender_scripts/evaluate_hair.py --data DIR [--people 200] [--table FILE.md] [--sheet FILE.png]

``--data`` is a folder that ``holotalk render-data --preset full`` has filled with held-out people, as for
``evaluate_completion.py``. A photo goes in; head and hair are laid on the true head and drawn from +-90, +-60
and 180 degrees, with the hair and without it. ``IoU``: outline of head and hair over the true one, above the
chin, without clothes. ``SSIM`` and ``L1``: within what either of the two or the truth covers, without the end
of the bust. One row a hair style or headwear.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.cae import judging
from holotalk_addon.cae.drawing import draw_hair
from holotalk_addon.errors import FaceError, HoloTalkError
from holotalk_addon.face.photo import photo_from_pixels
from holotalk_addon.face.pose import CHIN
from holotalk_addon.head.fill import mirror_and_fill
from holotalk_addon.head.hair_volume import grow_hair
from holotalk_addon.outputs import replacing, write_text

TEXTURE = 1024
PEOPLE = 200
SHEET_PEOPLE = 24
MEASURES = ("IoU", "SSIM", "L1 %")
_BELOW_CHIN_M = 0.02


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
    rows: list[tuple[str, NDArray[np.float64]]] = []
    strips: list[NDArray[np.uint8]] = []
    for person in judging.true_people(data):
        if len(rows) == options.people:
            break
        try:
            found, pictures = measure(person, tools)
        except FaceError:
            continue
        rows.append((kind(person.attributes), found))
        if len(strips) < SHEET_PEOPLE:
            strips.append(_strip(person, pictures))
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


def kind(attributes: dict[str, Any]) -> str:
    """What a person wears on the head: headwear, else the style of the hair."""
    worn = attributes["headwear"]
    return str(attributes["hair_style"] if worn == "none" else worn)


def measure(
    person: judging.TruePerson, tools: pipeline.Tools
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(2, V, 3) the :data:`MEASURES` without hair and with it, and (V, S, S, 3) the views with it.

    Raises:
        FaceError: no face is found in the photo.
    """
    model = tools.model
    photo = photo_from_pixels(person.photo, person.photo_focal)
    _, _, given = pipeline.completion_input(photo, tools, pipeline.Stages(), texture_size=TEXTURE)
    views = judging.lay_on(person, model, given.fit, given.baked.seen)
    plain = judging.completed(views, model, mirror_and_fill(given))
    hair = grow_hair(given)
    layers = np.zeros((*plain.shape[:3], 4), dtype=np.float32)
    if hair is not None:
        head = judging.laid(person, model, given.fit)
        hair = replace(
            hair, vertices=judging.laid(person, model, given.fit, hair.vertices).astype(np.float32)
        )
        layers = np.stack([draw_hair(model, head, hair, view) for view in person.views])
    haired = plain * (1 - layers[..., 3:]) + layers[..., :3]
    cover = np.stack([drawn.cover() for drawn in views.drawn])
    covers = (cover > 0.5, np.maximum(cover, layers[..., 3]) > 0.5)
    union = (person.head | covers[1]) & ~person.clothes & ~views.ends
    low = person.points468[CHIN] - [0, _BELOW_CHIN_M, 0]
    result = np.full((2, len(person.views), len(MEASURES)), np.nan)
    for v, view in enumerate(person.views):
        above = np.arange(view.size)[:, None] < view.project(low[None])[0, 1]
        counted = ~person.clothes[v] & ~views.ends[v] & above
        for way, picture in enumerate((plain, haired)):
            drawn, true = covers[way][v] & counted, person.head[v] & counted
            ssim, _, l1 = judging.compared(
                person.colour[v], picture[v] * ~person.clothes[v][..., None], union[v]
            )
            result[way, v] = (drawn & true).sum() / max(1, (drawn | true).sum()), ssim, 100 * l1
    return result, haired


def table(rows: Sequence[tuple[str, NDArray[np.float64]]]) -> str:
    """The Markdown table: all views by angle, then by what is worn."""
    found = np.stack([values for _, values in rows])
    lines = [
        f"{len(rows)} held-out people; without the hair's volume -> with it.",
        "",
        f"| views | people | {' | '.join(MEASURES)} |",
        f"|---|---|{'---|' * len(MEASURES)}",
    ]

    def row(name: str, part: NDArray[np.float64]) -> str:
        before, after = (np.nanmean(part[:, way], axis=(0, 1)) for way in (0, 1))
        digits = (3, 3, 1)
        cells = [f"{b:.{d}f} -> {a:.{d}f}" for b, a, d in zip(before, after, digits, strict=True)]
        return f"| {name} | {len(part)} | {' | '.join(cells)} |"

    for group in judging.VIEWS:
        chosen = [judging.YAWS.index(yaw) for yaw in group]
        name = f"+-{abs(group[0]):g}" if len(group) > 1 else f"{group[0]:g}"
        lines.append(row(name, found[:, :, chosen]))
    lines.append(row("all", found))
    for name in sorted({name for name, _ in rows}):
        lines.append(row(name, np.stack([values for own, values in rows if own == name])))
    return "\n".join(lines) + "\n"


def _strip(person: judging.TruePerson, pictures: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo, then true views over ours."""
    size = pictures.shape[1]
    photo = np.asarray(Image.fromarray(person.photo).resize((2 * size, 2 * size)))
    pairs = [np.concatenate([true, own]) for true, own in zip(person.colour, pictures, strict=True)]
    return np.concatenate([photo, (np.concatenate(pairs, axis=1).clip(0, 1) * 255).astype(np.uint8)], axis=1)


if __name__ == "__main__":
    sys.exit(main())

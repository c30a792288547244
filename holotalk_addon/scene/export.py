# SPDX-License-Identifier: GPL-3.0-or-later
"""The head for other programs: GLB with shape keys, OBJ, PLY, STL to print; and the whole hologram as .blend.

GLB, OBJ and PLY have y up and the face toward +z, in metres. All but the .blend leave the fade of the bust
out.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import OptionError
from ..head.head import PARTS, Head
from ..head.shape_names import with_shape_names
from ..head.surface import Surface
from ..hologram.layout import PyramidLayout, pyramid_layout
from ..hologram.motion import LoopMotion, loop_motion
from ..outputs import ExportOptions, beside_obj, replacing
from .export_glb import glb
from .export_stl import stl
from .hair_object import SOFT_SLOT
from .head_subject import HeadSubject
from .hologram_scene import HologramScene, build_hologram
from .materials import EXPORT_ROUGHNESS, LASHES
from .quiet import quiet
from .subdivided import Subdivided, subdivided

PLY_SUBDIVISION = 2
"""A PLY carries its colours on its vertices: it needs many to show a face."""
PLY_MOST_HAIR = 100_000
"""Polygons that hair may be subdivided into for that."""
HAIR, HAIR_EDGE = "HoloTalk_Hair", "HoloTalk_Hair_Edge"
"""Hair's materials in an OBJ."""


def export_head(
    head: Head,
    path: Path,
    options: ExportOptions | None = None,
    layout: PyramidLayout | None = None,
    motion: LoopMotion | None = None,
) -> list[Path]:
    """Write a head to ``path``; its extension chooses the format.

    Hair is a node, an object or a part of its own there, after the head.

    - ``.glb``: neutral face, named shape keys weighted at the photo's expression, textures: see :func:`glb`.
    - ``.obj``: the photo's expression; ``<name>.mtl`` and ``<name>_texture.png`` lie beside it, and
      ``<name>_hair_texture.png`` for hair.
    - ``.ply``: the photo's expression, subdivided, coloured vertices, binary. Few programs show the alpha
      of a PLY: of the edges of hair it holds what is more solid than clear.
    - ``.stl``: the photo's expression, one solid with a flat base, in millimetres: see :func:`stl`.
    - ``.blend``: builds the hologram into the open file (``layout`` and ``motion``, or the defaults)
      and saves the whole of it.

    Returns:
        The files written, ``path`` first. Each replaces a former one in one step.

    Raises:
        OptionError: Another extension, or options that the format does not have.
        OutputError: The output cannot be written.

    """
    path, options = Path(path), options or ExportOptions()
    options.check(path)
    kind = path.suffix.lower()
    head = with_shape_names(head, options.shape_names)
    if kind == ".blend":
        build_hologram(HeadSubject(head), layout or pyramid_layout(), motion or loop_motion())
        save_blend(path)
    elif kind == ".glb":
        _write(path, glb(head, eye_bones=options.eye_bones))
    elif kind == ".obj":
        return _export_obj(head, path)
    elif kind == ".stl":
        _write(path, stl(head, options.height_mm))
    else:
        _write(path, _ply(head))
    return [path]


def save_blend(path: Path, hologram: HologramScene | None = None) -> None:
    """Save a copy of the open file, its pictures packed into it.

    Args:
        path: The ``.blend``; an existing one is replaced in one step.
        hologram: Opens with this one's scene in its window.

    Raises:
        OptionError: Another extension.
        OutputError: The output cannot be written.

    """
    path = Path(path)
    if path.suffix.lower() != ".blend":
        raise OptionError(f"Cannot save '{path.name}': choose a name that ends in .blend.")
    window = bpy.context.window
    if hologram is not None and window is not None:
        window.scene = bpy.data.scenes[hologram.hologram]
    with replacing(path) as beside, quiet():
        beside.unlink()  # else Blender keeps the empty file as a backup
        # Paths relative to the file would point from the temporary name; there are none to remap.
        bpy.ops.wm.save_as_mainfile(filepath=str(beside), copy=True, compress=True, relative_remap=False)


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as beside:
        beside.write_bytes(content)


def _export_obj(head: Head, path: Path) -> list[Path]:
    materials, picture, hair_picture = beside_obj(path)
    textures = [(picture, head.texture)]
    if head.hair is not None:
        textures.append((hair_picture, head.hair.texture))
    # Each is complete before it takes its place, the one that names the others last.
    with ExitStack() as stack:
        stack.enter_context(replacing(path)).write_text(_obj(head, materials.name), encoding="utf-8")
        mtl = _mtl(head, picture.name, hair_picture.name)
        stack.enter_context(replacing(materials)).write_text(mtl, encoding="utf-8")
        for place, texture in textures:
            buffer = io.BytesIO()
            Image.fromarray(texture).save(buffer, "PNG")
            stack.enter_context(replacing(place)).write_bytes(buffer.getvalue())
    return [path, materials, *(place for place, _ in textures)]


def _obj(head: Head, library: str) -> str:
    lines = ["# A head by HoloTalk: metres, y up, the face toward +z", f"mtllib {library}", "o HoloTalk_Head"]
    groups = [
        (name, f"HoloTalk_{name.capitalize()}", head.polygon_parts == k) for k, name in enumerate(PARTS)
    ]
    lines += _obj_part(head.posed(), groups, (1, 1))
    if head.hair is not None:
        hair = head.hair
        lines.append("o HoloTalk_Hair")
        groups = [("hair", HAIR, ~hair.soft), ("hair_edge", HAIR_EDGE, hair.soft)]
        first = (1 + len(head.vertices), 1 + int((head.polygons >= 0).sum()))
        lines += _obj_part(hair, groups, first)
    return "\n".join(lines) + "\n"


def _obj_part(
    surface: Surface,
    groups: Sequence[tuple[str, str, NDArray[np.bool_]]],
    first: tuple[int, int],
) -> list[str]:
    """The lines of one object.

    Args:
        surface: what it is made of.
        groups: name, material and (F,) polygons of each.
        first: the numbers of the first vertex and of the first UV in the file.

    """
    polygons = surface.polygons
    used = polygons >= 0
    numbers = np.full(polygons.shape, -1, dtype=np.int64)
    numbers[used] = np.arange(int(used.sum()))
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in surface.vertices.tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in surface.uvs[used].tolist()]
    lines.append("s 1")
    for name, material, members in groups:
        rows = np.flatnonzero(members)
        if len(rows):
            lines += [f"g {name}", f"usemtl {material}"]
        for row in rows:
            pairs = zip(polygons[row].tolist(), numbers[row].tolist(), strict=True)
            lines.append("f " + " ".join(f"{v + first[0]}/{t + first[1]}" for v, t in pairs if v >= 0))
    return lines


def _mtl(head: Head, picture: str, hair_picture: str) -> str:
    soft = head.has_alpha
    materials = [
        (f"HoloTalk_{name.capitalize()}", picture, soft and part == LASHES) for part, name in enumerate(PARTS)
    ]
    if head.hair is not None:
        materials += [(HAIR, hair_picture, False), (HAIR_EDGE, hair_picture, True)]
    lines = ["# Materials of a head by HoloTalk"]
    for name, texture, see_through in materials:
        lines += [
            f"newmtl {name}",
            "Ka 0 0 0",
            "Kd 1 1 1",
            "Ks 0 0 0",
            f"Pr {EXPORT_ROUGHNESS}",
            "illum 1",
            f"map_Kd {texture}",
        ]
        if see_through:
            lines.append(f"map_d -imfchan m {texture}")
    return "\n".join(lines) + "\n"


def _ply(head: Head) -> bytes:
    body, hair = subdivided(head, PLY_SUBDIVISION, PLY_MOST_HAIR)
    meshes = [body] if hair is None else [body, _solid_hair(hair)]
    fields = [(f, "<f4") for f in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(f, "u1") for f in ("red", "green", "blue", "alpha")]
    tables: list[NDArray[Any]] = []
    faces, points, polygons_written = bytearray(), 0, 0
    for mesh in meshes:
        table = np.zeros(len(mesh.points), dtype=fields)
        for k, name in enumerate("xyz"):
            table[name] = mesh.points[:, k]
            table[f"n{name}"] = mesh.normals[:, k]
        for k, name in enumerate(("red", "green", "blue", "alpha")):
            table[name] = mesh.colours[:, k]
        tables.append(table)
        corners = (mesh.polygons >= 0).sum(axis=1)
        for count in np.unique(corners):
            polygons = mesh.polygons[corners == count, :count]
            face = np.zeros(len(polygons), dtype=[("n", "u1"), ("v", "<i4", (count,))])
            face["n"], face["v"] = count, polygons + points
            faces += face.tobytes()
            polygons_written += len(polygons)
        points += len(table)
    header = ["ply", "format binary_little_endian 1.0", "comment A head by HoloTalk: metres, y up"]
    header.append(f"element vertex {points}")
    header += [f"property {'float' if kind == '<f4' else 'uchar'} {name}" for name, kind in fields]
    header += [f"element face {polygons_written}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode("ascii") + b"".join(t.tobytes() for t in tables) + bytes(faces)


def _solid_hair(hair: Subdivided) -> Subdivided:
    """Hair without those polygons in the slot of soft hair that are more clear than solid, and without the
    vertices that only they have."""
    used = hair.polygons >= 0
    alpha = (hair.colours[hair.polygons, 3] * used).sum(axis=1) / used.sum(axis=1)
    polygons = hair.polygons[(hair.slots != SOFT_SLOT) | (alpha >= 128)]
    kept = np.zeros(len(hair.points), dtype=bool)
    kept[polygons[polygons >= 0]] = True
    numbers = np.append(np.cumsum(kept, dtype=np.int32) - 1, -1)  # -1 stays -1
    return replace(
        hair,
        points=hair.points[kept],
        normals=hair.normals[kept],
        colours=hair.colours[kept],
        polygons=numbers[polygons],
    )

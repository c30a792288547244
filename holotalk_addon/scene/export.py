# SPDX-License-Identifier: GPL-3.0-or-later
"""The head for other programs: GLB with shape keys, OBJ, PLY; and the whole hologram as a .blend.

All but the .blend have y up and the face toward +z, in metres, and leave the fade of the bust out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import MissingPartError, OptionError
from ..head.head import PARTS, Head
from ..hologram.layout import PyramidLayout, pyramid_layout
from ..hologram.motion import LoopMotion, loop_motion
from ..outputs import beside_obj, replacing
from .axes import from_blender
from .hair_object import HAIR_ROLE, SOFT_SLOT, find_hair
from .hologram_scene import HologramScene, build_hologram, make_black_world, make_scene
from .materials import EXPORT_ROUGHNESS, LASHES, lit_for_export
from .mesh import gather
from .own import role_of
from .quiet import quiet
from .render import temporary_head

EXTENSIONS = (".glb", ".obj", ".ply", ".blend")
PLY_SUBDIVISION = 2
"""A PLY carries its colours on its vertices: it needs many to show a face."""
PLY_MOST_HAIR = 100_000
"""Polygons that hair may be subdivided into for that."""
HAIR, HAIR_EDGE = "HoloTalk_Hair", "HoloTalk_Hair_Edge"
"""Hair's materials in an OBJ."""


def check_export_path(path: Path) -> None:
    """Complain about an unknown extension before any work is done.

    Raises:
        OptionError: See :data:`EXTENSIONS`.

    """
    if Path(path).suffix.lower() not in EXTENSIONS:
        raise OptionError(
            f"Cannot export to '{Path(path).name}': choose a name that ends in {', '.join(EXTENSIONS)}."
        )


def export_head(
    head: Head, path: Path, layout: PyramidLayout | None = None, motion: LoopMotion | None = None
) -> list[Path]:
    """Write a head to ``path``; its extension chooses the format.

    Hair is a node, an object or a part of its own there, after the head.

    - ``.glb``: neutral face, 52 named shape keys weighted at the photo's expression, textures.
    - ``.obj``: the photo's expression; ``<name>.mtl`` and ``<name>_texture.png`` lie beside it, and
      ``<name>_hair_texture.png`` for hair.
    - ``.ply``: the photo's expression, subdivided, coloured vertices, binary. Few programs show the alpha
      of a PLY: of the edges of hair it holds what is more solid than clear.
    - ``.blend``: builds the hologram into the open file (``layout`` and ``motion``, or the defaults)
      and saves the whole of it.

    Returns:
        The files written, ``path`` first. Each replaces a former one in one step.

    Raises:
        OptionError: Another extension.
        OutputError: The output cannot be written.

    """
    path = Path(path)
    check_export_path(path)
    kind = path.suffix.lower()
    if kind == ".blend":
        build_hologram(head, layout or pyramid_layout(), motion or loop_motion())
        save_blend(path)
    elif kind == ".glb":
        _export_glb(head, path)
    elif kind == ".obj":
        return _export_obj(head, path)
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


@contextmanager
def _alone_in_scene(head: Head) -> Iterator[tuple[Any, Any]]:
    """A temporary scene with the head object alone in it, current where there is a window."""
    with temporary_head(head) as (obj, collection):
        scene = make_scene("HoloTalk Export", (64, 64), loop_motion("still"), "workbench", make_black_world())
        scene.collection.children.link(collection)
        for each in (obj, *obj.children):
            for modifier in each.modifiers:
                modifier.show_viewport = modifier.show_render = False
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            yield obj, scene


def _export_glb(head: Head, path: Path) -> None:
    if "io_scene_gltf2" not in bpy.context.preferences.addons:
        raise MissingPartError(
            "Blender's glTF add-on is switched off: enable 'glTF 2.0 format' in the preferences."
        )
    with ExitStack() as stack:
        obj, _ = stack.enter_context(_alone_in_scene(head))
        materials = [material for each in (obj, *obj.children) for material in each.data.materials]
        stack.enter_context(lit_for_export(materials))
        beside = stack.enter_context(replacing(path))
        stack.enter_context(quiet())
        bpy.ops.export_scene.gltf(
            filepath=str(beside),
            export_format="GLB",
            use_active_scene=True,
            export_yup=True,
            export_apply=False,
            export_animations=False,
            export_morph=True,
            export_morph_normal=True,
            export_morph_tangent=False,
            export_cameras=False,
            export_lights=False,
            export_extras=False,
            export_image_format="AUTO",
        )


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
    lines += _obj_part(head.posed_vertices(), head.polygons, head.polygon_uvs, groups, (1, 1))
    if head.hair is not None:
        hair = head.hair
        lines.append("o HoloTalk_Hair")
        groups = [("hair", HAIR, ~hair.soft), ("hair_edge", HAIR_EDGE, hair.soft)]
        first = (1 + len(head.vertices), 1 + int((head.polygons >= 0).sum()))
        lines += _obj_part(hair.vertices, hair.polygons, hair.polygon_uvs, groups, first)
    return "\n".join(lines) + "\n"


def _obj_part(
    points: NDArray[np.float32],
    polygons: NDArray[np.int32],
    polygon_uvs: NDArray[np.float32],
    groups: Sequence[tuple[str, str, NDArray[np.bool_]]],
    first: tuple[int, int],
) -> list[str]:
    """The lines of one object.

    Args:
        points: (V, 3) metres.
        polygons: (F, 4) indices into ``points``, -1 last in a triangle.
        polygon_uvs: (F, 4, 2).
        groups: name, material and (F,) polygons of each.
        first: the numbers of the first vertex and of the first UV in the file.

    """
    used = polygons >= 0
    numbers = np.full(polygons.shape, -1, dtype=np.int64)
    numbers[used] = np.arange(int(used.sum()))
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in points.tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in polygon_uvs[used].tolist()]
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
    soft = bool((head.texture[..., 3] < 255).any())
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


@dataclass(frozen=True)
class _Solid:
    """A mesh with coloured vertices, in head axes."""

    points: NDArray[np.float32]
    """(V, 3) metres."""
    normals: NDArray[np.float32]
    """(V, 3)."""
    colours: NDArray[np.uint8]
    """(V, 4) sRGB and alpha."""
    polygons: list[NDArray[np.int32]]
    """(F, corners) vertex indices, for each number of corners."""


def _ply(head: Head) -> bytes:
    with _alone_in_scene(head) as (obj, scene):
        solids = [_solid(obj, obj.modifiers["Subdivision"], PLY_SUBDIVISION, head.texture, scene)]
        hair = find_hair(obj)
        if head.hair is not None and hair is not None:
            # More vertices for the colours, but the shape as it is; it may have many as it is.
            subdivision = hair.modifiers.new("Subdivision", "SUBSURF")
            subdivision.subdivision_type, subdivision.uv_smooth = "SIMPLE", "NONE"
            finer = int(np.log(PLY_MOST_HAIR / max(1, len(head.hair.polygons))) / np.log(4.0))
            level = min(max(finer, 0), PLY_SUBDIVISION)
            solids.append(_solid(hair, subdivision, level, head.hair.texture, scene))
    fields = [(f, "<f4") for f in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(f, "u1") for f in ("red", "green", "blue", "alpha")]
    tables: list[NDArray[Any]] = []
    faces, points, polygons_written = bytearray(), 0, 0
    for solid in solids:
        table = np.zeros(len(solid.points), dtype=fields)
        for k, name in enumerate("xyz"):
            table[name] = solid.points[:, k]
            table[f"n{name}"] = solid.normals[:, k]
        for k, name in enumerate(("red", "green", "blue", "alpha")):
            table[name] = solid.colours[:, k]
        tables.append(table)
        for polygons in solid.polygons:
            corners = polygons.shape[1]
            face = np.zeros(len(polygons), dtype=[("n", "u1"), ("v", "<i4", (corners,))])
            face["n"], face["v"] = corners, polygons + points
            faces += face.tobytes()
            polygons_written += len(polygons)
        points += len(table)
    header = ["ply", "format binary_little_endian 1.0", "comment A head by HoloTalk: metres, y up"]
    header.append(f"element vertex {points}")
    header += [f"property {'float' if kind == '<f4' else 'uchar'} {name}" for name, kind in fields]
    header += [f"element face {polygons_written}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode("ascii") + b"".join(t.tobytes() for t in tables) + bytes(faces)


def _solid(obj: Any, subdivision: Any, level: int, texture: NDArray[np.uint8], scene: Any) -> _Solid:
    """An object as its subdivision makes it. Polygons in the slot of soft hair that are more clear than solid
    are left out."""
    is_hair = role_of(obj) == HAIR_ROLE
    subdivision.levels, subdivision.show_viewport = level, level > 0
    layer = scene.view_layers[0]
    layer.update()
    evaluated = obj.evaluated_get(layer.depsgraph)
    mesh = evaluated.to_mesh()
    points = gather(mesh.vertices, "co", 3, np.float32)
    normals = gather(mesh.vertex_normals, "vector", 3, np.float32)
    corners = gather(mesh.loops, "vertex_index", 1, np.int32).ravel()
    starts = gather(mesh.polygons, "loop_start", 1, np.int32).ravel()
    counts = gather(mesh.polygons, "loop_total", 1, np.int32).ravel()
    slots = gather(mesh.polygons, "material_index", 1, np.int32).ravel()
    uvs = gather(mesh.uv_layers[0].uv, "vector", 2, np.float32)
    evaluated.to_mesh_clear()
    colours = _vertex_colours(texture, corners, uvs, len(points), around=is_hair)
    kept = np.ones(len(counts), dtype=bool)
    if is_hair:
        alpha = np.add.reduceat(colours[corners, 3].astype(np.float64), starts) / counts
        kept = (slots != SOFT_SLOT) | (alpha >= 128)
    polygons = []
    for count in np.unique(counts):  # subdivided, they are all quads; a bare mesh has triangles too
        rows = starts[(counts == count) & kept][:, None] + np.arange(count)
        polygons.append(corners[rows])
    used = np.zeros(len(points), dtype=bool)
    for rows in polygons:
        used[rows] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return _Solid(
        from_blender(points)[used],
        from_blender(normals)[used],
        colours[used],
        [number[rows] for rows in polygons],
    )


def _vertex_colours(
    texture: NDArray[np.uint8],
    corners: NDArray[np.int32],
    uvs: NDArray[np.float32],
    count: int,
    *,
    around: bool,
) -> NDArray[np.uint8]:
    """(count, 4) sRGB and alpha: the mean of what the corners of each vertex find in the texture, which
    repeats from side to side where it goes ``around`` the head."""
    rows, columns = texture.shape[:2]
    x = np.floor(uvs[:, 0] * columns).astype(np.int64)
    x = x % columns if around else np.clip(x, 0, columns - 1)
    y = np.clip(((1.0 - uvs[:, 1]) * rows).astype(np.int64), 0, rows - 1)
    found = texture[y, x].astype(np.float64)
    total = np.stack([np.bincount(corners, found[:, k], count) for k in range(4)], axis=1)
    shared = np.maximum(np.bincount(corners, minlength=count), 1)[:, None]
    colours: NDArray[np.uint8] = np.round(total / shared).astype(np.uint8)
    return colours

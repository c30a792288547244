# SPDX-License-Identifier: GPL-3.0-or-later
"""The head for other programs: GLB with shape keys, OBJ, PLY; and the whole hologram as a .blend.

All but the .blend have y up and the face toward +z, in metres, and leave the fade of the bust out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from ..outputs import replacing
from .axes import from_blender
from .head_object import gather
from .hologram_scene import HologramScene, build_hologram, make_black_world, make_scene
from .materials import EXPORT_ROUGHNESS, LASHES, lit_for_export
from .quiet import quiet
from .render import temporary_head

EXTENSIONS = (".glb", ".obj", ".ply", ".blend")
PLY_SUBDIVISION = 2
"""A PLY carries its colours on its vertices: it needs many to show a face."""


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

    - ``.glb``: neutral face, 52 named shape keys weighted at the photo's expression, texture.
    - ``.obj``: the photo's expression; ``<name>.mtl`` and ``<name>_texture.png`` lie beside it.
    - ``.ply``: the photo's expression, subdivided, coloured vertices, binary.
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
        for modifier in obj.modifiers:
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
        stack.enter_context(lit_for_export(list(obj.data.materials)))
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


def _corners(head: Head) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    used = head.polygons >= 0
    numbers = np.full(head.polygons.shape, -1, dtype=np.int64)
    numbers[used] = np.arange(int(used.sum()))
    return used, numbers


def _export_obj(head: Head, path: Path) -> list[Path]:
    # Spaces end a file's name for some readers of OBJ.
    stem = "_".join(path.stem.split()) or "head"
    # Not <stem>.png: that may well be the photo.
    picture, materials = path.with_name(f"{stem}_texture.png"), path.with_name(f"{stem}.mtl")
    buffer = io.BytesIO()
    Image.fromarray(head.texture).save(buffer, "PNG")
    soft = bool((head.texture[..., 3] < 255).any())
    # Each of the three is complete before it takes its place, the one that names the others last.
    with ExitStack() as stack:
        stack.enter_context(replacing(path)).write_text(_obj(head, materials.name), encoding="utf-8")
        stack.enter_context(replacing(materials)).write_text(_mtl(picture.name, soft), encoding="utf-8")
        stack.enter_context(replacing(picture)).write_bytes(buffer.getvalue())
    return [path, materials, picture]


def _obj(head: Head, library: str) -> str:
    used, numbers = _corners(head)
    lines = ["# A head by HoloTalk: metres, y up, the face toward +z", f"mtllib {library}", "o HoloTalk_Head"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in head.posed_vertices().tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in head.polygon_uvs[used].tolist()]
    lines.append("s 1")
    for part, name in enumerate(PARTS):
        rows = np.flatnonzero(head.polygon_parts == part)
        if len(rows):
            lines += [f"g {name}", f"usemtl HoloTalk_{name.capitalize()}"]
        for row in rows:
            pairs = zip(head.polygons[row].tolist(), numbers[row].tolist(), strict=True)
            lines.append("f " + " ".join(f"{v + 1}/{t + 1}" for v, t in pairs if v >= 0))
    return "\n".join(lines) + "\n"


def _mtl(picture: str, soft: bool) -> str:
    lines = ["# Materials of a head by HoloTalk"]
    for part, name in enumerate(PARTS):
        lines += [
            f"newmtl HoloTalk_{name.capitalize()}",
            "Ka 0 0 0",
            "Kd 1 1 1",
            "Ks 0 0 0",
            f"Pr {EXPORT_ROUGHNESS}",
            "illum 1",
            f"map_Kd {picture}",
        ]
        if soft and part == LASHES:
            lines.append(f"map_d -imfchan m {picture}")
    return "\n".join(lines) + "\n"


def _ply(head: Head) -> bytes:
    with _alone_in_scene(head) as (obj, scene):
        subdivision = obj.modifiers["Subdivision"]
        subdivision.levels, subdivision.show_viewport = PLY_SUBDIVISION, True
        layer = scene.view_layers[0]
        layer.update()
        evaluated = obj.evaluated_get(layer.depsgraph)
        mesh = evaluated.to_mesh()
        points = gather(mesh.vertices, "co", 3, np.float32)
        normals = gather(mesh.vertex_normals, "vector", 3, np.float32)
        corners = gather(mesh.loops, "vertex_index", 1, np.int32).ravel()
        starts = gather(mesh.polygons, "loop_start", 1, np.int32).ravel()
        counts = gather(mesh.polygons, "loop_total", 1, np.int32).ravel()
        uvs = gather(mesh.uv_layers[0].uv, "vector", 2, np.float32)
        evaluated.to_mesh_clear()
    colours = _vertex_colours(head.texture, corners, uvs, len(points))
    fields = [(f, "<f4") for f in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(f, "u1") for f in ("red", "green", "blue", "alpha")]
    table = np.zeros(len(points), dtype=fields)
    for k, name in enumerate("xyz"):
        table[name] = from_blender(points)[:, k]
        table[f"n{name}"] = from_blender(normals)[:, k]
    for k, name in enumerate(("red", "green", "blue", "alpha")):
        table[name] = colours[:, k]
    header = ["ply", "format binary_little_endian 1.0", "comment A head by HoloTalk: metres, y up"]
    header.append(f"element vertex {len(points)}")
    header += [f"property {'float' if kind == '<f4' else 'uchar'} {name}" for name, kind in fields]
    header += [f"element face {len(counts)}", "property list uchar int vertex_indices", "end_header", ""]
    faces = bytearray()
    for count in np.unique(counts):  # subdivided, they are all quads; a bare mesh has triangles too
        rows = starts[counts == count][:, None] + np.arange(count)
        face = np.zeros(len(rows), dtype=[("n", "u1"), ("v", "<i4", (int(count),))])
        face["n"], face["v"] = count, corners[rows]
        faces += face.tobytes()
    return "\n".join(header).encode("ascii") + table.tobytes() + bytes(faces)


def _vertex_colours(
    texture: NDArray[np.uint8], corners: NDArray[np.int32], uvs: NDArray[np.float32], count: int
) -> NDArray[np.uint8]:
    """(count, 4) sRGB and alpha: the mean of what the corners of each vertex find in the texture."""
    rows, columns = texture.shape[:2]
    x = np.clip((uvs[:, 0] * columns).astype(np.int64), 0, columns - 1)
    y = np.clip(((1.0 - uvs[:, 1]) * rows).astype(np.int64), 0, rows - 1)
    found = texture[y, x].astype(np.float64)
    total = np.stack([np.bincount(corners, found[:, k], count) for k in range(4)], axis=1)
    shared = np.maximum(np.bincount(corners, minlength=count), 1)[:, None]
    colours: NDArray[np.uint8] = np.round(total / shared).astype(np.uint8)
    return colours

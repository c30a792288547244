# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair or headwear as an object of its own, which an artist can hide, shape or replace.

It is a child of the head object, and so turns with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..errors import OptionError
from ..head.head import Hair
from .axes import from_blender, to_blender
from .materials import image_of, image_pixels, make_hair_materials, make_image
from .mesh import gather, hide_dark, make_mesh, most_corners, read_fade, read_polygons
from .own import HEAD_ROLE, is_local, is_own, is_rendered, role_of, tag

HAIR_NAME = "HoloTalk Hair"
EDGE_NAME = "HoloTalk Hair Edge"
HAIR_IMAGE_NAME = "HoloTalk Hair Texture"
HAIR_ROLE = "hair"
SOFT_SLOT = 1
"""The slot of the polygons that are see-through in places; the other is opaque."""


def make_hair_object(hair: Hair, head_object: Any, collection: Any) -> Any:
    """Make the hair of a head object and link it to ``collection``; returns the object."""
    slots = np.where(hair.soft, SOFT_SLOT, 0)
    mesh = make_mesh(HAIR_NAME, hair, slots, hair.fade)
    image = make_image(hair.texture, HAIR_IMAGE_NAME, "hair texture")
    for material in make_hair_materials(image, HAIR_NAME, EDGE_NAME):
        mesh.materials.append(material)
    obj = tag(bpy.data.objects.new(HAIR_NAME, mesh), HAIR_ROLE)
    collection.objects.link(obj)
    obj.parent = head_object
    hide_dark(obj, hair.polygons, hair.fade)
    return obj


def hair_objects(objects: Iterable[Any]) -> list[Any]:
    """Which of some objects are hair, the user's copies with it."""
    return [obj for obj in objects if role_of(obj) == HAIR_ROLE and is_local(obj)]


def head_under(obj: Any) -> Any:
    """The head object that a hair object hangs on, were it by way of something between; or None."""
    head_object = obj.parent
    while head_object is not None and role_of(head_object) != HEAD_ROLE:
        head_object = head_object.parent
    return head_object


def hair_of(head_object: Any) -> list[Any]:
    """All hair on a head object, hidden hair and the user's copies with it, whichever collection the user has
    put it into. HoloTalk's own comes first."""
    found = [obj for obj in hair_objects(head_object.children_recursive) if head_under(obj) == head_object]
    return sorted(found, key=lambda obj: not is_own(obj))


def find_hair(head_object: Any) -> Any:
    """The object that is a head object's hair in the picture, or None where there is none, or where the user
    has hidden it, or the collection that he has put it into, from renders. HoloTalk's own comes before one
    that the user renamed or copied."""
    beside = head_object.users_collection
    for obj in hair_of(head_object):
        if obj.type == "MESH" and is_rendered(obj, beside):
            return obj
    return None


def hair_names(obj: Any) -> list[tuple[Any, str]]:
    """A hair object and what it is made of, each with its name without a number; what a user has removed is
    left out."""
    blocks = [(obj, HAIR_NAME), (obj.data, HAIR_NAME)]
    blocks += zip(obj.data.materials, (HAIR_NAME, EDGE_NAME), strict=False)
    blocks.append((image_of(obj), HAIR_IMAGE_NAME))
    return [(block, name) for block, name in blocks if block is not None]


def read_hair(obj: Any, *, shape_only: bool = False) -> Hair:
    """The hair of a hair object, with what a user has changed about it since: shape, place, texture.

    Args:
        obj: From :func:`find_hair`.
        shape_only: For framing: leaves the texture out (one clear pixel), and polygons may have any number of
            corners; their rows are as long as that takes.

    Raises:
        OptionError: The object has lost its texture or UVs, or has polygons of more than four corners. Not
            where the shape alone is asked for.

    """
    mesh = obj.data
    if shape_only:
        texture = np.zeros((1, 1, 4), dtype=np.uint8)
    else:
        if most_corners(mesh) > 4:
            raise OptionError(
                f"{obj.name} has faces with more than four corners: make them quads or triangles, or hide "
                "it from renders to go without it."
            )
        image = image_of(obj)
        if image is None or not mesh.uv_layers:
            raise OptionError(
                f"{obj.name} has lost its texture or its UVs: give them back, or hide it from renders to go "
                "without it."
            )
        texture = image_pixels(image)
    polygons, uvs = read_polygons(mesh)
    points = _placed(obj, from_blender(gather(mesh.vertices, "co", 3, np.float32)))
    return Hair(
        vertices=points,
        polygons=polygons,
        uvs=uvs,
        soft=gather(mesh.polygons, "material_index", 1, np.int32).ravel() == SOFT_SLOT,
        fade=read_fade(mesh),
        texture=texture,
    )


def _placed(obj: Any, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 3) head axes, moved as the object stands on the head object."""
    place = Matrix()
    while obj is not None and role_of(obj) != HEAD_ROLE:
        place = obj.matrix_parent_inverse @ obj.matrix_basis @ place
        obj = obj.parent
    if place == Matrix():  # to the bit what it was made of
        return points
    matrix = np.array(place, dtype=np.float32)
    return from_blender(to_blender(points) @ matrix[:3, :3].T + matrix[:3, 3])

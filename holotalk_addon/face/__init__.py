# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo -> Face: detection, 68 landmarks, 468-point mesh, iris, pose, person mask.

    photo = read_photo("portrait.jpg")
    models = FaceModels.load(find_asset, canonical_mesh)
    face = pick_face(find_faces(photo, models), 1)
    parsing = network(photo.pixels, face.mesh)
    mask = person_mask(photo, parsing, face.mesh)

Importing this package imports none of Pillow, OpenCV, dlib and LiteRT: the names below are looked up
in their modules when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .descriptor import FaceDescriptor, descriptor_distance
    from .find import Face, find_faces, follow_face, pick_face
    from .landmarks68 import landmarks68_from_mesh
    from .levelling import Levelled, levelled
    from .mask import person_mask
    from .mesh import mesh_on_crop
    from .models import FaceModels
    from .networks import Network
    from .parsing import Parsing, ParsingNetwork
    from .photo import Photo, photo_from_pixels, read_photo
    from .pose import angles_from_rotation, pose_six_points, rotation_from_angles

__all__ = [
    "Face",
    "FaceDescriptor",
    "FaceModels",
    "Levelled",
    "Network",
    "Parsing",
    "ParsingNetwork",
    "Photo",
    "angles_from_rotation",
    "descriptor_distance",
    "find_faces",
    "follow_face",
    "landmarks68_from_mesh",
    "levelled",
    "mesh_on_crop",
    "person_mask",
    "photo_from_pixels",
    "pick_face",
    "pose_six_points",
    "read_photo",
    "rotation_from_angles",
]

_HOMES = {
    "Face": "find",
    "FaceDescriptor": "descriptor",
    "FaceModels": "models",
    "Levelled": "levelling",
    "Network": "networks",
    "Parsing": "parsing",
    "ParsingNetwork": "parsing",
    "Photo": "photo",
    "angles_from_rotation": "pose",
    "descriptor_distance": "descriptor",
    "find_faces": "find",
    "follow_face": "find",
    "landmarks68_from_mesh": "landmarks68",
    "levelled": "levelling",
    "mesh_on_crop": "mesh",
    "person_mask": "mask",
    "photo_from_pixels": "photo",
    "pick_face": "find",
    "pose_six_points": "pose",
    "read_photo": "photo",
    "rotation_from_angles": "pose",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo -> faces: everything that is measured on each, and the choice of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..progress import Progress, silent
from .detection import Detection, detect, detect_again
from .landmarks68 import landmarks68
from .models import FaceModels
from .photo import Photo
from .pose import angles_from_rotation, level_yaw, mesh_rotation, tilt
from .quality import face_warnings

SMALLEST_FACE = 24
"""Pixels of width below which a face is refused."""

LYING = 45.0
"""Degrees of tilt from which on the photo is turned by a quarter at least."""

COMPARABLE = 0.25
"""Width over the chosen face's from which another face is worth a word to the user."""


@dataclass(frozen=True)
class Face:
    """One face of a photo. Pixels are working pixels: x right, y down, (0, 0) the outer corner of the
    first pixel. "Right" and "left" are the person's.
    """

    box: NDArray[np.float64]
    """(4,) x, y, width, height of the mesh's points: brows and a strip of forehead to the chin."""
    score: float
    """The detectors' score, 0..1."""
    landmarks68: NDArray[np.float64]
    """(68, 2) dlib's landmarks, see :mod:`.landmarks68`."""
    mesh: NDArray[np.float64]
    """(468, 3) pixels; z away from the camera in the same unit, the nose negative, see :mod:`.mesh`."""
    mesh_score: float
    """The mesh network's own face score, 0..1."""
    iris: NDArray[np.float64]
    """(2, 5, 2) right eye, left eye: centre of the iris, then its edge toward the nose, at the top,
    toward the temple, at the bottom. Index 0 is on the picture's left when the head is not turned over."""
    eye_contour: NDArray[np.float64]
    """(2, 16, 2) rim of the eyes' openings, see :class:`.iris.Eyes`."""
    rotation: NDArray[np.float64]
    """(3, 3) head axes -> camera axes, see :mod:`.pose`."""
    yaw: float
    """Degrees, > 0: the nose points to the picture's right."""
    pitch: float
    """Degrees, > 0: the nose is raised."""
    roll: float
    """Degrees, > 0: the head is tilted clockwise in the picture."""
    warnings: tuple[str, ...] = ()
    """Sentences for the user about what will hurt the result."""


def find_faces(photo: Photo, models: FaceModels, progress: Progress = silent) -> list[Face]:
    """All faces of a photo, the largest box first, but beside a sure face those that may be none last; an
    empty list where there is none."""
    detections = detect(photo.pixels, models, lambda done: progress(0.8 * done))
    faces = []
    for index, detection in enumerate(detections):
        faces.append(_measure(photo, models, detection, _crowd(detections, index)))
        progress(0.8 + 0.2 * (index + 1) / len(detections))
    progress(1.0)
    return faces


def follow_face(photo: Photo, models: FaceModels, last: Face) -> Face | None:
    """The face that was ``last`` in the frame before, found again where it was, without a search: many times
    as fast as :func:`find_faces`. None where it is lost: it has gone, or moved by more than half its width.
    """
    detection = detect_again(photo.pixels, models, last.mesh)
    return None if detection is None else _measure(photo, models, detection, ())


def pick_face(faces: Sequence[Face], number: int = 1) -> Face:
    """The face that the user means, 1 being the largest (:func:`find_faces`).

    Raises :class:`~holotalk_addon.errors.FaceError` where there is none, no such number, or where it is too
    small to make a head of.
    """
    if not faces:
        raise FaceError(
            "No face was found in this photo. Use one where a face looks toward the camera, "
            "well lit and at least 100 pixels wide."
        )
    if not 1 <= number <= len(faces):
        there = "there is only one face" if len(faces) == 1 else f"there are {len(faces)} faces"
        raise FaceError(
            f"Face {number} was asked for, but {there} in this photo. Give a number from 1 to {len(faces)}."
        )
    face = faces[number - 1]
    if face.box[2] < SMALLEST_FACE:
        raise FaceError(
            f"The face is only {face.box[2]:.0f} pixels wide; at least {SMALLEST_FACE} are needed, "
            "100 or more are good. Use a larger or closer photo."
        )
    return face


def _measure(photo: Photo, models: FaceModels, detection: Detection, crowd: tuple[str, ...]) -> Face:
    rotation = mesh_rotation(detection.mesh, models.canonical_mesh, photo.focal_px, photo.width, photo.height)
    yaw, pitch, roll = angles_from_rotation(rotation)
    eyes = detection.eyes
    return Face(
        box=detection.box,
        score=detection.score,
        landmarks68=landmarks68(photo.pixels, detection.mesh, models.shape68),
        mesh=detection.mesh,
        mesh_score=detection.mesh_score,
        iris=eyes.iris,
        eye_contour=eyes.contour,
        rotation=rotation,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        warnings=(
            *_orientation(detection, tilt(rotation)),
            *face_warnings(photo.pixels, detection.mesh, level_yaw(rotation)),
            *crowd,
        ),
    )


def _orientation(detection: Detection, tilted: float) -> tuple[str, ...]:
    """A word to the user where this may be no face, where the picture is turned for it (``tilted`` is in
    degrees), and where it is not clear how.
    """
    found = []
    if detection.doubtful:
        found.append(
            "This may not be a face: if it is an animal, a drawing or a thing, pick another face or photo. "
            "If it is one, a sharper photo from the front gives a better head."
        )
    if abs(tilted) > LYING:
        how = "stands on its head" if abs(tilted) > 180.0 - LYING else "lies on its side"
        found.append(f"The photo {how}: it was turned upright.")
    if detection.unsure:
        found.append(
            "It is hard to tell which way up the face is. If the head comes out upside down, "
            "turn the photo the right way up first."
        )
    return tuple(found)


def _crowd(detections: Sequence[Detection], index: int) -> tuple[str, ...]:
    """A word to the user where the photo shows other people too: whose head this will be."""
    width = float(detections[index].box[2])
    least = max(SMALLEST_FACE, COMPARABLE * width)
    others = [d for d in detections if d.box[2] >= least and not d.doubtful]
    if len(others) < 2:
        return ()
    return (
        f"The photo shows {len(detections)} faces; this is number {index + 1}, counted from the largest.",
    )

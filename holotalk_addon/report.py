# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a face and of a person in a file, as the command line's contract has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .face import Face
    from .pipeline import Person
    from .progress import Stages


def face_entry(face: Face, scale: float = 1.0) -> dict[str, Any]:
    """A face as the command line's contract writes it: pixels of the original picture, degrees.

    Args:
        face: the face.
        scale: working pixels over original pixels.
    """
    return {
        "box": [round(float(v) / scale, 2) for v in face.box],
        "score": round(float(face.score), 4),
        "yaw": round(face.yaw, 2),
        "pitch": round(face.pitch, 2),
        "roll": round(face.roll, 2),
        "rotation": [[round(float(v), 6) for v in row] for row in face.rotation],
        "landmarks68": [[round(float(v) / scale, 2) for v in point] for point in face.landmarks68],
    }


def report(person: Person, stages: Stages) -> dict[str, Any]:
    """What ``--report`` writes: seconds per stage, the face, the fit, warnings; original pixels."""
    fit = person.fit
    strengths = zip(person.head.expression_names, person.head.expression, strict=True)
    return {
        "stages": [{"name": name, "seconds": round(seconds, 3)} for name, seconds in stages.seconds],
        "face": face_entry(person.face, person.photo.scale),
        "fit": {
            "nme_percent": round(fit.nme_percent, 3),
            "residual_nme_percent": round(fit.residual_nme_percent, 3),
            "focal_px": round(fit.camera.focal / person.photo.scale, 1),
            "expression": {name: round(float(s), 3) for name, s in strengths if s > 0.01},
        },
        "check": {
            "distance": round(person.check.distance, 3),
            "seen": round(person.check.seen, 3),
            "landmarks_percent": round(person.check.landmarks, 2) if person.check.found else None,
        },
        "warnings": list(person.warnings),
    }

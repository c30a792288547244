# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the command share."""

from pathlib import Path

import numpy as np
import pytest

QUICK = ("--engine", "workbench", "--size", "128")


def contents(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


def refused(result):
    """The one line of a refusal."""
    status, output, error = result
    assert status == 2
    assert output == ""
    lines = error.splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("holotalk: ")
    assert "Traceback" not in error
    assert len(lines[0]) > 25
    return lines[0]


KEYS = {"box", "score", "yaw", "pitch", "roll", "rotation", "landmarks68"}


def check_face(face, width, height):
    assert set(face) == KEYS
    x, y, w, h = face["box"]
    assert w > 0
    assert h > 0
    assert 0 <= x + w / 2 <= width
    assert 0 <= y + h / 2 <= height
    assert 0 < face["score"] <= 1
    points = np.array(face["landmarks68"])
    assert points.shape == (68, 2)
    assert (points[:, 0] > x - w / 2).all()
    assert (points[:, 0] < x + 1.5 * w).all()
    assert points[36, 0] < points[45, 0]  # the right eye is on the picture's left
    R = np.array(face["rotation"])
    assert np.allclose(R @ R.T, np.eye(3), atol=1e-4)
    assert np.linalg.det(R) == pytest.approx(1.0, abs=1e-4)
    assert face["yaw"] == pytest.approx(np.degrees(np.arcsin(R[0, 2])), abs=0.02)
    assert face["pitch"] == pytest.approx(np.degrees(np.arctan2(R[1, 2], R[2, 2])), abs=0.02)
    assert face["roll"] == pytest.approx(np.degrees(np.arctan2(R[0, 1], R[0, 0])), abs=0.02)

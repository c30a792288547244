# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the add-on's operators share: the state they look at, failures as users are told them."""

import re
from pathlib import Path

import bpy
import pytest

import holotalk_addon
from holotalk_addon.scene.own import role_of

SIZE = 320


def state():
    return bpy.context.window_manager.holotalk.work


def ours():
    """How many blocks of each role there are."""
    counts = {}
    for kind in ("scenes", "objects", "meshes", "cameras", "materials", "images", "actions", "collections"):
        for block in getattr(bpy.data, kind):
            if role_of(block):
                key = f"{kind} {role_of(block)}"
                counts[key] = counts.get(key, 0) + 1
    return counts


def fails(call, match):
    with pytest.raises(RuntimeError, match=match):
        call()
    assert re.search(match, state().error)
    assert "Traceback" not in state().error
    details = Path(state().details).read_text()
    assert bpy.app.version_string in details
    assert holotalk_addon.__version__ in details
    assert "Traceback" in details
    assert re.search(r"numpy \d", details)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which data-blocks of a .blend are HoloTalk's own, and clearing them away."""

from __future__ import annotations

from typing import Any

import bpy

TAG = "holotalk"


def tag(block: Any, role: str) -> Any:
    """Mark a data-block as HoloTalk's own; returns it. ``role`` says what it is."""
    block[TAG] = role
    return block


def role_of(block: Any) -> str | None:
    """The role a data-block was tagged with, or None."""
    value = block.get(TAG)
    return value if isinstance(value, str) else None


def remove_own(roles: frozenset[str] | None = None) -> None:
    """Remove HoloTalk's data-blocks (those of some roles) and nothing else.

    A file always keeps one scene: where all are HoloTalk's own, an empty one takes their place.
    """
    data = bpy.data
    # Users before what they use: scenes, objects, then data.
    for blocks in (
        data.scenes,
        data.collections,
        data.objects,
        data.meshes,
        data.cameras,
        data.materials,
        data.images,
        data.worlds,
        data.actions,
    ):
        for block in list(blocks):
            role = role_of(block)
            if role is None or (roles is not None and role not in roles):
                continue
            if blocks is data.scenes and len(data.scenes) == 1:
                data.scenes.new("Scene")
            blocks.remove(block)
    for key in list(data.shape_keys):
        if key.users == 0:
            data.batch_remove([key])

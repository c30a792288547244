# SPDX-License-Identifier: GPL-3.0-or-later
"""Which data-blocks of a .blend are HoloTalk's own, and clearing them away."""

from __future__ import annotations

from typing import Any

import bpy

TAG = "holotalk"
EMPTY_ROLE = "empty"
"""The scene of a new file, which goes when there is another."""


def tag(block: Any, role: str) -> Any:
    """Mark a data-block as HoloTalk's own; returns it. ``role`` says what it is."""
    block[TAG] = role
    return block


def role_of(block: Any) -> str | None:
    """The role a data-block was tagged with, or None."""
    value = block.get(TAG)
    return value if isinstance(value, str) else None


def own_kinds() -> tuple[Any, ...]:
    """The kinds of data-blocks that are tagged, users before what they use."""
    data = bpy.data
    return (
        data.scenes,
        data.collections,
        data.objects,
        data.meshes,
        data.cameras,
        data.materials,
        data.images,
        data.worlds,
        data.actions,
    )


def remove_own() -> None:
    """Remove HoloTalk's data-blocks and nothing else.

    A file always keeps one scene: where all are HoloTalk's own, an empty one takes their place.
    """
    for blocks in own_kinds():
        for block in list(blocks):
            if role_of(block) in (None, EMPTY_ROLE):
                continue
            if blocks == bpy.data.scenes and len(blocks) == 1:
                tag(bpy.data.scenes.new("Scene"), EMPTY_ROLE)
            blocks.remove(block)


def remove_empty() -> None:
    """Remove the empty scene of a new file, now that there are others."""
    for scene in list(bpy.data.scenes):
        if role_of(scene) == EMPTY_ROLE and len(bpy.data.scenes) > 1 and not scene.objects:
            bpy.data.scenes.remove(scene)

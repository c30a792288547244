# SPDX-License-Identifier: GPL-3.0-or-later
"""Which data-blocks of a .blend are HoloTalk's own, finding them, and clearing them away.

A block is tagged with its role and the name it was given. A copy of it that the user makes, and a block that
the user renames, bears another name: it is the user's from then on, and stays when its original goes.
"""

from __future__ import annotations

from typing import Any

import bpy

TAG = "holotalk_role"
"""Custom property: what the block is to HoloTalk. (``holotalk`` alone is the panel's settings.)"""
NAME_TAG = "holotalk_name"
"""Custom property: the name under which it is HoloTalk's own."""
LOOK = "holotalk_look"
"""Custom property of the hologram's scene: what it was built with, as JSON."""
HOLOGRAM_ROLE = "hologram"
"""The scene whose sequencer shows the hologram."""
PYRAMID_ROLE = "pyramid scene"
"""The scene of the virtual pyramid."""
HEAD_ROLE = "head"
"""A head object."""
SIDES_ROLE = "sides"
"""The picture of a head's sides before and after their completion."""
EMPTY_ROLE = "empty"
"""The scene of a new file, which goes when there is another."""


def tag(block: Any, role: str) -> Any:
    """Mark a data-block as HoloTalk's own, under the name it bears now; returns it."""
    block[TAG] = role
    block[NAME_TAG] = block.name
    return block


def role_of(block: Any) -> str | None:
    """The role a data-block was tagged with, or None."""
    value = block.get(TAG)
    return value if isinstance(value, str) else None


def is_own(block: Any) -> bool:
    """Whether a data-block is HoloTalk's to change and to remove: tagged, and neither renamed nor a copy."""
    return role_of(block) is not None and block.get(NAME_TAG) == block.name and is_local(block)


def is_local(block: Any) -> bool:
    """Whether a data-block belongs to the open file: not linked from another, nor overriding what is."""
    return block.library is None and getattr(block, "override_library", None) is None


def keep_users_action(block: Any) -> None:
    """An action of the user's that moves a data-block stays in the file, when the block goes or moves
    otherwise."""
    data = block.animation_data
    if data is not None and data.action is not None and not is_own(data.action):
        data.action.use_fake_user = True


def is_rendered(obj: Any, beside: Any) -> bool:
    """Whether nothing hides an object from renders: neither itself, nor all of the collections that it is in,
    but for those in ``beside``, which are in the picture."""
    return not obj.hide_render and any(
        place in beside or not place.hide_render for place in obj.users_collection
    )


def find_by_role(blocks: Any, role: str) -> Any:
    """The local block of this role among some blocks, or None: HoloTalk's own if it is there, else one that
    the user renamed or copied."""
    found = [block for block in blocks if role_of(block) == role and is_local(block)]
    return next((block for block in found if is_own(block)), found[0] if found else None)


def hologram_scene() -> Any:
    """The scene whose sequencer shows the hologram of the open file, or None."""
    return find_by_role(bpy.data.scenes, HOLOGRAM_ROLE)


def own_sides() -> Any:
    """The picture of the head's sides before and after their completion, as HoloTalk keeps it; or None."""
    image = find_by_role(bpy.data.images, SIDES_ROLE)
    return image if image is not None and is_own(image) else None


def hologram_collection() -> Any:
    """The collection that holds the hologram's parts, or None. Its like in other scenes (a head appended
    from another file) are the user's."""
    scene = hologram_scene()
    return None if scene is None else find_by_role(scene.collection.children, "collection")


def hologram_head() -> Any:
    """The head object of the hologram, or None."""
    collection = hologram_collection()
    return None if collection is None else find_by_role(collection.objects, HEAD_ROLE)


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


def own_blocks() -> set[int]:
    """The blocks that are there, by their number in this run of Blender: see :func:`remove_since`."""
    return {block.session_uid for blocks in own_kinds() for block in blocks}


def remove_since(before: set[int]) -> None:
    """Remove HoloTalk's data-blocks that were made since ``before``, from :func:`own_blocks`."""
    for blocks in own_kinds():
        for block in list(blocks):
            if block.session_uid not in before and role_of(block) is not None:
                blocks.remove(block)


def remove_object(obj: Any) -> None:
    """Remove one of HoloTalk's own objects with its mesh, materials, images and actions, as far as nothing
    else uses them."""
    data, materials = obj.data, list(getattr(obj.data, "materials", ()))
    images = [
        node.image
        for material in materials
        if material is not None and material.node_tree is not None
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and node.image is not None
    ]
    actions = [
        owner.animation_data.action
        for owner in (obj, data, getattr(data, "shape_keys", None))
        if owner is not None and owner.animation_data is not None
    ]
    bpy.data.objects.remove(obj)
    blocks = [block for block in (data, *materials, *images, *actions) if block is not None]
    for block in dict.fromkeys(blocks):
        if is_own(block) and block.users == 0:
            bpy.data.batch_remove([block])


def remove_empty() -> None:
    """Remove the empty scene of a new file, now that there are others."""
    for scene in list(bpy.data.scenes):
        if role_of(scene) == EMPTY_ROLE and len(bpy.data.scenes) > 1 and not scene.objects:
            bpy.data.scenes.remove(scene)

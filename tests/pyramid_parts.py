# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the virtual pyramid, and what the tests exchange for its acrylic."""

from __future__ import annotations

import bpy

from holotalk_addon.scene import compat
from holotalk_addon.scene.hologram_scene import make_black_world
from holotalk_addon.scene.own import find_by_role

DRESSING = ("edges", "device", "stand", "table")


def part(scene, name):
    """An object of the virtual pyramid."""
    found = find_by_role(scene.objects, f"pyramid {name}")
    assert found is not None, name
    return found


def mirrors(scene):
    """The four sheets: front, right, back, left."""
    return [part(scene, f"mirror {k}") for k in range(4)]


def undress(scene):
    """Hide what is only there for the eye, and the light."""
    for name in DRESSING:
        part(scene, name).hide_render = True
    scene.world = make_black_world()


def perfect_mirror():
    """A material that reflects everything: what an ideal pyramid would be made of."""
    material = bpy.data.materials.new("Mirror")
    tree = compat.node_tree(material)
    tree.nodes.clear()
    glossy = tree.nodes.new("ShaderNodeBsdfAnisotropic")
    glossy.inputs["Roughness"].default_value = 0.0
    glossy.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(glossy.outputs[0], output.inputs["Surface"])
    return material

# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of shader nodes, written as calculations: every material and world of ours is made with this."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat


class ShaderNodes:
    """Writes the node tree of a material or a world. What was in it goes.

    Values are numbers, tuples or sockets of other nodes; what calculates returns a socket.
    """

    def __init__(self, owner: Any) -> None:
        self.tree = compat.node_tree(owner)
        self.tree.nodes.clear()
        kind = "World" if isinstance(owner, bpy.types.World) else "Material"
        self._output = self.new(f"ShaderNodeOutput{kind}", name="Output", location=(300.0, 0.0))

    def new(self, kind: str, inputs: dict[str, Any] | None = None, **attributes: Any) -> Any:
        """A node with these attributes; ``inputs`` are fed by name."""
        node = self.tree.nodes.new(kind)
        node.location = (180.0 * len(self.tree.nodes) - 2000.0, 0.0)
        for name, value in attributes.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            self.feed(node.inputs[name], value)
        return node

    def feed(self, socket: Any, value: Any) -> None:
        """Link another socket to an input, or set the input's value."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def feed_in_order(self, node: Any, *values: Any) -> Any:
        """Feed a node's first inputs; returns its first output. Names would not tell them apart."""
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[0]

    def math(self, operation: str, *values: Any, **attributes: Any) -> Any:
        """The output of a node that calculates with numbers."""
        return self.feed_in_order(self.new("ShaderNodeMath", operation=operation, **attributes), *values)

    def vector(self, operation: str, *values: Any, output: str = "Vector") -> Any:
        """The output of a node that calculates with vectors."""
        node = self.new("ShaderNodeVectorMath", operation=operation)
        self.feed_in_order(node, *values)
        return node.outputs[output]

    def scaled(self, vector: Any, factor: Any) -> Any:
        """A vector times a number."""
        node = self.new("ShaderNodeVectorMath", {"Scale": factor}, operation="SCALE")
        return self.feed_in_order(node, vector)

    def ramp(self, value: Any, between: tuple[float, float], to: tuple[float, float]) -> Any:
        """A number brought smoothly from one range to another, and kept in it."""
        ranges = {"From Min": between[0], "From Max": between[1], "To Min": to[0], "To Max": to[1]}
        node = self.new(
            "ShaderNodeMapRange", {"Value": value, **ranges}, interpolation_type="SMOOTHSTEP", clamp=True
        )
        return node.outputs["Result"]

    def surface(self, colour: tuple[float, float, float], roughness: float) -> Any:
        """An ordinary surface of one colour."""
        inputs = {"Base Color": (*colour, 1.0), "Roughness": roughness}
        return self.new("ShaderNodeBsdfPrincipled", inputs).outputs[0]

    def emission(self, colour: Any, strength: Any, **attributes: Any) -> Any:
        """A surface that shines by itself; ``colour`` has four numbers, or is a socket."""
        inputs = {"Color": colour, "Strength": strength}
        return self.new("ShaderNodeEmission", inputs, **attributes).outputs[0]

    def add(self, *shaders: Any) -> Any:
        """Two shaders together."""
        return self.feed_in_order(self.new("ShaderNodeAddShader"), *shaders)

    def mix(self, share: Any, first: Any, second: Any, **attributes: Any) -> Any:
        """Two shaders, by the share of the second."""
        return self.feed_in_order(self.new("ShaderNodeMixShader", **attributes), share, first, second)

    def show(self, shader: Any) -> None:
        """Make a shader the surface of the material, or of the world."""
        self.feed(self._output.inputs["Surface"], shader)

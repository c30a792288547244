# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a .glb for tests, independent of what writes it."""

import json
import struct

import numpy as np

COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """The two chunks of a .glb: ``json``, and what accessors and images find in the binary one."""

    def __init__(self, path):
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size = struct.unpack_from("<I", content, 12)[0]
        self.json = json.loads(content[20 : 20 + size])
        self._blob = content[28 + size :]

    def view(self, number, dtype=np.uint8):
        view = self.json["bufferViews"][number]
        start = view.get("byteOffset", 0)
        return np.frombuffer(self._blob[start : start + view["byteLength"]], dtype)

    def accessor(self, number):
        item = self.json["accessors"][number]
        dtype, width = COMPONENTS[item["componentType"]], WIDTHS[item["type"]]
        if "bufferView" in item:
            values = self.view(item["bufferView"], dtype).reshape(-1, width).copy()
        else:
            values = np.zeros((item["count"], width), dtype)
        if "sparse" in item:
            indices, places = item["sparse"]["values"], item["sparse"]["indices"]
            rows = self.view(places["bufferView"], COMPONENTS[places["componentType"]])
            values[rows] = self.view(indices["bufferView"], dtype).reshape(-1, width)
        return values

    def node(self, name):
        (node,) = [node for node in self.json["nodes"] if node["name"] == name]
        return node

    def mesh(self, name):
        return self.json["meshes"][self.node(name)["mesh"]]

    def image(self, name):
        (image,) = [image for image in self.json["images"] if image["name"] == name]
        return image["mimeType"], self.view(image["bufferView"]).tobytes()

    def morphed(self, primitive, weights):
        """(N, 3) positions of a primitive with its targets at these weights."""
        points = self.accessor(primitive["attributes"]["POSITION"])
        for target, weight in zip(primitive.get("targets", ()), weights, strict=True):
            points = points + weight * self.accessor(target["POSITION"])
        return points

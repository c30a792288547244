# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a ``.tflite`` network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from ..silence import ERR, silenced

MEND = (
    "In Blender, remove the add-on and install its zip again; for the command, delete the file and run "
    "`holotalk assets`."
)

_CHATTER = ("Created TensorFlow Lite XNNPACK delegate",)
"""LiteRT's C++ side announces its delegate on standard error and offers Python no switch for it."""


class Network:
    """A ``.tflite`` network with one float32 input and float32 outputs, run by LiteRT on the CPU.

    Not safe to call from two threads at once: the interpreter owns its buffers.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Load ``path``; ``threads`` defaults to the computer's cores, at most 4 (the networks are
        too small to use more). Raises :class:`~holotalk_addon.errors.AssetError`.
        """
        from ai_edge_litert.interpreter import Interpreter

        self.path = Path(path)
        try:
            with silenced(ERR, _CHATTER):
                # Contents, not the name: the C++ side cannot open every name on Windows.
                self._interpreter: Any = Interpreter(
                    model_content=self.path.read_bytes(),
                    num_threads=threads or min(4, os.cpu_count() or 1),
                )
                self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise AssetError(
                f"The network {self.path} cannot be loaded ({' '.join(str(error).split())[:120]}). {MEND}"
            ) from error
        (entry,) = self._interpreter.get_input_details()
        self._input = int(entry["index"])
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in entry["shape"])
        self._outputs = {str(d["name"]): int(d["index"]) for d in self._interpreter.get_output_details()}

    def __call__(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run once. ``values`` has ``input_shape`` with or without the leading 1; returns copies of all
        outputs by name.
        """
        batch = np.ascontiguousarray(values, dtype=np.float32).reshape(self.input_shape)
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

# SPDX-License-Identifier: GPL-3.0-or-later
"""From Keras to a ``.tflite`` with 16-bit weights, and back.

The ``.tflite`` is the only file of weights that is kept: :func:`weights_of` reads them out of it again,
so that training can go on from what is published. Whatever backend has trained, the conversion is
TensorFlow's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError, MissingPartError
from ..face.networks import Network
from ..outputs import replacing


def convert(network: keras.Model, path: Path) -> None:
    """Write the network as a ``.tflite`` with float16 weights; in- and outputs stay float32, one sample.

    Raises:
        MissingPartError: Keras runs on another backend than TensorFlow.
        OutputError: the file cannot be written.
    """
    if keras.backend.backend() != "tensorflow":
        raise MissingPartError(
            "Only TensorFlow can write a .tflite: install it and set KERAS_BACKEND=tensorflow; "
            "the trained .keras file loads there as it is."
        )
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="holotalk-") as folder:
        signature = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32, name="stack")
        network.export(folder, format="tf_saved_model", input_signature=[signature], verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        content = converter.convert()
    with replacing(path) as beside:
        beside.write_bytes(content)


def convert_checked(network: keras.Model, path: Path, pictures: NDArray[np.float32], most: float) -> float:
    """:func:`convert`, but nothing is written where LiteRT makes something else of it.

    Args:
        network: what is converted.
        path: the ``.tflite``.
        pictures: (N, ...) inputs on which both are compared.
        most: the largest difference that there may be.

    Returns:
        The largest that there is.

    Raises:
        MissingPartError: it is larger, or Keras runs on another backend than TensorFlow.
        OutputError: the file cannot be written.
    """
    with replacing(path) as beside:
        convert(network, beside)
        apart = disagreement(network, beside, pictures)
        if apart > most:
            raise MissingPartError(
                f"LiteRT and Keras differ by {apart:.1e}, more than {most:g}: this "
                "TensorFlow's converter does not fit this LiteRT; try the versions in pyproject.toml."
            )
    return apart


def disagreement(network: keras.Model, path: Path, pictures: NDArray[np.float32]) -> float:
    """The largest difference between what Keras and LiteRT make of N inputs (N, ...), 0..1."""
    lite = Network(path)
    there = np.asarray(network.predict(pictures, batch_size=32, verbose=0))
    here = np.stack([next(iter(lite(picture[None]).values()))[0] for picture in pictures])
    return float(np.abs(there - here).max())


def weights_of(path: Path) -> list[NDArray[np.float32]]:
    """The weights in a ``.tflite`` of :func:`convert`, for Keras's ``set_weights``: kernel and bias of each
    layer that has them, in the order of the layers.

    Raises:
        AssetError: the file is something else, or missing.
    """
    from ai_edge_litert import schema_py_generated as schema

    foreign = f"{path} is not a network that HoloTalk has trained: take one from model_weights."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path} cannot be read ({error.strerror}): name another file.") from error
    if not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise AssetError(foreign)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    kinds = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    half = {
        int(op.outputs[0]): int(op.inputs[0])
        for op in graph.operators
        if kinds[op.opcodeIndex] == schema.BuiltinOperator.DEQUANTIZE
    }
    layers = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED)
    weights: list[NDArray[np.float32]] = []
    for op in graph.operators:
        if kinds[op.opcodeIndex] not in layers:
            continue
        for tensor in (graph.tensors[half.get(int(i), int(i))] for i in op.inputs[1:]):
            if tensor.type != schema.TensorType.FLOAT16:
                raise AssetError(foreign)
            values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float16)
            values = values.reshape(tensor.shape)
            # LiteRT puts the outputs first, Keras last.
            values = values.transpose(1, 2, 3, 0) if values.ndim == 4 else values.T
            weights.append(np.ascontiguousarray(values, dtype=np.float32))
    return weights

"""The real-valued twin as an ONNX model, made without any training framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes

__all__ = ["onnx_model"]

_OPSET, _IR_VERSION = 21, 10

_RESIZES = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
}


def onnx_model(network: PackedModel, shape_nhwc: tuple[int, ...]) -> onnx.ModelProto:
    """Return the model; its input is float32 NCHW, its values have the network's names."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    count, height, width, channels = shape_nhwc
    shapes = infer_shapes(network, (height, width))
    for step in network.steps:
        rows, columns, outputs = shapes[step.output]
        _add(network, step, (count, outputs, rows, columns), nodes, constants)
    given = helper.make_tensor_value_info(
        network.input["name"], TensorProto.FLOAT, (count, channels, height, width)
    )
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4)
        for name in network.outputs
    ]
    graph = helper.make_graph(nodes, network.name, [given], results, constants)
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return onnx.shape_inference.infer_shapes(model)


def _add(
    network: PackedModel,
    step: Step,
    shape_nchw: tuple[int, ...],
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
) -> None:
    def constant(role: str, array: np.ndarray) -> str:
        name = f"{step.name}/{role}"
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(op: str, inputs: list[str], output: str = step.output, **attrs: Any) -> None:
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attrs))

    tensors = {role: network.tensor(step, role) for role in step.tensors}
    inputs = list(step.inputs)
    match step.op:
        case "conv":
            weight = constant("weight", tensors["weight"].transpose(3, 2, 0, 1))
            bias = constant("bias", tensors["bias"])
            sizes = {"kernel_shape": tensors["weight"].shape[:2], "group": step.attrs["groups"]}
            node("Conv", [*inputs, weight, bias], **sizes, **_window(step))
        case "max_pool":
            node("MaxPool", inputs, **_pool(step))
        case "avg_pool":
            node("AveragePool", inputs, count_include_pad=0, **_pool(step))
        case "global_avg_pool":
            node("GlobalAveragePool", inputs)
        case "upsample":
            size = constant("size", np.array(shape_nchw, np.int64))
            node("Resize", [inputs[0], "", "", size], **_RESIZES[step.attrs["mode"]])
        case "clip":
            bounds = (constant(r, np.array(step.attrs[r], np.float32)) for r in ("low", "high"))
            node("Clip", [*inputs, *bounds])
        case "concat":
            node("Concat", inputs, axis=1)
        case "add":
            node("Add", inputs)
        case "prelu":
            node("PRelu", [*inputs, constant("slope", tensors["slope"][:, None, None])])
        case "affine":
            scale, bias = (constant(r, tensors[r][:, None, None]) for r in ("scale", "bias"))
            node("Mul", [*inputs, scale], f"{step.output}/scaled")
            node("Add", [f"{step.output}/scaled", bias])


def _window(step: Step) -> dict[str, Any]:
    attrs = {"strides": step.attrs["stride"], "pads": [*step.attrs["padding"]] * 2}
    return attrs | ({"dilations": step.attrs["dilation"]} if "dilation" in step.attrs else {})


def _pool(step: Step) -> dict[str, Any]:
    ceil = {"ceil_mode": int(step.attrs["ceil"])}
    return {"kernel_shape": step.attrs["kernel"], **ceil, **_window(step)}

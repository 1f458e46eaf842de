"""The real-valued twin in LiteRT (TensorFlow Lite), int8 throughout, written without TensorFlow.

The model is a flatbuffer put together from LiteRT's own schema: a ``QUANTIZE`` of the float32
input, integer operations with the scales that the twin's values ask for, a ``DEQUANTIZE`` of each
output. LiteRT runs it on its XNNPACK kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from binvision.bench.contest import Absent, Contestant, Subject
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes

__all__ = ["contestants"]

_INT8 = 0.25
_NAME = "litert int8"
# Of operators whose int8 form is not version 2
_VERSIONS = {
    schema.BuiltinOperator.CONV_2D: 5,
    schema.BuiltinOperator.PRELU: 1,
    schema.BuiltinOperator.QUANTIZE: 1,
}


def contestants(subject: Subject, threads: int) -> Iterator[Contestant | Absent]:
    """Yield int8."""
    try:
        content = _Writer(subject.twin, subject.inputs.shape, subject.twin_values).content()
    except _NotWritten as reason:
        yield Absent(_NAME, str(reason))
        return
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    outputs = [output["index"] for output in interpreter.get_output_details()]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], subject.inputs)

    def run() -> Sequence[np.ndarray]:
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    truth = [subject.twin_values[name] for name in subject.twin.outputs]
    yield Contestant(_NAME, run, truth, _INT8)


class _NotWritten(Exception):  # noqa: N818
    """The network has a step that this module does not write."""


class _Writer:
    """A network as a LiteRT model.

    Args:
        network: A real-valued twin.
        shape_nhwc: Of its input.
        values: Value name to array; its range gives the scale of the value.
    """

    def __init__(
        self,
        network: PackedModel,
        shape_nhwc: tuple[int, ...],
        values: dict[str, np.ndarray],
    ) -> None:
        self._network, self._values = network, values
        self._shapes = infer_shapes(network, (shape_nhwc[1], shape_nhwc[2]))
        self._buffers: list[Any] = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._codes: list[int] = []
        self._operators: list[Any] = []
        self._places: dict[str, int] = {}

        given = network.input["name"]
        first = self._tensor("input", shape_nhwc, schema.TensorType.FLOAT32)
        self._places[given] = self._value(given, values[given])
        self._operator("QUANTIZE", [first], self._places[given])
        for step in network.steps:
            self._add(step)
        results = []
        for name in network.outputs:
            shape = values[name].shape
            result = self._tensor(f"{name}/real", shape, schema.TensorType.FLOAT32)
            self._operator("DEQUANTIZE", [self._places[name]], result)
            results.append(result)
        self._inputs, self._outputs = [first], results

    def content(self) -> bytes:
        """Bytes of the file."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = self._inputs, self._outputs
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = [_code(code) for code in self._codes]
        builder = flatbuffers.Builder(2**20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    # Steps

    def _add(self, step: Step) -> None:
        inputs = [self._places[name] for name in step.inputs]
        match step.op:
            case "conv":
                self._conv(step, inputs[0])
            case "add":
                self._operator("ADD", inputs, self._output(step), schema.AddOptionsT())
            case "prelu":
                slope = self._by_channel(step, "slope", (1, 1, -1))
                self._operator("PRELU", [inputs[0], slope], self._output(step))
            case "affine":
                self._affine(step, inputs[0])
            case "max_pool" | "avg_pool":
                self._pool(step, inputs[0])
            case "upsample":
                self._enlarge(step, inputs[0])
            case "concat":
                if len({*step.inputs}) > 1:
                    raise _NotWritten(f"step {step.name!r} joins values of different scales")
                options = schema.ConcatenationOptionsT()
                options.axis = 3
                output = self._output(step, like=step.inputs[0])
                self._operator("CONCATENATION", inputs, output, options)
            case _:
                raise _NotWritten(f"step {step.name!r} ({step.op}) is not written for LiteRT")

    def _affine(self, step: Step, x: int) -> None:
        scale = self._network.tensor(step, "scale")
        if (scale != 1).any():
            product = self._value(f"{step.output}/scaled", self._values[step.inputs[0]] * scale)
            factor = self._by_channel(step, "scale", (1, 1, 1, -1))
            self._operator("MUL", [x, factor], product, schema.MulOptionsT())
            x = product
        bias = self._by_channel(step, "bias", (1, 1, 1, -1))
        self._operator("ADD", [x, bias], self._output(step), schema.AddOptionsT())

    def _conv(self, step: Step, x: int) -> None:
        weight = self._network.tensor(step, "weight").transpose(3, 0, 1, 2)
        scale = _scale(np.abs(weight).max(axis=(1, 2, 3)), 127)
        levels = np.rint(weight / scale.reshape(-1, 1, 1, 1)).astype(np.int8)
        kind = schema.TensorType.INT8
        weights = self._constant(f"{step.name}/weight", levels, kind, scale)
        sums = scale * self._tensors[x].quantization.scale
        levels = np.rint(self._network.tensor(step, "bias") / sums).astype(np.int32)
        bias = self._constant(f"{step.name}/bias", levels, schema.TensorType.INT32, sums)
        options = schema.Conv2DOptionsT()
        options.strideH, options.strideW = step.attrs["stride"]
        options.dilationHFactor, options.dilationWFactor = step.attrs["dilation"]
        options.padding = schema.Padding.VALID
        if any(step.attrs["padding"]):
            x = self._padded(step, x)
        self._operator("CONV_2D", [x, weights, bias], self._output(step), options)

    def _padded(self, step: Step, x: int) -> int:
        """Add a border of zeros: LiteRT's own paddings lie elsewhere where strides are not 1."""
        top, left = step.attrs["padding"]
        table = np.array([[0, 0], [top, top], [left, left], [0, 0]], np.int32)
        amounts = self._constant(f"{step.name}/padding", table, schema.TensorType.INT32)
        before = self._tensors[x]
        shape = np.array(before.shape) + table.sum(axis=1)
        output = self._tensor(f"{step.name}/padded", shape, before.type)
        self._tensors[output].quantization = before.quantization
        self._operator("PAD", [x, amounts], output, schema.PadOptionsT())
        return output

    def _pool(self, step: Step, x: int) -> None:
        attrs = step.attrs
        if any(attrs["padding"]) or (attrs["ceil"] and attrs["kernel"] != attrs["stride"]):
            raise _NotWritten(f"step {step.name!r} pads its windows as LiteRT does not")
        options = schema.Pool2DOptionsT()
        options.filterHeight, options.filterWidth = attrs["kernel"]
        options.strideH, options.strideW = attrs["stride"]
        options.padding = schema.Padding.SAME if attrs["ceil"] else schema.Padding.VALID
        name = "MAX_POOL_2D" if step.op == "max_pool" else "AVERAGE_POOL_2D"
        self._operator(name, [x], self._output(step, like=step.inputs[0]), options)

    def _enlarge(self, step: Step, x: int) -> None:
        factor = step.attrs.get("factor", ())
        if step.attrs["mode"] != "nearest" or len(factor) != 2:
            raise _NotWritten(f"step {step.name!r} enlarges otherwise than by repeating pixels")
        size = np.array(self._shapes[step.output][:2], np.int32)
        wanted = self._constant(f"{step.name}/size", size, schema.TensorType.INT32)
        options = schema.ResizeNearestNeighborOptionsT()
        output = self._output(step, like=step.inputs[0])
        self._operator("RESIZE_NEAREST_NEIGHBOR", [x, wanted], output, options)

    # Tensors

    def _output(self, step: Step, like: str | None = None) -> int:
        """Tensor of a step's value; with the scale of another value where that must be equal."""
        place = self._value(step.output, self._values[step.output])
        if like is not None:
            scales = self._tensors[self._places[like]].quantization
            self._tensors[place].quantization = scales
        self._places[step.output] = place
        return place

    def _value(self, name: str, values: np.ndarray) -> int:
        """Tensor for ``values``, with a scale for their range."""
        least, most = min(0.0, float(values.min())), max(0.0, float(values.max()))
        scale = _scale(np.array([most - least]), 255)
        zero = int(np.clip(np.rint(-128 - least / scale[0]), -128, 127))
        place = self._tensor(name, values.shape, schema.TensorType.INT8)
        self._tensors[place].quantization = _quantization(scale, zero)
        return place

    def _by_channel(self, step: Step, role: str, shape: tuple[int, ...]) -> int:
        """A number for each channel, all in one scale."""
        array = self._network.tensor(step, role)
        scale = _scale(np.abs(array).max(keepdims=True), 127)
        levels = np.rint(array / scale).astype(np.int8).reshape(shape)
        return self._constant(f"{step.name}/{role}", levels, schema.TensorType.INT8, scale)

    def _constant(
        self, name: str, array: np.ndarray, kind: int, scale: np.ndarray | None = None
    ) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self._buffers.append(buffer)
        place = self._tensor(name, array.shape, kind)
        self._tensors[place].buffer = len(self._buffers) - 1
        if scale is not None:
            self._tensors[place].quantization = _quantization(scale, 0)
        return place

    def _tensor(self, name: str, shape: Sequence[int], kind: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, np.array(shape, np.int32)
        tensor.type, tensor.buffer = kind, 0
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _operator(self, name: str, inputs: list[int], output: int, options: Any = None) -> None:
        code = getattr(schema.BuiltinOperator, name)
        if code not in self._codes:
            self._codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.index(code)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self._operators.append(operator)


def _scale(extent: np.ndarray, levels: int) -> np.ndarray:
    """Size of a level, so that ``levels`` of them span ``extent``; 1 where that is nothing."""
    return np.where(extent > 0, extent / levels, 1).astype(np.float32)


def _quantization(scale: np.ndarray, zero: int) -> Any:
    """One scale, or one for each element of the first axis."""
    quantization = schema.QuantizationParametersT()
    quantization.scale = scale
    quantization.zeroPoint = np.full(len(scale), zero, np.int64)
    return quantization


def _code(code: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode = code, min(code, 127)
    made.version = _VERSIONS.get(code, 2)
    return made

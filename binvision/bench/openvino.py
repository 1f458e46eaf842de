"""Networks in OpenVINO: the real-valued twin in float32 and int8, and the 1-bit network itself.

OpenVINO has an XNOR kernel of its own, ``BinaryConvolution``. It wants its input binarised by a
``FakeQuantize`` of two levels with outputs 0 and 1; with -1 and 1, or with a number of channels
that is no multiple of 8, its results are wrong without a word. Its threshold is exclusive
(x > t), ours inclusive, hence the next smaller float. On CPUs without AVX-512 it is wrong or ends
the process (2026.4), so that it does not run there. The real layers of that network are int8
where they are in the packed model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import openvino as ov
from openvino import opset1, opset8, opset11

from binvision.bench.contest import Absent, Contestant, Subject
from binvision.bench.reference import signs
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes
from binvision.runtime.terms import is_sum, planes_of

__all__ = ["contestants", "has_avx512"]

# XNOR is exact; an epilogue summed in another order may yet turn a sign at its threshold.
_FP32, _INT8, _XNOR = 1e-4, 0.25, 0.01


def contestants(subject: Subject, threads: int) -> Iterator[Contestant | Absent]:
    """Yield float32, int8 and XNOR."""
    twin = [subject.twin_values[name] for name in subject.twin.outputs]
    packed = [subject.packed_values[name] for name in subject.packed.outputs]
    network = _Network(subject.twin, subject.inputs, {})
    yield Contestant("openvino fp32", network.runner(threads), twin, _FP32)
    network = _Network(subject.twin, subject.inputs, subject.twin_values)
    yield Contestant("openvino int8", network.runner(threads), twin, _INT8)
    lack = _xnor_lacks(subject.packed)
    if lack:
        yield Absent("openvino xnor", f"its BinaryConvolution has no {lack}")
        return
    if not has_avx512():
        yield Absent("openvino xnor", "its BinaryConvolution is at fault on CPUs without AVX-512")
        return
    image = subject.packed.input["name"]
    stems = [step for step in subject.packed.steps if step.op == "conv" and image in step.inputs]
    int8 = all(subject.packed.tensor(step, "weight").dtype == np.int8 for step in stems)
    network = _Network(subject.packed, subject.inputs, {image: subject.inputs} if int8 else {})
    yield Contestant("openvino xnor", network.runner(threads), packed, _XNOR)


def has_avx512() -> bool:
    """Whether OpenVINO finds AVX-512 on this CPU; no variable of Numba's hides it from OpenVINO."""
    return bool(llvm.get_host_cpu_features().get("avx512bw"))


def _xnor_lacks(model: PackedModel) -> str:
    """What a step has and OpenVINO's kernel has not; empty where it can run the network."""
    for step in model.steps:
        if step.op != "binary_conv":
            continue
        if step.attrs["groups"] > 1:
            return f"groups, as step {step.name!r} has"
        if is_sum(model, step) or planes_of(model.tensor(step, "threshold")) > 1:
            return f"sums of bases, as step {step.name!r} has"
        if step.attrs["in_channels"] % 8:
            return (
                f"right result for {step.attrs['in_channels']} channels, as step {step.name!r} has"
            )
    return ""


class _Network:
    """A network as an OpenVINO graph, NCHW.

    Args:
        network: A packed model or a twin.
        inputs: float32 (N, H, W, C).
        values: Value name to array: convolutions that read one of them are int8, by its range.
    """

    def __init__(
        self, network: PackedModel, inputs: np.ndarray, values: dict[str, np.ndarray]
    ) -> None:
        self._network, self._values = network, values
        self._kept: list[np.ndarray] = []  # constants that OpenVINO does not copy
        self._shapes = infer_shapes(network, (inputs.shape[1], inputs.shape[2]))
        self._nchw = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
        image = opset8.parameter(self._nchw.shape, np.float32, name=network.input["name"])
        nodes = {network.input["name"]: image}
        for step in network.steps:
            tensors = {role: network.tensor(step, role) for role in step.tensors}
            nodes[step.output] = self._node(step, tensors, [nodes[i] for i in step.inputs])
        self._model = ov.Model([nodes[name] for name in network.outputs], [image], network.name)

    def runner(self, threads: int) -> Callable[[], Sequence[np.ndarray]]:
        """Compile for the CPU; float32 stays float32, where bfloat16 would be the default."""
        config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = ov.Core().compile_model(self._model, "CPU", config)
        request = compiled.create_infer_request()
        request.get_input_tensor().data[:] = self._nchw
        outputs, kept = range(len(self._network.outputs)), self._kept

        def run() -> Sequence[np.ndarray]:
            assert kept is not None
            request.infer()
            return [request.get_output_tensor(i).data.transpose(0, 2, 3, 1) for i in outputs]

        return run

    def _node(self, step: Step, tensors: dict[str, np.ndarray], inputs: list[Any]) -> Any:
        attrs, x = step.attrs, inputs[0]
        match step.op:
            case "conv" | "binary_conv":
                make = self._conv if step.op == "conv" else self._binary_conv
                y = make(step, tensors, x)
                for other in inputs[1:]:
                    y = opset8.add(y, other)
                return self._prelu(y, tensors)
            case "max_pool" | "avg_pool":
                window = (attrs["stride"], attrs["padding"], attrs["padding"], attrs["kernel"])
                rounding = "ceil_torch" if attrs["ceil"] else "floor"
                if step.op == "avg_pool":
                    return ov.opset14.avg_pool(x, *window, True, rounding)
                dilation = [1, 1]
                (stride, begin, end, kernel) = window
                return ov.opset14.max_pool(
                    x, stride, dilation, begin, end, kernel, rounding
                ).output(0)
            case "global_avg_pool":
                return opset8.reduce_mean(x, opset8.constant([2, 3]), keep_dims=True)
            case "upsample":
                return self._enlarged(x, self._shapes[step.output][:2], attrs["mode"])
            case "clip":
                return opset8.clamp(x, attrs["low"], attrs["high"])
            case "concat":
                return opset8.concat(inputs, 1)
            case "add":
                return opset8.add(*inputs)
            case "prelu":
                return self._prelu(x, tensors)
        return self._scaled(x, tensors)

    def _conv(self, step: Step, tensors: dict[str, np.ndarray], x: Any) -> Any:
        weight = tensors["weight"].astype(np.float32)
        kernel = opset8.constant(np.ascontiguousarray(weight.transpose(3, 2, 0, 1)))
        if "levels" in tensors:  # rounded by channel to whole numbers
            steps = 1 / tensors["levels"].reshape(1, -1, 1, 1)
            whole = [np.full((1, 1, 1, 1), bound, np.float32) for bound in (-128, 127)]
            x = opset8.fake_quantize(x, -128 * steps, 127 * steps, *whole, 256)
        elif step.inputs[0] in self._values:
            x = self._in_levels(step, x)
        if step.attrs.get("offset", 0) and step.inputs[0] != self._network.input["name"]:
            x = opset8.subtract(x, opset8.constant(np.float32(step.attrs["offset"])))
        if "levels" in tensors or step.inputs[0] in self._values:
            most = np.full((1, 1, 1, 1), 127, np.float32)
            if tensors["weight"].dtype != np.int8:
                # 7-bit weights: without VNNI a product of 8-bit pairs can overflow its 16 bits
                most = np.abs(weight).max(axis=(0, 1, 2)).reshape(-1, 1, 1, 1) * (127 / 63)
            kernel = _rounded(kernel, -most, most, 255)
        return self._scaled(self._convolution(step, x, kernel), tensors)

    def _binary_conv(self, step: Step, tensors: dict[str, np.ndarray], x: Any) -> Any:
        below = np.nextafter(tensors["threshold"], np.float32(-np.inf)).reshape(1, -1, 1, 1)
        zero, one = (np.full((1, 1, 1, 1), value, np.float32) for value in (0, 1))
        x = opset8.fake_quantize(x, below, below, zero, one, 2)
        weight = signs(self._network, step)[0].transpose(3, 2, 0, 1) > 0
        bits = np.packbits(weight.reshape(-1), bitorder="little")
        self._kept.append(bits)
        kernel = ov.op.Constant(ov.Tensor(bits, weight.shape, ov.Type.u1))
        attrs = step.attrs
        y = opset1.binary_convolution(
            x, kernel, attrs["stride"], attrs["padding"], attrs["padding"], attrs["dilation"],
            "xnor-popcount", float(attrs.get("pad_value", 0)),
        )  # fmt: skip
        return self._scaled(y, tensors)

    def _convolution(self, step: Step, x: Any, kernel: Any) -> Any:
        attrs, groups = step.attrs, step.attrs["groups"]
        window = (attrs["stride"], attrs["padding"], attrs["padding"], attrs["dilation"])
        if groups == 1:
            return opset8.convolution(x, kernel, *window)
        outputs, *rest = kernel.shape
        shape = opset8.constant([groups, outputs // groups, *rest])
        return opset8.group_convolution(x, opset8.reshape(kernel, shape, False), *window)

    def _in_levels(self, step: Step, x: Any) -> Any:
        """Round the input of a convolution to 256 levels of its range, zero among them."""
        values = self._values[step.inputs[0]]
        least, most = float(values.min()), float(values.max())
        if least >= 0:
            return _rounded(x, 0, most, 256)
        if most - least == 255:  # an image less its offset: levels are its own
            return _rounded(x, least, most, 256)
        most = max(-least, most * 128 / 127)
        return _rounded(x, -most, most * 127 / 128, 256)

    @staticmethod
    def _enlarged(x: Any, size_hw: tuple[int, ...], mode: str) -> Any:
        how = {"mode": "linear_onnx", "coordinate_transformation_mode": "half_pixel"}
        if mode == "nearest":
            how = {"mode": mode, "coordinate_transformation_mode": "asymmetric"}
        size, axes = (opset8.constant(np.array(pair, np.int64)) for pair in (size_hw, (2, 3)))
        return opset11.interpolate(
            x, size, shape_calculation_mode="sizes", nearest_mode="floor", axes=axes, **how
        )

    @staticmethod
    def _prelu(x: Any, tensors: dict[str, np.ndarray]) -> Any:
        if "slope" in tensors:
            x = opset8.prelu(x, opset8.constant(tensors["slope"]))
        if "shift" in tensors:
            x = opset8.add(x, opset8.constant(tensors["shift"].reshape(1, -1, 1, 1)))
        return x

    @staticmethod
    def _scaled(x: Any, tensors: dict[str, np.ndarray]) -> Any:
        scale, bias = (
            tensors[role].reshape(1, -1, 1, 1) if role in tensors else None
            for role in ("scale", "bias")
        )
        if scale is not None and (scale != 1).any():
            x = opset8.multiply(x, opset8.constant(scale))
        return opset8.add(x, opset8.constant(bias))


def _rounded(x: Any, least: Any, most: Any, levels: int) -> Any:
    """Round to evenly spaced levels; the bounds are numbers, by input channel, or as shaped."""
    bounds = [np.asarray(bound, np.float32) for bound in (least, most)]
    shaped = [b.reshape(1, -1, 1, 1) if b.ndim < 2 else b for b in bounds]
    return opset8.fake_quantize(x, *shaped, *shaped, levels)

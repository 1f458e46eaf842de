"""The real-valued twin in PyTorch: float32 and bfloat16, channels last, batch norm folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from binvision.bench.contest import Contestant, Subject
from binvision.runtime.model import PackedModel, Step

__all__ = ["contestants"]

_TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 0.1}

Layer = Callable[..., torch.Tensor]


def contestants(subject: Subject, threads: int) -> Iterator[Contestant]:
    """Yield float32 and bfloat16; the number of threads is that of the whole process."""
    torch.set_num_threads(threads)
    truth = [subject.twin_values[name] for name in subject.twin.outputs]
    for dtype, tolerance in _TOLERANCES.items():
        run = _runner(subject.twin, subject.inputs, dtype)
        name = {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype]
        yield Contestant(f"torch {name}", run, truth, tolerance)


def _runner(
    network: PackedModel, inputs: np.ndarray, dtype: torch.dtype
) -> Callable[[], Sequence[np.ndarray]]:
    layers = [(step, _layer(network, step, dtype)) for step in network.steps]
    nchw = torch.from_numpy(inputs).permute(0, 3, 1, 2)
    x = nchw.to(dtype).contiguous(memory_format=torch.channels_last)

    def run() -> Sequence[np.ndarray]:
        with torch.inference_mode():
            values = {network.input["name"]: x}
            for step, layer in layers:
                values[step.output] = layer(*(values[name] for name in step.inputs))
            outputs = [values[name].float() for name in network.outputs]
        return [output.permute(0, 2, 3, 1).numpy() for output in outputs]

    return run


def _layer(network: PackedModel, step: Step, dtype: torch.dtype) -> Layer:
    attrs = step.attrs
    tensors = {
        role: torch.from_numpy(np.array(network.tensor(step, role))).to(dtype)
        for role in step.tensors
    }
    match step.op:
        case "conv":
            weight = tensors["weight"].permute(3, 2, 0, 1)
            return partial(
                F.conv2d,
                weight=weight.contiguous(memory_format=torch.channels_last),
                bias=tensors["bias"],
                **{key: attrs[key] for key in ("stride", "padding", "dilation", "groups")},
            )
        case "max_pool" | "avg_pool":
            window = (attrs["kernel"], attrs["stride"], attrs["padding"])
            if step.op == "max_pool":
                return lambda x: F.max_pool2d(x, *window, ceil_mode=attrs["ceil"])
            return lambda x: F.avg_pool2d(x, *window, attrs["ceil"], count_include_pad=False)
        case "global_avg_pool":
            return partial(torch.mean, dim=(2, 3), keepdim=True)
        case "upsample":
            return partial(_enlarge, attrs)
        case "clip":
            return partial(torch.clamp, min=attrs["low"], max=attrs["high"])
        case "concat":
            return lambda *xs: torch.cat(xs, dim=1)
        case "add":
            return torch.add
        case "prelu":
            return partial(F.prelu, weight=tensors["slope"])
    scale, bias = (tensors[role][:, None, None] for role in ("scale", "bias"))
    return lambda x: x * scale + bias


def _enlarge(attrs: dict[str, Any], x: torch.Tensor, *like: torch.Tensor) -> torch.Tensor:
    """Enlarge by factors, or to the size of another value."""
    rows, columns = attrs.get("factor", (1, 1))
    size = like[0].shape[-2:] if like else (x.shape[-2] * rows, x.shape[-1] * columns)
    return F.interpolate(x, size, mode=attrs["mode"])

"""How each layer and function of PyTorch reads in the packed format.

A lowering takes the arguments of the PyTorch call, with a :class:`~binvision.export.graph.Value`
for every tensor, and emits nodes. To support another layer, write one and enter it here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from binvision.binary import (
    BinaryConv2d,
    BinaryLinear,
    EightBitConv2d,
    QuantConv2d,
    RPReLU,
    ShiftBatchNorm2d,
)
from binvision.export import convolution_layers as conv
from binvision.export import correlation_layers as correlation
from binvision.export import elementwise_layers as elementwise
from binvision.export import pool_layers as pool
from binvision.export.graph import Size, Value
from binvision.trackers.correlation_layers import ChannelCorrelation, PixelCorrelation

__all__ = ["ARITHMETIC", "FUNCTIONS", "LAYERS", "METHODS", "Lowering"]

Lowering = Callable[..., Value | Size]

LAYERS: dict[type[nn.Module], Lowering] = {
    QuantConv2d: conv.quant_conv,
    EightBitConv2d: conv.eight_bit_conv,
    BinaryConv2d: conv.binary_conv,
    BinaryLinear: conv.binary_linear,
    nn.Conv2d: conv.conv2d,
    nn.Linear: conv.linear,
    nn.BatchNorm1d: elementwise.batch_norm,
    nn.BatchNorm2d: elementwise.batch_norm,
    ShiftBatchNorm2d: elementwise.shift_batch_norm,
    nn.PReLU: elementwise.prelu,
    RPReLU: elementwise.rprelu,
    nn.ReLU: lambda emitter, layer, x: elementwise.relu(emitter, x),
    nn.ReLU6: lambda emitter, layer, x: elementwise.relu6(emitter, x),
    nn.Hardtanh: lambda emitter, layer, x: elementwise.clamp(
        emitter, x, layer.min_val, layer.max_val
    ),
    nn.AvgPool2d: pool.avg_pool_layer,
    nn.MaxPool2d: pool.max_pool_layer,
    nn.AdaptiveAvgPool2d: lambda emitter, layer, x: pool.adaptive_avg_pool(
        emitter, x, layer.output_size
    ),
    nn.Upsample: pool.upsample_layer,
    nn.UpsamplingNearest2d: pool.upsample_layer,
    nn.Flatten: lambda emitter, layer, x: pool.flatten(emitter, x, layer.start_dim, layer.end_dim),
    ChannelCorrelation: correlation.channel_correlation,
    PixelCorrelation: correlation.pixel_correlation,
    nn.Identity: elementwise.identity,
    nn.Dropout: elementwise.identity,
    nn.Dropout2d: elementwise.identity,
}

FUNCTIONS: dict[Callable[..., Any], Lowering] = {
    operator.add: elementwise.add,
    operator.iadd: elementwise.add,
    operator.sub: elementwise.sub,
    operator.isub: elementwise.sub,
    operator.mul: elementwise.mul,
    operator.imul: elementwise.mul,
    operator.truediv: elementwise.div,
    operator.neg: elementwise.neg,
    torch.add: elementwise.add,
    torch.sub: elementwise.sub,
    torch.mul: elementwise.mul,
    torch.div: elementwise.div,
    torch.cat: elementwise.cat,
    torch.clamp: elementwise.clamp,
    torch.relu: elementwise.relu,
    F.relu: elementwise.relu,
    F.relu6: elementwise.relu6,
    F.hardtanh: elementwise.hardtanh,
    F.avg_pool2d: pool.avg_pool,
    F.max_pool2d: pool.max_pool,
    F.adaptive_avg_pool2d: pool.adaptive_avg_pool,
    F.interpolate: pool.interpolate,
    torch.mean: pool.mean,
    torch.flatten: pool.flatten,
    getattr: pool.shape_of,
    operator.getitem: pool.take,
}

METHODS: dict[str, Lowering] = {
    "add": elementwise.add,
    "add_": elementwise.add,
    "sub": elementwise.sub,
    "mul": elementwise.mul,
    "div": elementwise.div,
    "clamp": elementwise.clamp,
    "relu": elementwise.relu,
    "mean": pool.mean,
    "flatten": pool.flatten,
    "size": pool.size_of,
}

# Those that may read a parameter or buffer of the network beside a layer.
ARITHMETIC = (elementwise.add, elementwise.sub, elementwise.mul, elementwise.div)

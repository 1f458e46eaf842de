"""From a PyTorch module to the exporter's graph, by symbolic tracing."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch.fx
from torch import nn

from binvision.errors import ExportError
from binvision.export.emitter import float64
from binvision.export.graph import CONVOLUTIONS, Exemplar, Graph, Node, Size, Value
from binvision.export.layers import ARITHMETIC, FUNCTIONS, LAYERS, METHODS, Lowering
from binvision.runtime.operations import OPS

__all__ = ["IMAGE", "trace"]

IMAGE = "image"
IMAGE_CHANNELS = 3
RESIZING = (*CONVOLUTIONS, "avg_pool", "max_pool", "upsample")


def trace(
    model: nn.Module, outputs: Sequence[str], exemplars: Mapping[str, tuple[int, int, int]]
) -> Graph:
    """Follow a module's ``forward`` and lower every layer in it, in evaluation mode.

    Args:
        model: Takes one batch of images, and perhaps exemplars; returns tensors, or a dict of
            name to tensor.
        outputs: Names of the results where they are not a dict.
        exemplars: Name of each input after the first to its height, width and channels.

    Returns:
        One node per layer, nothing fused yet.

    Raises:
        ExportError: The forward pass depends on values, or a layer has no packed form; the
            message names the layer, its type and what it reads.
    """
    traced = _traced(model)
    results = _named(
        model, next(node for node in traced.graph.nodes if node.op == "output").args[0], outputs
    )
    lowering = _Lowering(traced, exemplars, reserved={IMAGE, *exemplars, *results})
    values = lowering.lower()
    found = {name: _result(model, name, values.get(node)) for name, node in results.items()}
    _check_results(model, found)
    return Graph(tuple(lowering.nodes), found)


def _named(model: nn.Module, results: Any, names: Sequence[str]) -> dict[str, torch.fx.Node]:
    if isinstance(results, dict):
        return results
    results = (results,) if isinstance(results, torch.fx.Node) else results
    if not isinstance(results, tuple | list) or len(results) != len(names):
        got = f"{len(results)} results" if isinstance(results, tuple | list) else repr(results)
        raise ExportError(
            f"{type(model).__name__} returns {got}; expected {', '.join(names)}, or a dict of "
            f"name to tensor: name the results"
        )
    return dict(zip(names, results, strict=True))


def _result(model: nn.Module, name: str, value: Any) -> str:
    if not isinstance(value, Value) or isinstance(value, Exemplar):
        raise ExportError(
            f"{type(model).__name__} returns as {name!r} what is not a layer's output"
        )
    return value.name


def _check_results(model: nn.Module, outputs: dict[str, str]) -> None:
    for name, value in outputs.items():
        if value == IMAGE or list(outputs.values()).count(value) > 1:
            raise ExportError(
                f"{type(model).__name__} returns its input or one value twice as {name!r}; "
                f"expected each result to be the output of a layer of its own"
            )


def _traced(model: nn.Module) -> torch.fx.GraphModule:
    try:
        traced = torch.fx.GraphModule(model, _Tracer().trace(model))
    except Exception as error:  # whatever a stranger's forward may raise when given no numbers
        raise ExportError(
            f"{type(model).__name__}.forward cannot be traced: {' '.join(str(error).split())}; it "
            f"must not depend on the values or sizes of tensors"
        ) from error
    traced.graph.eliminate_dead_code()
    return traced


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in LAYERS or super().is_leaf_module(m, module_qualified_name)


class _Lowering:
    """Walks a traced graph and emits nodes; the ``Emitter`` of the layers."""

    def __init__(
        self,
        module: torch.fx.GraphModule,
        exemplars: Mapping[str, tuple[int, int, int]],
        reserved: set[str],
    ) -> None:
        self.nodes: list[Node] = []
        self._module = module
        self._exemplars = exemplars
        self._taken = set(reserved)
        self._current: torch.fx.Node
        self._values: dict[torch.fx.Node, Any] = {}

    def lower(self) -> dict[torch.fx.Node, Any]:
        """Lower every node in order; returns what each one became.

        A layer becomes a :class:`Value`, a parameter or what is computed of parameters alone an
        array, a shape a :class:`Size`.
        """
        for node in self._module.graph.nodes:
            self._current = node
            if node.op == "placeholder":
                self._values[node] = self._placeholder()
            elif node.op == "get_attr":
                self._values[node] = float64(operator.attrgetter(str(node.target))(self._module))
            elif node.op != "output":
                fixed = self._is_fixed(node)
                self._values[node] = self._compute(node) if fixed else self._lower_node(node)
        return self._values

    def _is_fixed(self, node: torch.fx.Node) -> bool:
        """Whether a function reads parameters alone, so that its result is one more constant."""
        read = [self._values[each] for each in node.all_input_nodes]
        return (
            node.op != "call_module"
            and bool(read)
            and all(isinstance(value, np.ndarray) for value in read)
        )

    def _compute(self, node: torch.fx.Node) -> np.ndarray:
        args, kwargs = torch.fx.map_arg(
            (node.args, node.kwargs), lambda each: torch.from_numpy(self._values[each])
        )
        if node.op == "call_method":
            result = getattr(args[0], str(node.target))(*args[1:], **kwargs)
        else:
            assert callable(node.target)
            result = node.target(*args, **kwargs)
        return float64(result)

    def emit(
        self,
        op: str,
        inputs: Sequence[Value],
        channels: int,
        attrs: dict[str, Any] | None = None,
        constants: dict[str, np.ndarray] | None = None,
        part: str = "",
    ) -> Value:
        """Add a node for the layer that is being lowered; see :class:`Emitter`."""
        if op != "conv" and any(value.name == IMAGE for value in inputs):
            raise ExportError("reads the image; expected a QuantConv2d or a Conv2d as first layer")
        reads_exemplar = [isinstance(value, Exemplar) for value in inputs]
        if any(reads_exemplar) and reads_exemplar != [False, OPS[op].takes_exemplar]:
            raise ExportError("reads an exemplar, which only correlations can")
        for role, constant in (constants or {}).items():
            if not np.isfinite(constant).all():
                raise ExportError(f"its {role} holds NaN or infinity; the training diverged")
        name = self._unique(".".join(filter(None, (_path(self._current), part))))
        names = tuple(value.name for value in inputs)
        self.nodes.append(Node(op, name, names, name, attrs or {}, constants or {}))
        single = op == "global_avg_pool" or (
            op not in RESIZING and all(value.single for value in inputs)
        )
        return Value(name, channels, single)

    def _placeholder(self) -> Value:
        if not self._values:
            return Value(IMAGE, IMAGE_CHANNELS)
        name = str(self._current.target)
        if name not in self._exemplars:
            raise ExportError(
                f"a second input, {name!r}: expected one image batch, and exemplars of known size"
            )
        height, width, channels = self._exemplars[name]
        return Exemplar(name, channels, pixels=height * width)

    def _lower_node(self, node: torch.fx.Node) -> Value | Size:
        lowering, leading = self._find(node)
        for read in node.all_input_nodes:
            if read.op == "get_attr" and lowering not in ARITHMETIC:
                raise ExportError(
                    f"{self._where(node)} reads the parameter {_path(read)!r}: only sums and "
                    f"products with one have a packed form"
                )
        args = torch.fx.map_arg(node.args, self._values.__getitem__)
        kwargs = torch.fx.map_arg(node.kwargs, self._values.__getitem__)
        try:
            return lowering(self, *leading, *args, **kwargs)
        except ExportError as error:
            raise ExportError(f"{self._where(node)}: {error}") from error
        except TypeError as error:  # the call has arguments that the lowering does not take
            raise ExportError(f"{self._where(node)}: {error}; no packed form") from error

    def _find(self, node: torch.fx.Node) -> tuple[Lowering, list[nn.Module]]:
        lowering: Lowering | None
        leading = []
        if node.op == "call_module":
            layer = self._module.get_submodule(str(node.target))
            lowering, leading = LAYERS.get(type(layer)), [layer]
        elif node.op == "call_function":
            lowering = FUNCTIONS.get(node.target)
        else:
            lowering = METHODS.get(str(node.target)) if node.op == "call_method" else None
        if lowering is None:
            known = [*(kind.__name__ for kind in LAYERS), *sorted({f.__name__ for f in FUNCTIONS})]
            raise ExportError(
                f"{self._where(node)} has no packed form; expected one of {', '.join(known)}"
            )
        return lowering, leading

    def _where(self, node: torch.fx.Node) -> str:
        """Name, type and place of a layer, for messages."""
        reads = ", ".join(repr(_path(n)) for n in node.all_input_nodes if n.op != "placeholder")
        kind = getattr(node.target, "__name__", str(node.target))
        if node.op == "call_module":
            kind = type(self._module.get_submodule(str(node.target))).__name__
        place = f"after {reads}" if reads else "at the input"
        return f"layer {_path(node)!r} ({kind}) {place}"

    def _unique(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self._taken:
            count += 1
            candidate = f"{name}-{count}"
        self._taken.add(candidate)
        return candidate


def _path(node: torch.fx.Node) -> str:
    """Where a layer stands in the module tree; a function is named inside the module it is in."""
    if node.op in ("call_module", "get_attr"):
        return str(node.target)
    function = re.sub(r"_\d+$", "", node.name)
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return f"{stack[-1][0]}.{function}" if stack and stack[-1][0] else function

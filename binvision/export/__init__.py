"""From a trained PyTorch network to a packed model: trace, lower, fold, fuse, pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from binvision.errors import ExportError, ModelError
from binvision.export.eight_bit import round_to_eight_bits
from binvision.export.fuse import fuse
from binvision.export.pack import pack
from binvision.export.trace import IMAGE, IMAGE_CHANNELS, trace
from binvision.runtime import PackedModel
from binvision.runtime.account import working_size_hw
from binvision.runtime.faults import DAMAGED
from binvision.runtime.schema import check_model
from binvision.runtime.shapes import infer_shapes

__all__ = ["export_model", "round_to_eight_bits"]


def export_model(
    model: nn.Module,
    *,
    name: str,
    task: str,
    settings: dict[str, Any],
    provenance: dict[str, Any],
    accuracy: dict[str, Any],
    outputs: Sequence[str] = ("features",),
    exemplars: Mapping[str, tuple[int, int, int]] | None = None,
) -> PackedModel:
    """Turn a trained network into a packed model, as it computes in evaluation mode.

    Batch norms, residual sums and (P)ReLUs become part of the convolution before them. A 1-bit
    convolution gives the same integers as in PyTorch; everything else agrees to float32 rounding.

    Args:
        model: Takes pixels (N, 3, H, W) in 0..255, BGR, float32, and perhaps exemplars
            (N, C, h, w); returns features (N, C, h, w), several of them, or a dict of name to
            such tensors. Not changed.
        name: Name of the packed model.
        task: Task and kind, for example ``"tracking/siamfc"``.
        settings: What the task's inference loop needs; JSON-able.
        provenance: Where the weights came from; JSON-able.
        accuracy: What was measured; JSON-able.
        outputs: What the results are called; in a dict every one has its name.
        exemplars: Each input after the first, as ``forward`` calls it, to its (h, w, C).

    Returns:
        A checked model that :func:`binvision.runtime.save` can write.

    Raises:
        ExportError: A layer has no packed form; the message names it, its type and its place.
    """
    exemplars = dict(exemplars or {})
    graph = fuse(trace(model, outputs, exemplars))
    steps, tensors = pack(graph)
    packed = PackedModel(
        name=name,
        task=task,
        input={"name": IMAGE, "channels": IMAGE_CHANNELS, "dtype": "uint8", "order": "bgr"},
        steps=steps,
        outputs=tuple(graph.outputs),
        settings=settings,
        provenance=provenance,
        accuracy=accuracy,
        tensors=tensors,
        exemplars=exemplars,
    )
    try:
        check_model(packed)
        size_hw = working_size_hw(packed)
        if size_hw is not None:
            infer_shapes(packed, size_hw)
    except ModelError as error:
        reason = str(error).removesuffix(f"; {DAMAGED}")
        raise ExportError(f"network {name!r} has no packed form: {reason}") from error
    return packed

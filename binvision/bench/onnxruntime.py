"""The real-valued twin in ONNX Runtime: float32, and int8 by its own static quantisation."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime import quantization

from binvision.bench.contest import Contestant, Subject
from binvision.bench.onnx_graph import onnx_model

__all__ = ["contestants"]

_FP32, _INT8 = 1e-4, 0.25


def contestants(subject: Subject, threads: int) -> Iterator[Contestant]:
    """Yield float32 and int8 (QDQ, weights by channel, calibrated on the very input)."""
    onnxruntime.set_default_logger_severity(3)
    nchw = np.ascontiguousarray(subject.inputs.transpose(0, 3, 1, 2))
    model = onnx_model(subject.twin, subject.inputs.shape)
    yield _contestant("fp32", model.SerializeToString(), nchw, subject, threads, _FP32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "int8.onnx")
        logging.getLogger().setLevel(logging.ERROR)
        quantization.quantize_static(
            model,
            path,
            _Calibration({subject.twin.input["name"]: nchw}),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # 7-bit weights: without VNNI a product of 8-bit pairs can overflow its 16 bits
            reduce_range=True,
        )
        quantised = path.read_bytes()
    yield _contestant("int8", quantised, nchw, subject, threads, _INT8)


class _Calibration(quantization.CalibrationDataReader):
    """Hands out one batch, once."""

    def __init__(self, batch: dict[str, np.ndarray]) -> None:
        self._batches = iter([batch])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the batch at first, then None."""
        return next(self._batches, None)


def _contestant(
    name: str, model: bytes, nchw: np.ndarray, subject: Subject, threads: int, tolerance: float
) -> Contestant:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {subject.twin.input["name"]: nchw}
    outputs = list(subject.twin.outputs)

    def run() -> Sequence[np.ndarray]:
        return [output.transpose(0, 2, 3, 1) for output in session.run(outputs, feed)]

    truth = [subject.twin_values[output] for output in outputs]
    return Contestant(f"onnxruntime {name}", run, truth, tolerance)

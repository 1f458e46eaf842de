"""Size of a packed model against the weights of its float twin, layer by layer.

    python -m benchmarks.model_size --packed rb-siamfc --twin siamfc_fp.pth

Bytes of the layers and of the file's header add up to the packed file's size; that is checked.
The twin counts four bytes a number, without any overhead of its file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from binvision import runtime, zoo
from binvision.errors import BinvisionError, DataError
from binvision.runtime.account import StepCost, account, header_bytes
from binvision.training.checkpoint import read_checkpoint

FLOAT_BYTES = 4


def main(arguments: list[str] | None = None) -> None:
    """Count, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packed", default="rb-siamfc", help="shipped model or packed file")
    parser.add_argument("--twin", required=True, help="checkpoint of the float twin")
    options = parser.parse_args(arguments)
    try:
        path = Path(zoo.find(options.packed))
        layers, header = count_packed(path)
        numbers = count_twin(options.twin)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    report(layers, header, numbers, path.stat().st_size)


def count_packed(path: Path) -> tuple[list[StepCost], int]:
    """Cost of each layer, and the bytes of the header.

    Raises:
        DataError: they do not add up to the file.
    """
    model = runtime.load(path)
    layers, header = account(model, None), header_bytes(model)
    total, size = sum(layer.bytes for layer in layers) + header, path.stat().st_size
    if total != size:
        raise DataError(f"{path}: layers and header add up to {total} bytes, the file has {size}")
    return layers, header


def count_twin(checkpoint: str) -> int:
    """Numbers that the twin needs to compute: parameters and batch norm's statistics."""
    tensors = read_checkpoint(Path(checkpoint))["state_dict"].values()
    return sum(tensor.numel() for tensor in tensors if tensor.is_floating_point())


def report(layers: list[StepCost], header: int, numbers: int, size: int) -> None:
    """Print the layers and the ratio."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("layer", "kernel", "1-bit weights", "real numbers", "bytes"):
        table.add_column(name, justify="left" if name in ("layer", "kernel") else "right")
    for layer in layers:
        counts = (layer.binary_parameters, layer.real_parameters, layer.bytes)
        table.add_row(layer.name, layer.kernel, *(f"{count:,}" for count in counts))
    table.add_row("header", "", "", "", f"{header:,}")
    console = Console(width=100)
    console.print(table)
    console.print(f"packed file: {size:,} bytes")
    console.print(f"float twin: {numbers:,} numbers, {FLOAT_BYTES * numbers:,} bytes")
    console.print(f"ratio: {FLOAT_BYTES * numbers / size:.1f}")


if __name__ == "__main__":
    main()

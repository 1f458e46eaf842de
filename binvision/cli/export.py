"""``binvision export``: from a checkpoint of ``binvision train`` to a packed model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from binvision.errors import UsageError

if TYPE_CHECKING:
    from binvision.runtime import PackedModel
    from binvision.trackers.model import SiamFC

__all__ = ["export"]


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A .pth file of `binvision train`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The packed file to write.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the model [default: that of the file].")
    ] = None,
    accuracy: Annotated[
        Path | None,
        typer.Option(help="JSON object of what was measured with these weights, to store."),
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            help="Photograph archive (.npz), as for `binvision train`; may be repeated. The real "
            "convolutions after the first are then rounded to 8 bits, their ranges measured on "
            "views of these pictures: a quarter of their bytes and time."
        ),
    ] = None,
) -> None:
    """Write a trained network as a packed model, 1-bit where the network is.

    Example: binvision export work_dirs/rb_siamfc/last.pth -o my.safetensors
    """
    from binvision import runtime
    from binvision.cli.tables import cost_table, print_table
    from binvision.export.verify import verify
    from binvision.runtime.account import working_size_hw
    from binvision.trackers.model import load_checkpoint

    measured = _read_accuracy(accuracy) if accuracy else {}
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    if photos:
        record["eight_bit"] = _round_to_eight_bits(network, photos)
    packed = _pack(network, name or out.stem, record, measured)
    size_hw = working_size_hw(packed)
    difference = verify(network.backbone, packed, size_hw) if size_hw else 0.0
    saved = runtime.save(out, packed)
    print_table(cost_table(saved, size_hw))
    typer.echo(f"features differ from PyTorch's by {difference:.1e} of their size", err=True)
    typer.echo(f"{out}: {saved.file_bytes:,} bytes")


# Groups of views that ranges are measured on; more find no greater values that matter.
_GROUPS = 24


def _round_to_eight_bits(network: SiamFC, photos: list[Path]) -> dict[str, Any]:
    """Round the real convolutions of a network in place; returns what the file says of it."""
    from binvision.export import round_to_eight_bits
    from binvision.trackers.pairs import ObjectGroups

    groups = ObjectGroups(photos=[str(path) for path in photos], objects=_GROUPS, seed=0)
    batches = (
        groups[index][role] for index in range(_GROUPS) for role in ("exemplars", "searches")
    )
    network.backbone = round_to_eight_bits(network.backbone, batches)
    return {"photos": [path.name for path in photos], "groups": _GROUPS, "seed": 0}


def _pack(
    network: SiamFC, name: str, record: dict[str, Any], accuracy: dict[str, Any]
) -> PackedModel:
    from binvision import __version__
    from binvision.export import export_model
    from binvision.trackers.embedder import TASK
    from binvision.trackers.settings import SiamFCSettings

    # All settings, not only those that differ: a later change of a default must not change how
    # a model that was measured with the old one behaves.
    settings = SiamFCSettings.from_mapping(network.settings(), where=name)
    return export_model(
        network.backbone,
        name=name,
        task=TASK,
        settings=asdict(settings),
        provenance={"exported_by": f"binvision {__version__}", **record},
        accuracy=accuracy,
    )


def _read_accuracy(path: Path) -> dict[str, Any]:
    from binvision.errors import ModelFileError
    from binvision.runtime.container import parse_json

    try:
        return parse_json(path.read_bytes(), "accuracy")
    except OSError as error:
        raise UsageError(f"--accuracy {path}: {error.strerror}; expected a JSON file") from error
    except ModelFileError as error:
        raise UsageError(f"--accuracy {path}: {error}") from error

"""``binvision eval classification``: how often a classifier is right."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from binvision.classifiers.network import Network

__all__ = ["classification"]


def classification(
    data: Annotated[Path, typer.Option(help="Archive of labelled pictures (.npz).")],
    model: Annotated[str, typer.Option(help="Packed file or .pth checkpoint.")],
    threads: Annotated[int, typer.Option(min=1, help="Threads of the network.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure a classifier on the test pictures of an archive.

    Example: binvision eval classification --data cifar10_jpeg.npz --model cifar10.safetensors
    """
    from binvision.classifiers.evaluation import evaluate
    from binvision.classifiers.pictures import read_pictures
    from binvision.cli.tables import facts, print_table

    network = _network(model, threads)
    measured = evaluate(network, read_pictures(data, "test"))
    if json:
        figures = {key: value for key, value in asdict(measured).items() if key != "predictions"}
        typer.echo(json_module.dumps({"model": network.name, **figures}, indent=2))
        return
    shares = {"all": measured.top1, **measured.by_class}
    title = f"{network.name}: right answers on {measured.pictures:,} pictures"
    print_table(facts(title, {name: f"{100 * share:.2f} %" for name, share in shares.items()}))


def _network(model: str, threads: int) -> Network:
    if Path(model).suffix == ".pth":
        from binvision.classifiers.torch_network import TorchNetwork

        return TorchNetwork.from_checkpoint(model, threads=threads)
    from binvision.classifiers.network import PackedNetwork

    return PackedNetwork(model, threads=threads)

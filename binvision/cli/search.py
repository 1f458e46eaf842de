"""``binvision search``: search the architecture of a binary network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from binvision.cli.train import key_values

__all__ = ["search"]


def search(
    config: Annotated[
        str, typer.Argument(help="A configuration file, or the name of a shipped one.")
    ],
    data: Annotated[Path, typer.Option(help="Archive of labelled pictures (.npz).")],
    method: Annotated[
        str | None,
        typer.Option(help="Binarisation method in place of the configuration's own."),
    ] = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the state and genotype.json are kept [default: work_dirs/search_NAME]."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, data and choices.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads [default: all].")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the search was cut.")
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set any configuration key. Repeatable."),
    ] = None,
) -> None:
    """Search the architecture of a binary network; `binvision train --genotype` trains it.

    Example: binvision search search/cp_nas --data cifar10_jpeg.npz
    """
    from binvision.classifiers.search.run import search as run_search
    from binvision.training.run import TrainingRequest, find_config

    found = run_search(
        TrainingRequest(
            config=config,
            work_dir=work_dir or Path("work_dirs") / f"search_{find_config(config).stem}",
            method=method,
            data=data,
            seed=seed,
            threads=threads,
            resume=resume,
            overrides=key_values(overrides or []),
        )
    )
    typer.echo(str(found))

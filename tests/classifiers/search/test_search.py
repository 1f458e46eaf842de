"""Whole searches on a dozen pictures: found, resumed, trained, packed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision.classifiers.exporting import pack_checkpoint
from binvision.classifiers.search.pictures import SearchPictures, divide
from binvision.classifiers.search.run import search
from binvision.classifiers.search.setting import Setting
from binvision.cli.app import main
from binvision.errors import ConfigError, DataError, ModelFileError
from binvision.export.verify import verify
from binvision.training.run import TrainingRequest, prepare_config, train
from tests.support.labelled_pictures import write_pictures

SMALL: dict[str, Any] = {
    "model.network.input_size": 8,
    "train_dataloader.batch_size": 4,
    "search.held_out": 6,
    "search.steps": 1,
}
CELLS = {
    "model.network.backbone.channels": (8, 16),
    "model.network.backbone.blocks": (1, 1),
    "model.network.backbone.block": {
        "type": "choices",
        "nodes": 2,
        "operations": ("zeroise", "skip", "conv_3x3"),
    },
    "search.samplings": 2,
}
WIDTHS = {
    "model.network.backbone.channels": (8, 8, 16, 16),
    "search.ratios": (0.5, 1, 2),
    "search.population": 3,
    "search.generations": 2,
    "search.parents": 2,
    "search.rate": 0.5,
}
SAMPLED = {
    "model.network.backbone.channels": (16, 32),
    "model.network.backbone.blocks": (1, 1),
    "model.network.backbone.block": {
        "type": "choices",
        "nodes": 2,
        "operations": ("skip", "conv_3x3"),
    },
    "search.samplings": 2,
}
SPACES = {"bnas": SAMPLED, "cp_nas": CELLS, "shen": WIDTHS}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures") / "pictures.npz")


def request(name: str, data: Path, work_dir: Path, **more: Any) -> TrainingRequest:
    values = {**SMALL, **SPACES[name], **more.pop("values", {})}
    return TrainingRequest(
        f"search/{name}", work_dir, data=data, seed=3, threads=1,
        overrides={key: repr(value) for key, value in values.items()}, **more,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(SPACES))
def test_what_is_found_trains_and_packs(name: str, data: Path, tmp_path: Path) -> None:
    genotype = search(request(name, data, tmp_path))
    content = json.loads(genotype.read_text())
    assert content["search"] == name and content["record"]["seed"] == 3
    small = {key: value for key, value in SMALL.items() if not key.startswith("search")}
    last = train(
        TrainingRequest(
            "classification/cifar10", tmp_path / "run", data=data, genotype=genotype, threads=1,
            iterations=2, overrides={key: repr(value) for key, value in small.items()},
        )
    )  # fmt: skip
    packed, network, _ = pack_checkpoint(last, name="found", accuracy={})
    assert verify(network, packed, (8, 8)) < 1e-4


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_search_that_was_cut_ends_as_one_that_was_not(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(search(request(name, data, tmp_path / "whole")).read_text())
    kept = Setting.keep
    calls = []

    def cut(self: Setting, state: dict[str, Any]) -> None:
        kept(self, state)
        calls.append(1)
        if len(calls) in (2, 3):
            raise KeyboardInterrupt

    monkeypatch.setattr(Setting, "keep", cut)
    cuts = 0
    while True:
        try:
            found = search(request(name, data, tmp_path / "cut", resume=True))
            break
        except KeyboardInterrupt:
            cuts += 1
    again = json.loads(found.read_text())
    for content in (whole, again):
        content["record"].pop("seconds")
    assert again == whole and cuts >= 1
    assert not list((tmp_path / "cut").glob("*.part"))


def test_a_search_goes_on_with_its_own_settings(data: Path, tmp_path: Path) -> None:
    search(request("cp_nas", data, tmp_path))
    with pytest.raises(ConfigError, match=r"search.pth was begun with other settings"):
        search(request("cp_nas", data, tmp_path, resume=True, values={"search.beta": 1.0}))
    (tmp_path / "search.pth").write_bytes(b"PK")
    with pytest.raises(ModelFileError, match="not the state of a search.*drop --resume"):
        search(request("cp_nas", data, tmp_path, resume=True))


def test_searches_and_trainings_are_not_mistaken(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a search: run 'binvision search search/cp_nas'"):
        train(TrainingRequest("search/cp_nas", tmp_path, data=data))
    with pytest.raises(ConfigError, match="has nothing to search; take search/cp_nas"):
        search(TrainingRequest("classification/cifar10", tmp_path, data=data))
    with pytest.raises(ConfigError, match="unknown search 'cpnas'.*Did you mean 'cp_nas'"):
        search(request("cp_nas", data, tmp_path, values={"search.type": "cpnas"}))


def test_genotypes_that_cannot_be_used(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "genotype.json"
    for text in ("", "[]", "{}", '{"format": "binvision genotype", "version": 2}'):
        path.write_text(text)
        with pytest.raises(DataError, match="not a genotype of 'binvision search'"):
            prepare_config(
                TrainingRequest("classification/cifar10", tmp_path, data=data, genotype=path)
            )
    with pytest.raises(ConfigError, match="method 'xnornet' brings a network of its own"):
        prepare_config(
            TrainingRequest(
                "classification/cifar10", tmp_path, data=data, genotype=path, method="xnornet"
            )
        )
    with pytest.raises(ConfigError, match="takes no genotype"):
        prepare_config(TrainingRequest("tracking/siamfc_xnor", tmp_path, genotype=path))


def test_pictures_are_divided() -> None:
    kept, others = divide(20, 7, seed=1)
    assert len(others) == 7 and sorted([*kept, *others]) == list(range(20))
    assert not np.array_equal(others, divide(20, 7, seed=2)[1])
    for count in (0, 20):
        with pytest.raises(ConfigError, match="held_out=.*expected 1 to 19"):
            divide(20, count, seed=1)


def test_no_picture_is_both_trained_on_and_judged_by(data: Path) -> None:
    pictures = SearchPictures(data, batch=6, held_out=6, seed=0, shift=0, device="cpu")
    seen = {
        tuple(image.sort().values.tolist())
        for step in range(4)
        for image in pictures.batch(step)["images"].flatten(1)
    }
    held = {tuple(image.sort().values.tolist()) for image in pictures.images.flatten(1).float()}
    assert len(seen) == len(held) == 6 and not seen & held
    torch.testing.assert_close(pictures.batch(2)["images"], pictures.batch(2)["images"])


def test_the_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "search/cp_nas", "--data", str(data), "--work-dir", str(tmp_path)]
    for key, value in {**SMALL, **CELLS}.items():
        words += ["--set", f"{key}={value!r}"]
    with pytest.raises(SystemExit, match="0"):
        main(words)
    streams = capsys.readouterr()
    assert streams.out == f"{tmp_path / 'genotype.json'}\n"
    assert "10 of 10 (2 operations an edge): child" in streams.err


def test_widths_within_their_limit(data: Path, tmp_path: Path) -> None:
    values = {"search.limit": 0.6}
    record = json.loads(search(request("shen", data, tmp_path, values=values)).read_text())[
        "record"
    ]
    assert record["cost"] <= 0.6 and record["networks"] == 6
    with pytest.raises(ConfigError, match="no network of ratios .* raise search.limit"):
        search(request("shen", data, tmp_path, values={"search.limit": 0.01}))
    with pytest.raises(ConfigError, match="'staged' backbone has shortcuts"):
        values = {"model.network.backbone": {"type": "staged", "method": "bnn"}}
        search(request("shen", data, tmp_path, values=values))

"""Ensembles, trained member after member in one run, small but whole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision import runtime
from binvision.classifiers.exporting import pack_checkpoint
from binvision.classifiers.model import ClassifierConfig, ClassifierNetwork, load_checkpoint
from binvision.classifiers.network import PackedNetwork
from binvision.classifiers.pictures import read_pictures
from binvision.classifiers.torch_network import TorchNetwork
from binvision.errors import ConfigError
from binvision.training.run import TrainingRequest, prepare_config, train
from tests.support.labelled_pictures import write_pictures

SMALL = {
    "model.network.input_size": 8,
    "model.network.backbone.channels": (8, 16),
    "model.network.backbone.blocks": (1, 1),
    "train_dataloader.batch_size": 4,
    "default_hooks.checkpoint.interval": 2,
    "default_hooks.checkpoint.max_keep_ckpts": -1,
    "default_hooks.logger.interval": 1,
}


def request(data: Path, work_dir: Path, method: str, **more: Any) -> TrainingRequest:
    values = {key: repr(value) for key, value in SMALL.items()}
    return TrainingRequest(
        "classification/cifar10", work_dir, data=data, seed=3, threads=1, method=method,
        **{"iterations": 12, "overrides": values, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures") / "pictures.npz", train=30)


@pytest.fixture(scope="module", params=["benn_bagging", "benn_boosting"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: Path
) -> Path:
    return run(data, tmp_path_factory.mktemp(request.param), request.param)


def run(data: Path, work_dir: Path, method: str) -> Path:
    return train(request(data, work_dir, method))


def state(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def of_member(content: dict[str, torch.Tensor], member: int) -> dict[str, torch.Tensor]:
    prefix = f"network.others.{member - 1}." if member else "network."
    return {
        name.removeprefix(prefix): value
        for name, value in content.items()
        if name.startswith(prefix) and "others" not in name.removeprefix(prefix)
    }


def test_members_train_in_their_turns_alone(trained: Path) -> None:
    states = [state(trained.parent / f"iter_{step}.pth") for step in range(2, 13, 2)]
    for member in range(3):
        parts = [of_member(content, member) for content in states]
        name = next(key for key in parts[0] if key.endswith("conv.weight"))
        moved = [not torch.equal(a[name], b[name]) for a, b in zip(parts, parts[1:], strict=False)]
        # Steps 2-4, 4-6, ... 10-12, of turns 0-4, 4-8 and 8-12.
        assert moved == [member == 0, member == 1, member == 1, member == 2, member == 2]


def test_votes_are_those_of_the_members_answers(trained: Path, data: Path) -> None:
    content = torch.load(trained, weights_only=True)
    network, _ = load_checkpoint(trained)
    found = read_pictures(data, "train")
    weights, votes = np.ones(30), []
    for member in network.members:
        with torch.no_grad():
            images = torch.from_numpy(found.images).permute(0, 3, 1, 2).float()
            answers = member.answer(images)
        if "bagging" in str(trained):
            votes.append(1.0)
            continue
        # A share of zero hides which class it was; such a member is no better than chance.
        if not answers.any():
            votes.append(0.0)
            continue
        wrong = answers.argmax(1).numpy() != found.labels
        error = max(weights[wrong].sum() / weights.sum(), 0.5 / 30)
        votes.append(max(0.0, 0.5 * math.log((1 - error) / error) + 0.5 * math.log(2)))
        weights *= np.exp(np.where(wrong, votes[-1], -votes[-1]))
        weights *= 30 / weights.sum()
    np.testing.assert_allclose(content["ensemble"]["votes"], votes, rtol=1e-9)
    if "boosting" in str(trained):
        np.testing.assert_allclose(content["ensemble"]["weights"], weights, rtol=1e-9)
        assert np.ptp(weights) > 0
    assert max(votes) > 0
    # Shares are in the heads: step 4 has the first member's as it was trained.
    before = of_member(state(trained.parent / "iter_4.pth"), 0)["head.weight"]
    torch.testing.assert_close(network.head.weight.detach(), before * (votes[0] / sum(votes)))


def test_logits_are_the_sum_of_the_members(trained: Path, data: Path) -> None:
    network, _ = load_checkpoint(trained)
    images = torch.from_numpy(read_pictures(data, "test").images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        parts = [member.answer(images) for member in network.members]
        assert not torch.allclose(parts[0], parts[1])
        torch.testing.assert_close(network(images), parts[0] + parts[1] + parts[2])


def test_an_ensemble_packs_as_one_network(trained: Path, data: Path, tmp_path: Path) -> None:
    packed, _, _ = pack_checkpoint(trained, name="ensemble", accuracy={})
    runtime.save(tmp_path / "model.safetensors", packed)
    images = read_pictures(data, "test").images
    ours = PackedNetwork(tmp_path / "model.safetensors").run(images)
    np.testing.assert_allclose(
        ours, TorchNetwork.from_checkpoint(trained).run(images), rtol=1e-4, atol=1e-4
    )


def test_the_learning_rate_falls_anew_for_each_member(trained: Path) -> None:
    (log,) = trained.parent.glob("*/vis_data/scalars.json")
    rates = [json.loads(line)["lr"] for line in log.read_text().splitlines()]
    for turn in range(3):
        part = rates[4 * turn + (1 if turn == 0 else 0) : 4 * turn + 4]  # a step of warm-up
        period = len(part)
        expected = [1e-3 * (1 + math.cos(math.pi * step / period)) for step in range(period)]
        np.testing.assert_allclose(part, expected, rtol=1e-6)


@pytest.mark.parametrize("step", [6, 8])
def test_a_run_that_goes_on_ends_as_one_that_was_never_cut(
    step: int, data: Path, tmp_path: Path
) -> None:
    last = run(data, tmp_path, "benn_boosting")
    whole = state(last)
    last.unlink()
    for later in range(step + 2, 13, 2):
        (tmp_path / f"iter_{later}.pth").unlink()
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / f"iter_{step}.pth"))
    resumed = state(train(request(data, tmp_path, "benn_boosting", resume=True)))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_an_ensemble_learns(data: Path, tmp_path: Path) -> None:
    last = train(request(data, tmp_path, "benn_boosting", iterations=60))
    found = read_pictures(data, "train")
    answers = TorchNetwork.from_checkpoint(last).run(found.images).argmax(1)
    assert (answers == found.labels).mean() > 0.9


def test_a_schedule_has_room_for_every_member(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="5 steps for 3 members: expected two for each"):
        prepare_config(request(data, tmp_path, "benn_bagging", iterations=5))


def test_parts_that_follow_the_schedule_follow_the_members_turn(data: Path, tmp_path: Path) -> None:
    values = {**request(data, tmp_path, "bnn").overrides, "model.network.members": "2"}
    seen = []
    answer = ClassifierNetwork.answer

    def note(member: ClassifierNetwork, images: torch.Tensor) -> torch.Tensor:
        (done, *_) = (b.item() for n, b in member.named_buffers() if n.endswith("progress"))
        seen.append(done)
        return answer(member, images)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassifierNetwork, "answer", note)
        train(request(data, tmp_path, "late_clipping", overrides=values))
    np.testing.assert_allclose(seen, [step / 6 for step in range(6)] * 2, rtol=1e-6)


def test_a_method_that_its_own_past_teaches_is_refused(data: Path, tmp_path: Path) -> None:
    values = {**request(data, tmp_path, "bnn").overrides, "model.network.members": "2"}
    with pytest.raises(ConfigError, match="'real_to_binary' is taught by its own past"):
        train(request(data, tmp_path, "real_to_binary", overrides=values))


def test_there_is_a_member() -> None:
    with pytest.raises(ConfigError, match="members=0: expected 1, or more"):
        ClassifierNetwork(ClassifierConfig({"type": "residual", "method": "bnn"}, ["a"], 32, 0))

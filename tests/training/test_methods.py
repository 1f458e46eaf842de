"""The hook that moves methods along with the training."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from binvision.binary import WEIGHTS, BinaryConv2d, WeightQuantizer
from binvision.training.methods import MethodHook


class Counting(WeightQuantizer):
    """Knows the share that is done, and shrinks its latents."""

    progress: torch.Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    def forward(self, kernel: torch.Tensor) -> torch.Tensor:
        return kernel.sign()

    def after_step(self, latent: torch.Tensor) -> None:
        latent.mul_(0.5)


def test_parts_learn_of_the_progress_and_act_after_steps(monkeypatch: object) -> None:
    monkeypatch.setitem(WEIGHTS._makers, "counting", Counting)  # type: ignore[attr-defined]
    layer = BinaryConv2d(3, 4, 3, method={"type": "bnn", "weight": "counting"})
    plain = BinaryConv2d(4, 4, 3, method="bnn")
    model = torch.nn.Sequential(layer, plain)
    runner = SimpleNamespace(model=model, iter=30, max_iters=40)
    before = [each.weight.clone() for each in (layer, plain)]
    hook = MethodHook()
    hook.before_train(runner)  # type: ignore[arg-type]
    hook.before_train_iter(runner, 30)  # type: ignore[arg-type]
    assert layer.quantizer.progress == 0.75
    hook.after_train_iter(runner, 30)  # type: ignore[arg-type]
    assert torch.equal(layer.weight, 0.5 * before[0]) and layer.weight.requires_grad
    assert torch.equal(plain.weight, before[1])

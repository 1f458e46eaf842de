"""CIFAR-10 with 1-bit residual blocks: what all methods are compared with (--method NAME)."""

_base_ = "../_base_/classification.py"

backbone = dict(
    type="staged",
    method="bireal",
    block="bireal",
    stem_stride=1,
    channels=(64, 128, 256),
    blocks=(1, 2, 2),
)
model = dict(network=dict(backbone=backbone))

"""Shen's search on CIFAR-10: the width of every layer of VGG-Small, by evolution."""

_base_ = "../_base_/classification.py"

backbone = dict(type="vgg", method="xnor", channels=(128, 128, 256, 256, 512, 512))
model = dict(network=dict(backbone=backbone))
train_dataloader = dict(batch_size=128)

search = dict(
    type="shen",
    ratios=(0.25, 0.5, 1, 2, 3, 4),
    limit=1.0,
    population=16,
    generations=10,
    parents=6,
    rate=0.2,
    steps=780,
    held_out=10000,
)

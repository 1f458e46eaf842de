"""pose14.py of bottleneck blocks."""

_base_ = "./pose14.py"

model = dict(network=dict(backbone=dict(block="bottleneck")))

"""face68.py of bottleneck blocks: the baseline of the paper."""

_base_ = "./face68.py"

model = dict(network=dict(backbone=dict(block="bottleneck")))

"""First of two stages: activations are signs, weights still real. Then face.py --start-from."""

_base_ = "./face.py"

model = dict(network=dict(backbone=dict(method="activations")))

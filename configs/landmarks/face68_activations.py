"""First of two stages of face68.py: signs of activations, real weights (--start-from it then)."""

_base_ = "./face68.py"

model = dict(network=dict(backbone=dict(method="activations")))

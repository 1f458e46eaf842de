"""The float twin of cells.py."""

_base_ = "./cells.py"

model = dict(network=dict(backbone=dict(method="fp")))

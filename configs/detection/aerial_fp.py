"""The float twin of aerial.py."""

_base_ = "./aerial.py"

model = dict(network=dict(backbone=dict(method="fp")))

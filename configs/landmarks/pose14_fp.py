"""The float twin of pose14.py."""

_base_ = "./pose14.py"

model = dict(network=dict(backbone=dict(method="fp")))

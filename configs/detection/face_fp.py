"""The float twin of face.py."""

_base_ = "./face.py"

model = dict(network=dict(backbone=dict(method="fp")))

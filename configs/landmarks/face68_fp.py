"""The float twin of face68.py."""

_base_ = "./face68.py"

model = dict(network=dict(backbone=dict(method="fp")))

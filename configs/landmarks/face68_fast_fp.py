"""The float twin of face68_fast.py."""

_base_ = "./face68_fast.py"

model = dict(network=dict(backbone=dict(method="fp")))

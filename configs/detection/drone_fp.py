"""The float twin of drone.py."""

_base_ = "./drone.py"

model = dict(network=dict(backbone=dict(method="fp")))

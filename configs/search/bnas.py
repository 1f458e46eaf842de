"""BNAS on CIFAR-10: operations of cells, on a sample of their channels, by the binary network."""

_base_ = "cp_nas.py"

model = dict(network=dict(backbone=dict(block=dict(sampled=4))))
search = dict(type="bnas", beta=0.0)

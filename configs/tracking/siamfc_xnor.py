"""SiamFC binarised as XNOR-Net does it: clipped straight-through, mean |W| as scale."""

_base_ = "../_base_/tracking.py"

network = dict(backbone=dict(type="residual", method="xnor"), exemplar_crop=7)
model = dict(type="SiamFCTraining", network=network, compile=True)

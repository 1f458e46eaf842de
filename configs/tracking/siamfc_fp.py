"""The float twin: the same modules as rb_siamfc, real-valued."""

_base_ = "../_base_/tracking.py"

network = dict(backbone=dict(type="residual", method="fp"), exemplar_crop=7)
model = dict(type="SiamFCTraining", network=network, compile=True)

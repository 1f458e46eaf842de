"""hpm-face68-fast: 68 points of a face from 128x128 pixels, for a camera."""

_base_ = "./face68.py"

model = dict(network=dict(backbone=dict(channels=192, depth=3), input_size=128))

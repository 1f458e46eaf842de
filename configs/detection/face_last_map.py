"""Faces on the last map of a plain 1-bit network, as Sun et al. detect objects (2018).

Fast object detection based on binary deep convolution neural networks, CAAI Transactions on
Intelligence Technology, doi 10.1049/trit.2018.1026: weights and inputs of 1 bit, classes and boxes
from the last map alone. Their predictors have kernels of several sizes; this head has one.
"""

_base_ = "./face.py"

model = dict(
    network=dict(
        backbone=dict(
            _delete_=True,
            type="staged",
            method="xnor",
            block="xnor",
            channels=(64, 128, 256),
            blocks=(0, 3, 3),
        ),
        stride=16,
    )
)

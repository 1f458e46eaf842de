"""hpm-face68: the paper's hierarchical network, 68 points of a face from 256x256 pixels."""

_base_ = "../_base_/landmarks.py"

backbone = dict(type="hourglass", method="bireal", block="hierarchical", channels=256, depth=4)
# Where the points' box is in one of bin-face: medians over AFW, HELEN train and LFPW train.
settings = dict(crop=1.4, detector="bin-face", detector_box=(0.0, 0.126, 0.76))
model = dict(network=dict(backbone=backbone, scheme="face68", input_size=256, settings=settings))

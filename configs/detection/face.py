"""bin-face: faces from a webcam's to a news photograph's, at stride 8."""

_base_ = "../_base_/detection.py"

backbone = dict(type="melius", method="bireal", channels=(64, 64, 128, 128), blocks=(0, 3, 3, 3))
model = dict(
    type="DetectorTraining",
    network=dict(backbone=backbone, classes=["face"], stride=8, input_size=256),
)
train_dataloader = dict(
    dataset=dict(
        size=192,
        ranges=dict(scale=(0.35, 1.6), rotation=10.0, mosaic=0.4, paste=1, faces=0.3),
    )
)

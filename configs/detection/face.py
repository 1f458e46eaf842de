"""bin-face: faces from a webcam's to a news photograph's, at stride 8."""

_base_ = "../_base_/detection.py"

backbone = dict(type="staged", method="bireal", channels=(64, 128, 256, 256), blocks=(0, 2, 2, 2))
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

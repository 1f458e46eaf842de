"""bin-bccd: blood cells under the microscope, the worked example of training on one's own data."""

_base_ = "../_base_/detection.py"

backbone = dict(type="staged", method="bireal", channels=(64, 128, 256, 256), blocks=(0, 2, 2, 1))
model = dict(
    type="DetectorTraining",
    network=dict(backbone=backbone, classes=[], stride=8, input_size=320),
)
train_dataloader = dict(
    dataset=dict(
        size=192,
        ranges=dict(scale=(0.7, 1.4), rotation=8.0, quarter_turns=True, mosaic=0.2, paste=0),
    )
)

"""bin-bccd: blood cells under the microscope, the worked example of training on one's own data."""

_base_ = "../_base_/detection.py"

backbone = dict(type="melius", method="bireal", channels=(64, 64, 128, 128), blocks=(0, 2, 2, 2))
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

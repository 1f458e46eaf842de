"""bin-drone: drones, helicopters, aeroplanes and birds in the sky, some ten pixels large."""

_base_ = "../_base_/detection.py"

backbone = dict(type="staged", method="bireal", channels=(64, 128, 256, 256), blocks=(1, 2, 2, 1))
model = dict(
    type="DetectorTraining",
    network=dict(
        backbone=backbone,
        classes=["drone", "helicopter", "airplane", "bird"],
        stride=4,
        width=64,
        input_size=384,
    ),
)
train_dataloader = dict(
    dataset=dict(
        size=192,
        ranges=dict(scale=(0.6, 1.6), rotation=8.0, mosaic=0.4, paste=3, background=0.05),
    )
)

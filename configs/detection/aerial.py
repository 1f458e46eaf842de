"""bin-aerial: vehicles in pictures from above, used with --tile on large pictures."""

_base_ = "../_base_/detection.py"

backbone = dict(type="staged", method="bireal", channels=(64, 128, 256, 256), blocks=(1, 2, 2, 1))
model = dict(
    type="DetectorTraining",
    network=dict(backbone=backbone, classes=[], stride=4, width=64, input_size=640),
)
train_dataloader = dict(
    dataset=dict(
        size=192,
        ranges=dict(
            scale=(0.7, 1.8), native=True, rotation=15.0, quarter_turns=True, mosaic=0.2, paste=1
        ),
    )
)

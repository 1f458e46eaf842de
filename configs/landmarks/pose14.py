"""14 joints of a person from 256x256 pixels."""

_base_ = "./face68.py"

model = dict(
    network=dict(
        scheme="pose14",
        settings=dict(crop=1.25, detector="", presence_threshold=0.2),
    )
)
train_dataloader = dict(dataset=dict(ranges=dict(rotation=20.0, scale=0.15, shift=0.06)))

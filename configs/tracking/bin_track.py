"""bin-track: a 1-bit Siamese network that predicts the box; starts from rb-siamfc's features."""

_base_ = "../_base_/tracking.py"

custom_imports = dict(
    imports=[
        "binvision.trackers.training",
        "binvision.trackers.box_training",
        "binvision.training.optim",
        "binvision.training.hooks",
        "binvision.training.latents",
        "binvision.training.methods",
        "binvision.training.resuming",
        "binvision.training.shift_adamax",
    ]
)
exemplars = 2
searches = 4
batch_objects = 32
objects = 96_000
iterations = objects // batch_objects

network = dict(method="bireal")
model = dict(type="BoxTraining", network=network, start="rb-siamfc", frozen=False, compile=True)
train_dataloader = dict(
    batch_size=batch_objects,
    dataset=dict(
        objects=objects,
        exemplars=exemplars,
        searches=searches,
        search_size=255,
        search_shift=80,
        sequence_share=0.2,
        boxed=True,
    ),
)
train_cfg = dict(max_iters=iterations)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=200, end=iterations, eta_min=0.0),
]

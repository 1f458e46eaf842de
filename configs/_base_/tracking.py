"""What every tracking configuration shares: data, schedule, logging, checkpoints."""

custom_imports = dict(
    imports=[
        "binvision.trackers.training",
        "binvision.training.optim",
        "binvision.training.hooks",
        "binvision.training.latents",
        "binvision.training.methods",
        "binvision.training.resuming",
        "binvision.training.shift_adamax",
    ],
    allow_failed_imports=False,
)
default_scope = "mmengine"

photos = []
sequences = []
exemplars = 4
searches = 5
objects = 25_200  # groups of 4 exemplars x 5 search regions: 504,000 pairs
batch_objects = 6
iterations = objects // batch_objects
warmup = 200
learning_rate = 1e-3

train_dataloader = dict(
    batch_size=batch_objects,
    num_workers=0,
    sampler=dict(type="EndlessSampler"),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="ObjectGroups",
        photos=photos,
        sequences=sequences,
        objects=objects,
        exemplars=exemplars,
        searches=searches,
        seed=0,
    ),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters=iterations, val_interval=10**9)

optim_wrapper = dict(
    type="Bf16OptimWrapper",
    optimizer=dict(type="AdamW", lr=learning_rate, weight_decay=0.0),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warmup),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=warmup, end=iterations, eta_min=0.0),
]

randomness = dict(seed=0)
log_processor = dict(by_epoch=False, window_size=50)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type="CheckpointHook", interval=500, by_epoch=False, max_keep_ckpts=1),
)
custom_hooks = [
    dict(type="SkipHook"),
    dict(type="MethodHook"),
    dict(type="RecordHook"),
    dict(type="ProgressHook"),
]
visualizer = dict(
    type="Visualizer",
    vis_backends=[dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")],
)

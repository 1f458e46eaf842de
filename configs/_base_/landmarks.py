"""What every landmark configuration shares: data, schedule, logging, checkpoints."""

custom_imports = dict(
    imports=[
        "binvision.landmarks.training",
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

batch = 32
iterations = 4000
warmup = 200
learning_rate = 2e-3

# --teacher names a checkpoint of the float twin that guides the training.
model = dict(type="LandmarkTraining", teacher="", compile=False, graph=False)

# --faces, or --data and --images, fill the data, --photos crops without a subject; points, crop
# and size are the network's.
train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    sampler=dict(type="EndlessSampler"),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="PointCrops",
        scheme="",
        faces=[],
        data="",
        images="",
        photos=[],
        input_size=0,
        crop=0.0,
        length=iterations * batch,
        seed=0,
        ranges=dict(),
    ),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters=iterations)

optim_wrapper = dict(
    type="Bf16OptimWrapper",
    optimizer=dict(type="AdamW", lr=learning_rate, weight_decay=0.0),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warmup),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=warmup, end=iterations, eta_min=0.0),
]

env_cfg = dict(cudnn_benchmark=True)  # all crops have one size
randomness = dict(seed=0)
log_processor = dict(by_epoch=False, window_size=50)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type="CheckpointHook", interval=250, by_epoch=False, max_keep_ckpts=1),
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

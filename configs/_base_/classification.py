"""What every classification configuration shares: data, schedule, logging, checkpoints."""

custom_imports = dict(
    imports=[
        "binvision.classifiers.training",
        "binvision.training.ensembles",
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

batch = 256
iterations = 2930  # 15 passes over 50,000 pictures
warmup = 100
learning_rate = 2e-3

# --teacher names a checkpoint of another network that guides the training; --data fills classes.
model = dict(
    type="ClassifierTraining",
    teacher="",
    ensemble="bagging",
    data_preprocessor=dict(type="PictureBatches", data="", seed=0, shift=4),
    network=dict(classes=[], input_size=32, members=1),
)

train_dataloader = dict(
    batch_size=batch,
    num_workers=0,
    sampler=dict(type="EndlessSampler"),
    collate_fn=dict(type="default_collate"),
    dataset=dict(type="NumberedPictures", data="", length=iterations * batch, seed=0),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters=iterations)

optim_wrapper = dict(
    type="Bf16OptimWrapper",
    optimizer=dict(type="AdamW", lr=learning_rate, weight_decay=0.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=warmup),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=warmup, end=iterations, eta_min=0.0),
]

env_cfg = dict(cudnn_benchmark=True)  # all pictures have one size
randomness = dict(seed=0)
log_processor = dict(by_epoch=False, window_size=50)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type="CheckpointHook", interval=500, by_epoch=False, max_keep_ckpts=1),
)
custom_hooks = [
    dict(type="SkipHook"),
    dict(type="MethodHook"),
    dict(type="EnsembleHook"),
    dict(type="RecordHook"),
    dict(type="ProgressHook"),
]
visualizer = dict(
    type="Visualizer",
    vis_backends=[dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")],
)

"""RB-SiamFC: rectified kernels, guided by the float twin (Liu et al., RBCN, IJCAI 2019)."""

_base_ = "../_base_/tracking.py"

teacher = "work_dirs/siamfc_fp/last.pth"
network = dict(backbone=dict(type="residual", method="rbcn"), exemplar_crop=7)
model = dict(type="GuidedSiamFCTraining", network=network, teacher=teacher, compile=True)

_optimizer = dict(type="AdamW", lr=1e-3, weight_decay=0.0)
optim_wrapper = dict(
    _delete_=True,
    constructor="PerModuleConstructor",
    network=dict(type="Bf16OptimWrapper", optimizer=_optimizer, clip_grad=dict(max_norm=10.0)),
    discriminators=dict(
        type="Bf16OptimWrapper", optimizer=dict(type="AdamW", lr=2e-4, weight_decay=0.0)
    ),
)
model_wrapper_cfg = dict(type="MMSeparateDistributedDataParallel")

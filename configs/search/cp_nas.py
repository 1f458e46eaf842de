"""CP-NAS on CIFAR-10: operations of cells, by a binary network and its real parent."""

_base_ = "../_base_/classification.py"

backbone = dict(
    type="staged",
    method="bireal",
    block=dict(type="choices", nodes=4),
    stem_stride=1,
    channels=(64, 128, 256),
    blocks=(2, 2, 2),
)
model = dict(network=dict(backbone=backbone))
train_dataloader = dict(batch_size=128)

# 35 architectures a sampling; a step is one of the child and one of the parent.
search = dict(type="cp_nas", samplings=3, steps=196, beta=0.5, held_out=25000)

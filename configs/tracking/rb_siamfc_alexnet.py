"""RB-SiamFC with the backbone of the papers (SiamFC, 2016; RBCN, IJCAI 2019)."""

_base_ = "rb_siamfc.py"

teacher = "work_dirs/siamfc_fp_alexnet/last.pth"
network = dict(
    _delete_=True,
    backbone=dict(type="alexnet", method="rbcn"),
    exemplar_crop=6,
    tracker=dict(search_size=255),
)
model = dict(network=network, teacher=teacher)
train_dataloader = dict(dataset=dict(search_size=223))

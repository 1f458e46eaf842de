"""The float twin with the backbone of the paper (Bertinetto et al., 2016)."""

_base_ = "siamfc_fp.py"

network = dict(
    _delete_=True,
    backbone=dict(type="alexnet", method="fp"),
    exemplar_crop=6,
    tracker=dict(search_size=255),
)
model = dict(network=network)
train_dataloader = dict(dataset=dict(search_size=223))

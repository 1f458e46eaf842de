"""Networks whose blocks are what is new; the blocks are in :mod:`binvision.backbones`."""

from __future__ import annotations

from typing import Any

from binvision.binary.method import Method, register_method

__all__: list[str] = []


def _block(name: str, **options: Any) -> dict[str, Any]:
    block = {"type": name, **options} if options else name
    return {"model": {"network": {"backbone": {"block": block}}}}


register_method(
    Method(
        name="xnornet",
        kind="structure",
        title="XNOR-Net, with its block",
        paper="Rastegari et al., XNOR-Net: ImageNet Classification Using Binary Convolutional "
        "Neural Networks, ECCV 2016 (arXiv 1603.05279)",
        formula="y = max_pool(mean |W| * sum(sign(W) * sign(BN(x)))): batch norm, sign, "
        "convolution and pool in this order, no shortcut (section 3.2 and fig. 3). The pool is "
        "where the map is halved.",
        activation="clip",
        weight="clip",
        scale="mean",
        config=_block("xnor"),
    )
)
register_method(
    Method(
        name="binary_densenet",
        kind="structure",
        title="BinaryDenseNet",
        paper="Bethge et al., Back to Simplicity: How to Train Accurate BNNs from Scratch?, 2019 "
        "(arXiv 1906.08637)",
        formula="y = concat(x, sum(sign(W) * sign(BN(x)))); between stages "
        "x = Conv1x1(ReLU(max_pool(BN(x)))), real. No scale, since a batch norm follows.",
        activation="clip",
        weight="clip",
        config=_block("dense"),
    )
)
register_method(
    Method(
        name="meliusnet",
        kind="structure",
        title="MeliusNet",
        paper="Bethge et al., MeliusNet: An Improved Network Architecture for Binary Neural "
        "Networks, WACV 2021 (arXiv 2001.05936)",
        formula="d = BN(conv(x)); y = concat(x, d + BN(conv(concat(x, d)))): a dense block adds "
        "channels, an improvement block corrects them (fig. 2); conv = sum(sign(W) * sign(x))",
        activation="clip",
        weight="clip",
        config=_block("melius"),
    )
)
register_method(
    Method(
        name="groupnet",
        kind="structure",
        title="Group-Net, three branches",
        paper="Zhuang et al., Structured Binary Neural Networks for Accurate Image Classification "
        "and Semantic Segmentation, CVPR 2019 (arXiv 1811.10413)",
        formula="y = sum over i of lambda_i * G_i(s_i), G_i homogeneous 1-bit blocks; the next "
        "block of branch i reads s_i = C_i * G_i(s_i) + (1 - C_i) * y, C = sigmoid(theta) "
        "learned. The paper has five branches.",
        activation="polynomial",
        weight="clip",
        scale="mean_constant",
        config=_block("group", branches=3),
    )
)
register_method(
    Method(
        name="hierarchical",
        kind="structure",
        title="Hierarchical, parallel, multi-scale block",
        paper="Bulat & Tzimiropoulos, Binarized Convolutional Landmark Localizers for Human Pose "
        "Estimation and Face Alignment with Limited Resources, ICCV 2017 (arXiv 1703.00862)",
        formula="h1 = conv(BN(x)), h2 = conv(BN(h1)), h3 = conv(BN(h2)); "
        "y = concat(h1, h2, h3) + x (fig. 3c); conv = mean |W| * sum(sign(W) * sign(x)), 3x3",
        activation="clip",
        weight="clip",
        scale="mean",
        config=_block("hierarchical"),
    )
)
register_method(
    Method(
        name="tentaclenet",
        kind="structure",
        title="TentacleNet, three branches",
        paper="Mocerino & Calimera, TentacleNet: A Pseudo-Ensemble Template for Accurate Binary "
        "Convolutional Neural Networks, AICAS 2020 (arXiv 1912.10103)",
        formula="logits = sum over branches b of linear_b(mean(branch_b(trunk(x)))); the first "
        "stage is the trunk, all is trained from end to end; "
        "conv = mean |W| * sum(sign(W) * sign(x))",
        activation="polynomial",
        weight="clip",
        scale="mean_constant",
        config={"model": {"network": {"backbone": {"type": "tentacles", "branches": 3}}}},
    )
)

"""XNOR-Net."""

from binvision.binary.method import Method, register_method

register_method(
    Method(
        name="xnor",
        kind="quantiser",
        title="XNOR-Net",
        paper="Rastegari et al., XNOR-Net: ImageNet Classification Using Binary Convolutional "
        "Neural Networks, ECCV 2016 (arXiv 1603.05279)",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x)) (eq. 4 to 6); the gradient reaches W "
        "through the mean too (section 3.1). The input's scale K at each position is left out, as "
        "in most later work, since a batch norm follows.",
        activation="clip",
        weight="clip",
        scale="mean",
    )
)

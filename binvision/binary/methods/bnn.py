"""Binarized neural networks."""

from binvision.binary.method import Method, register_method

register_method(
    Method(
        name="bnn",
        kind="early",
        title="BNN",
        paper="Hubara et al., Binarized Neural Networks, NeurIPS 2016",
        formula="y = sum(sign(W) * sign(x)); d sign(r) / dr = 1 where |r| <= 1 (eq. 4)",
        activation="clip",
        weight="clip",
    )
)

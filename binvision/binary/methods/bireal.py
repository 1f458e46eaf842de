"""Bi-Real Net."""

from binvision.binary.method import Method, register_method

register_method(
    Method(
        name="bireal",
        kind="estimator",
        title="Bi-Real Net",
        paper="Liu et al., Bi-Real Net: Enhancing the Performance of 1-bit CNNs With Improved "
        "Representational Capability and Advanced Training Algorithm, ECCV 2018 (arXiv 1808.00278)",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x)); d sign(x) / dx = 2 - 2|x| where "
        "|x| < 1 (eq. 5 and 6); the mean is a constant to the gradient (eq. 7 and 8)",
        activation="polynomial",
        weight="clip",
        scale="mean_constant",
    )
)

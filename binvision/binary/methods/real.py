"""Real weights: the float twin, and the first of two stages."""

from binvision.binary.method import Method, register_method

register_method(
    Method(
        name="fp",
        kind="baseline",
        title="Float twin",
        paper="The same modules with real weights and activations, for comparison",
        formula="y = sum(W * (x + shift))",
        activation=None,
        weight=None,
    )
)
register_method(
    Method(
        name="activations",
        kind="baseline",
        title="Signs of activations alone",
        paper="First stage of training in two: Bulat & Tzimiropoulos, Binarized Convolutional "
        "Landmark Localizers, ICCV 2017; Liu et al., ReActNet, ECCV 2020, section 5.1",
        formula="y = sum(W * sign(x + shift))",
        activation="polynomial",
        weight=None,
    )
)

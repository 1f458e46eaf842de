"""ReActNet."""

from binvision.binary.method import Method, register_method

register_method(
    Method(
        name="reactnet",
        kind="structure",
        title="ReActNet",
        paper="Liu et al., ReActNet: Towards Precise Binary Neural Network with Generalized "
        "Activation Functions, ECCV 2020 (arXiv 2003.03488)",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x - a)), a learned for each input "
        "channel (RSign); RPReLU y = x - g + z where x > g, else b (x - g) + z, all three learned; "
        "blocks of a 3x3 and a 1x1 convolution, each with its shortcut. Its teacher is left out.",
        activation="polynomial",
        weight="clip",
        scale="mean_constant",
        config={"model": {"network": {"backbone": {"block": "react"}}}},
    )
)

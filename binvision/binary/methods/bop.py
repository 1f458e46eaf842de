"""Bop: binary weights that are flipped, not rounded."""

from binvision.binary.method import Method, register_method

register_method(
    Method(
        name="bop",
        kind="training",
        title="Bop",
        paper="Helwegen et al., Latent Weights Do Not Exist: Rethinking Binarized Neural Network "
        "Optimization, NeurIPS 2019 (arXiv 1906.02107)",
        formula="y = sum(w * sign(x)), w = +-1 stored as such; m = (1 - gamma) m + gamma g; w = -w "
        "where |m| > threshold and sign(m) = sign(w) (algorithm 1); Adam for all other parameters",
        activation="clip",
        weight="clip",
        config={
            "optim_wrapper": {
                "constructor": "LatentConstructor",
                "optimizer": {"type": "Bop", "gamma": 1e-3, "threshold": 1e-7},
            }
        },
    )
)

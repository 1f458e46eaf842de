"""Binary ensembles: several networks of 1 bit that vote."""

from __future__ import annotations

from typing import Any

from binvision.binary.method import Method, register_method

__all__: list[str] = []

_VOTES = "logits = sum over members m of share_m * logits_m, three members, each trained for a "
_VOTES += "third of the schedule"
_CONV = "conv = mean |W| * sum(sign(W) * sign(x)). Packs as one network."


def _of_three(ensemble: str) -> dict[str, Any]:
    return {"model": {"network": {"members": 3}, "ensemble": ensemble}}


for _name, _formula in (
    ("bagging", "on as many pictures as there are, drawn with replacement; equal shares"),
    (
        "boosting",
        "on pictures by their weights w; e = sum of w where wrong / sum of w, vote = "
        "(log((1 - e) / e) + log(C - 1)) / 2 with C classes, w <- w exp(+-vote), + where wrong; "
        "share = vote / sum of votes. For two classes AdaBoost, for more its form of Zhu et al. "
        "(2009)",
    ),
):
    register_method(
        Method(
            name=f"benn_{_name}",
            kind="training",
            title=f"BENN, {_name}",
            paper="Zhu et al., Binary Ensemble Neural Network: More Bits per Network or More "
            "Networks per Bit?, CVPR 2019 (arXiv 1806.07550)",
            formula=f"{_VOTES} {_formula}; {_CONV}",
            activation="clip",
            weight="clip",
            scale="mean",
            config=_of_three(_name),
        )
    )

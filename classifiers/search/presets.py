"""The searches, as ``binvision methods`` lists them: what they choose from, and how."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SEARCHES", "SearchPreset"]


@dataclass(frozen=True)
class SearchPreset:
    """A search of binary architectures.

    Attributes:
        name: ``search.type`` of its configuration.
        title: What the paper calls it.
        paper: Authors, title, venue and year.
        formula: How it chooses, in a few lines of plain text.
        config: Shipped configuration, for ``binvision search``.
    """

    name: str
    title: str
    paper: str
    formula: str
    config: str


_PRESETS = (
    SearchPreset(
        name="bnas",
        title="BNAS, cells by the binary network alone",
        paper="Chen et al., Binarized Neural Architecture Search, AAAI 2020 (arXiv 1911.10862)",
        formula="cells of 14 edges, each one of 8 operations that see a quarter of the channels "
        "(PC-DARTS); K architectures drawn without replacement, trained as 1-bit networks; every "
        "edge abandons the operation whose mean held-out accuracy is least; again with K - 1. The "
        "paper's weights of operations, learned by gradients, are left out.",
        config="search/bnas",
    ),
    SearchPreset(
        name="cp_nas",
        title="CP-NAS, cells by child and parent",
        paper="Zhuo et al., CP-NAS: Child-Parent Neural Architecture Search for Binary Neural "
        "Networks, IJCAI 2020 (arXiv 2005.00057)",
        formula="cells of 14 edges, each one of 8 operations; K architectures drawn without "
        "replacement, each trained as a 1-bit network (the child, accuracy A_C) and a real one "
        "(the parent, A_P); z = beta (A_P - A_C) + A_C; e(o_k) = exp(mean z_k) / sum over j of "
        "exp(mean z_j); every edge abandons the operation of least e; again with K - 1",
        config="search/cp_nas",
    ),
    SearchPreset(
        name="shen",
        title="Widths by evolution",
        paper="Shen et al., Searching for Accurate Binary Neural Architectures, ICCV workshops "
        "2019 (arXiv 1909.07378)",
        formula="channels of each layer = ratio * its own, ratios of .25 to 4; fitness = held-out "
        "accuracy after a short training where operations are at most so many, else refused; new "
        "individuals by mutation and crossover of the fittest",
        config="search/shen",
    ),
)

SEARCHES = {preset.name: preset for preset in _PRESETS}

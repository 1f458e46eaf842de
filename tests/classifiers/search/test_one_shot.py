"""Networks of all operations: an architecture computes what the cells of its genotype do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.backbones import build_backbone
from binvision.backbones.cells import OPERATIONS
from binvision.classifiers.search.one_shot import Choice, block_of, choose, options_of
from binvision.classifiers.search.reduction import Edge, draw
from binvision.errors import ConfigError
from tests.support.torch_networks import randomize

SMALL = {"type": "staged", "stem_stride": 1, "channels": (8, 16), "blocks": (2, 2)}


def one_shot(method: str = "bnn", **more: object) -> torch.nn.Module:
    block = {"type": "choices", "nodes": 2}
    return build_backbone({**SMALL, "method": method, "block": block, **more})


def test_all_edges_have_all_operations() -> None:
    options = options_of(one_shot())
    places = {(edge.node, edge.state) for edge in options if edge.kind == "normal"}
    assert places == {(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)}
    assert len(options) == 10 and set(options.values()) == {tuple(OPERATIONS)}


@pytest.mark.parametrize("method", ["bnn", "fp"])
@torch.no_grad()
def test_a_genotype_computes_what_the_choice_did(method: str) -> None:
    network = randomize(one_shot(method), 0)
    pixels = torch.randint(0, 256, (2, 3, 7, 9)).float()
    for architecture in draw(options_of(network), np.random.default_rng(5))[:4]:
        choose(network, architecture)
        block = block_of(architecture)
        if not all(all(nodes) for nodes in (block["normal"], block["reduction"])):
            continue  # a node of zeroise alone is drawn in a search, and never found by one
        found = build_backbone({**SMALL, "method": method, "block": block}).eval()
        wanted = found.state_dict()
        # In the order of both: the choice's own operation stands for the edge.
        kept = iter(
            value
            for name, value in network.state_dict().items()
            if ".operations." not in name or _is_chosen(network, name)
        )
        found.load_state_dict({name: next(kept) for name in wanted})
        for one, other in zip(found.levels(pixels), network.levels(pixels), strict=True):
            torch.testing.assert_close(one, other)


def _is_chosen(network: torch.nn.Module, name: str) -> bool:
    place, _, rest = name.partition(".operations.")
    choice = network.get_submodule(place)
    assert isinstance(choice, Choice)
    return rest.partition(".")[0] == choice.chosen


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(ConfigError, match="cells of 3 nodes, .*multiples of 3, not 8"):
        one_shot(block={"type": "choices", "nodes": 3})
    for operations in (("skip",), ("skip", "skip"), ("skip", "conv_7x7")):
        with pytest.raises(ConfigError, match="operations skip.*expected two at least"):
            one_shot(block={"type": "choices", "nodes": 2, "operations": operations})
    with pytest.raises(ConfigError, match="needs a staged backbone with block 'choices'"):
        options_of(one_shot(blocks=(0, 1)))
    with pytest.raises(ConfigError, match="needs a staged backbone with block 'choices'"):
        options_of(one_shot(block="bireal"))


@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_an_operation_sees_a_sample_of_the_channels(stride: int) -> None:
    edge = Edge("normal", 0, 0)
    choice = randomize(Choice(edge, 12, stride, "bnn", ("zeroise", "conv_3x3"), sampled=4), 0)
    assert isinstance(choice, Choice)
    choice.chosen = "conv_3x3"
    x = torch.randn(2, 12, 5, 7)
    parts = [choice.operations["conv_3x3"](x[:, :3])]
    for first in (3, 6, 9):
        part = x[:, first : first + 3]
        if stride == 2:  # by hand, since a window may reach over the border
            padded = torch.nn.functional.pad(part, (0, 1, 0, 1), value=-torch.inf)
            part = padded.unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
        parts.append(part)
    wanted = torch.stack([parts[i % 4][:, i // 4] for i in range(12)], 1)
    torch.testing.assert_close(choice(x), wanted)
    with pytest.raises(ConfigError, match="one of 4 channels sampled: .*multiples of 8, not 12"):
        one_shot(channels=(12, 12), block={"type": "choices", "nodes": 2, "sampled": 4})

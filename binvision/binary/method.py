"""A binarisation method: a named preset of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from binvision.binary.registry import Spec, split, unknown
from binvision.errors import ConfigError

__all__ = ["METHODS", "Kind", "Method", "find_method", "register_method"]

Kind = Literal["baseline", "early", "estimator", "quantiser", "structure", "loss", "training"]


@dataclass(frozen=True)
class Method:
    """What a binarisation method is made of.

    A part is the name of a registered one, or ``dict(type=NAME, **options)``.

    Attributes:
        name: The key in :data:`METHODS`.
        kind: What is new in it.
        title: What the paper calls it.
        paper: Authors, title, venue and year.
        formula: What it computes, in a few lines of plain text, with the paper's equation numbers.
        activation: Quantiser of the activations, of :data:`~binvision.binary.ACTIVATIONS`; None
            keeps them real.
        weight: Quantiser of the kernels, of :data:`~binvision.binary.WEIGHTS`; None keeps them
            real.
        scale: Factor of an output channel, of :data:`~binvision.binary.SCALES`; None is 1.
        losses: What it adds to the loss, of :data:`~binvision.binary.LOSSES`, and by what weight.
        config: Changes to a classification configuration that belong to the method, such as another
            block or optimiser. Other tasks take the optimiser alone.
    """

    name: str
    kind: Kind
    title: str
    paper: str
    formula: str
    activation: Spec | None
    weight: Spec | None
    scale: Spec | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


METHODS: dict[str, Method] = {}


def register_method(method: Method) -> Method:
    """Enter ``method`` into :data:`METHODS`.

    Raises:
        ConfigError: The name is taken.
    """
    if method.name in METHODS:
        raise ConfigError(f"there is a method {method.name!r} already; choose another name")
    METHODS[method.name] = method
    return method


def find_method(spec: Spec) -> Method:
    """Return the method that ``spec`` names.

    Args:
        spec: A name, or ``dict(type=NAME, **changes)`` with other parts for some fields of the
            preset, such as ``dict(type="xnor", activation="polynomial")``.

    Raises:
        ConfigError: There is no such method, the message lists the valid names; or a method has no
            such field.
    """
    name, changes = (spec, dict[str, Any]()) if isinstance(spec, str) else split(spec)
    if name not in METHODS:
        raise ConfigError(unknown("binarisation method", name, METHODS))
    try:
        return replace(METHODS[name], **changes)
    except TypeError as error:
        raise ConfigError(f"method {name!r}: {error}") from None

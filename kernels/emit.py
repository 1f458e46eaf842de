"""Small steps of LLVM IR that the vector kernels are written with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

__all__ = [
    "F32",
    "I16",
    "I32",
    "I64",
    "I8",
    "address",
    "call_llvm",
    "constant_bytes",
    "counted_loop",
    "data_of",
    "load",
    "smaller",
    "splat",
    "store",
    "vector_of",
    "zeros",
]

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
F32 = ir.FloatType()


def vector_of(element: ir.Type, lanes: int) -> ir.VectorType:
    """Return the type of ``lanes`` elements."""
    return ir.VectorType(element, lanes)


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """Return a vector that holds ``value`` in every lane."""
    undefined = ir.Constant(vector_of(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, I32(0))
    mask = ir.Constant(vector_of(I32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, undefined, mask)


def zeros(element: ir.Type, lanes: int) -> ir.Constant:
    """Return a vector of zeros."""
    zero = 0.0 if element is F32 else 0
    return ir.Constant(vector_of(element, lanes), [zero] * lanes)


def call_llvm(builder: ir.IRBuilder, name: str, args: Sequence[ir.Value]) -> ir.Value:
    """Call an LLVM intrinsic whose result has the type of its first argument."""
    signature = ir.FunctionType(args[0].type, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), args)


def constant_bytes(builder: ir.IRBuilder, name: str, content: bytes) -> ir.Value:
    """Return a pointer to the first of some constant bytes, which begin on a cache line."""
    array = cgutils.global_constant(builder, name, cgutils.make_bytearray(content))
    array.align = 64
    return builder.bitcast(array, I8.as_pointer())


def smaller(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """Return the smaller of two signed integers."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def counted_loop(
    builder: ir.IRBuilder,
    first: ir.Value,
    stop: ir.Value,
    step: int,
    carried: Sequence[ir.Value],
    body: Callable[[ir.Value, Sequence[ir.Value]], Sequence[ir.Value]],
) -> Sequence[ir.Value]:
    """Emit ``for i in first .. stop by step: carried = body(i, carried)``; return the last.

    The body runs at least once.
    """
    before, inside = builder.block, builder.append_basic_block("loop")
    after = builder.append_basic_block("after")
    builder.branch(inside)
    builder.position_at_end(inside)
    i = builder.phi(first.type)
    phis = [builder.phi(value.type) for value in carried]
    new = body(i, phis)
    following = builder.add(i, first.type(step))
    for phi, start, value in zip([i, *phis], [first, *carried], [following, *new], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, stop), inside, after)
    builder.position_at_end(after)
    return new


def address(builder: ir.IRBuilder, data: ir.Value, element: ir.Type, index: ir.Value) -> ir.Value:
    """Return a pointer to ``element`` number ``index`` of the buffer ``data``."""
    return builder.gep(builder.bitcast(data, element.as_pointer()), [index])


def load(builder: ir.IRBuilder, pointer: ir.Value, kind: ir.Type, align: int) -> ir.Value:
    """Load a value of type ``kind``; ``align`` in bytes."""
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=align)


def store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, align: int) -> None:
    """Store a value; ``align`` in bytes."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=align)


def data_of(context: Any, builder: ir.IRBuilder, array_type: Any, value: ir.Value) -> ir.Value:
    """Return the pointer to the first element of a numba array."""
    return context.make_array(array_type)(context, builder, value).data

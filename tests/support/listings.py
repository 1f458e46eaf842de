"""Assembly of an inner kernel for any CPU, whatever CPU the tests run on."""

from __future__ import annotations

import re
from typing import NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types

from binvision.kernels.emit import F32, I16, I32, I64
from binvision.kernels.isa import BLOCKINGS
from binvision.kernels.register_tile import OPERANDS, emit_sum

__all__ = ["Cpu", "inner_loop", "listing"]


class Cpu(NamedTuple):
    """A CPU as LLVM names it."""

    triple: str
    name: str


# The least CPU of each kernel path.
CPUS = {
    "avx512": Cpu("x86_64-linux-gnu", "icelake-client"),
    "avx2": Cpu("x86_64-linux-gnu", "haswell"),
    "neon": Cpu("aarch64-linux-gnu", "generic"),
    "portable": Cpu("x86_64-linux-gnu", "x86-64"),
}

_ELEMENTS = {
    types.uint64: (I64, I64, I32),
    types.float32: (F32, F32, F32),
    types.int16: (I16, I32, I32),
}


def listing(isa: str, dtype: types.Type) -> str:
    """Assembly of the widest block of kernel path ``isa`` for activations of ``dtype``."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    cpu = CPUS[isa]
    machine = llvm.Target.from_triple(cpu.triple).create_target_machine(cpu=cpu.name, opt=3)
    module = llvm.parse_assembly(str(_module(isa, dtype, cpu.triple)))
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine.emit_assembly(module)


def _module(isa: str, dtype: types.Type, triple: str) -> ir.Module:
    module = ir.Module("kernel")
    module.triple = triple
    acts, weights, sums = _ELEMENTS[dtype]
    pointers = {"acts": acts, "positions": I64, "taps": I64, "weights": weights, "tile": sums}
    kinds = [pointers[name].as_pointer() if name in pointers else I64 for name in OPERANDS]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "sum_block")
    builder = ir.IRBuilder(function.append_basic_block("start"))
    operands = dict(zip(OPERANDS, function.args, strict=True))
    emit_sum(builder, BLOCKINGS[isa], dtype, BLOCKINGS[isa].vectors, operands)
    builder.ret_void()
    return module


def inner_loop(isa: str, dtype: types.Type, instruction: str) -> str:
    """The lines of the innermost loop that holds ``instruction``, a regular expression."""
    text = listing(isa, dtype)
    for block in re.split(r"(?m)^(?=\.LBB\w+:)", text):
        label = re.match(r"(\.LBB\w+):", block)
        if label and re.search(instruction, block):
            jump = re.search(rf"(?m)^\s+(?:j|b\.)\w+\s+{re.escape(label[1])}$", block)
            if jump:
                return block[: jump.end()]
    raise AssertionError(f"{isa}: no loop with {instruction}\n{text}")

"""A list of kernel calls as one native function, for any number of threads.

Calling a compiled kernel from Python takes some microseconds under the interpreter's lock, and
threads that must meet after every call wait for that lock longer than for each other. So a list of
calls, whose arrays never move, is compiled into straight-line machine code that runs without the
lock from its first call to its last. Only this thin layer is compiled, within milliseconds: the
kernels are called at their addresses.

Each thread has its part of a task's rows, the same in every task, so that it finds in its own cache
what it wrote. It takes its part in chunks, then helps the others with theirs: one that comes late,
or is held up, does less. Before the next task each waits until all chunks are done: it spins, and
lets others have the core now and then.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import typeof, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.np import arrayobj

from binvision.kernels.emit import I32, I64

__all__ = ["Call", "Program", "Task"]

_LINE = 16  # int64 from one counter to the next, so that they lie on lines of their own
_CHUNKS = 5  # for each thread: what one may be late by, against what a call costs
_SPINS = 2000  # before others may have the core: some ten microseconds
_PATIENCE = 50_000  # spins before a thread that has nothing to do should sleep: about a millisecond
# Which LLVM intrinsic tells a CPU that a loop is waiting, and its arguments.
_PAUSES: dict[str, tuple[str, list[ir.Constant]]] = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "amd64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.hint", [I32(1)]),
    "arm64": ("llvm.aarch64.hint", [I32(1)]),
}


class Call(NamedTuple):
    """One kernel call on a range of rows: ``kernel(*before, start * unit, stop * unit, *after)``.

    Attributes:
        kernel: A compiled kernel.
        before: Its arguments before the range: arrays, numbers and tuples of them.
        unit: What one row counts in the kernel's range.
        after: Its arguments after the range.
    """

    kernel: Any
    before: tuple[Any, ...]
    unit: int = 1
    after: tuple[Any, ...] = ()

    def __call__(self, start: int, stop: int) -> None:
        """Run from Python."""
        self.kernel(*self.before, start * self.unit, stop * self.unit, *self.after)


class Task(Protocol):
    """Calls on the same rows, which may be divided; all must be done before the next task."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Calls in order."""

    @property
    def rows(self) -> int:
        """Number of rows."""


class Program:
    """Tasks in order, compiled.

    Args:
        tasks: What to do; all arrays in them must stay where they are.
        threads: The most threads that will share the work.
    """

    def __init__(self, tasks: Sequence[Task], threads: int) -> None:
        self._tasks = tuple(tasks)  # keeps the arrays alive
        self._library, work, watch = _compile(self._tasks, threads)
        self._work = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 5)(work)
        self._watch = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 3)(watch)
        self._counters = np.zeros((len(self._tasks) * (threads + 1) + 1) * _LINE, np.int64)
        self._address = self._counters.ctypes.data

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def runs(self) -> int:
        """Number of runs that have begun."""
        return int(self._counters[0])

    def begin(self) -> None:
        """Begin a run; no thread may be at work."""
        self._counters[_LINE:] = 0
        self._counters[0] += 1

    def await_run(self, runs: int) -> bool:
        """Spin until more than ``runs`` have begun; False after about a millisecond."""
        return self._watch(self._address, runs) != 0

    def work(self, thread: int, first: int, last: int) -> int:
        """Take part, as thread 0, 1, ..., in tasks ``first .. last`` until they are done.

        Returns:
            0, or a number other than 0 where a kernel found no memory.
        """
        return self._work(self._address, thread, first, last)


@global_compiler_lock
def _compile(tasks: tuple[Task, ...], threads: int) -> tuple[Any, int, int]:
    """Return the library to keep and the addresses of its two functions.

    ``work(counters, thread, first, last)`` and ``watch(counters, runs)``. The first counter is
    that of runs; then a task has one of the chunks taken for each thread's part, and one of all
    chunks done.
    """
    context = cpu_target.target_context
    context.refresh()
    library = context.codegen().create_library("binvision.program")
    module = library.create_ir_module("program")
    _emit_watch(module)
    function = ir.Function(module, ir.FunctionType(I64, [I64] * 4), "work")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    counters = builder.inttoptr(function.args[0], I64.as_pointer())
    status = cgutils.alloca_once_value(builder, I64(0))
    for number, task in enumerate(tasks):
        chosen = builder.and_(
            builder.icmp_signed("<=", function.args[2], I64(number)),
            builder.icmp_signed("<", I64(number), function.args[3]),
        )
        with builder.if_then(chosen):
            own = builder.gep(counters, [I64((number * (threads + 1) + 1) * _LINE)])
            done = builder.gep(own, [I64(threads * _LINE)])
            each = max(1, min(-(-task.rows // threads), _CHUNKS if threads > 1 else 1))
            with cgutils.for_range(builder, I64(threads)) as other:
                part = builder.srem(builder.add(function.args[1], other.index), I64(threads))
                taken = builder.gep(own, [builder.mul(part, I64(_LINE))])
                shares = _Shares(task.rows, each * threads, builder.mul(part, I64(each)), each)
                _emit_chunks(context, builder, task, shares, taken, done, status)
            _emit_wait(builder, done, each * threads)
    builder.ret(builder.load(status))
    library.add_ir_module(module)
    library.finalize()
    return library, *map(library.get_pointer_to_function, ("work", "watch"))


def _emit_watch(module: ir.Module) -> None:
    """Emit the function that spins until a run has begun."""
    function = ir.Function(module, ir.FunctionType(I64, [I64] * 2), "watch")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    runs = builder.inttoptr(function.args[0], I64.as_pointer())
    with cgutils.for_range(builder, I64(_PATIENCE)):
        begun = builder.icmp_signed(">", builder.load_atomic(runs, "acquire", 8), function.args[1])
        with builder.if_then(begun):
            builder.ret(I64(1))
        _emit_pause(builder)
    builder.ret(I64(0))


class _Shares(NamedTuple):
    """How the rows of a task are divided: into ``chunks``, ``each`` of them from ``first`` on."""

    rows: int
    chunks: int
    first: ir.Value
    each: int


def _emit_chunks(
    context: Any,
    builder: ir.IRBuilder,
    task: Task,
    shares: _Shares,
    taken: ir.Value,
    done: ir.Value,
    status: ir.Value,
) -> None:
    """Emit the loop that takes chunks of one thread's part until none is left."""
    loop, body = builder.append_basic_block("chunk"), builder.append_basic_block("rows")
    after = builder.append_basic_block("taken")
    builder.branch(loop)
    builder.position_at_end(loop)
    chunk = builder.atomic_rmw("add", taken, I64(1), "acq_rel")
    builder.cbranch(builder.icmp_signed("<", chunk, I64(shares.each)), body, after)
    builder.position_at_end(body)
    start, stop = (
        builder.sdiv(builder.mul(edge, I64(shares.rows)), I64(shares.chunks))
        for edge in (
            builder.add(shares.first, chunk),
            builder.add(builder.add(shares.first, chunk), I64(1)),
        )
    )
    with builder.if_then(builder.icmp_signed("<", start, stop)):
        for call in task.calls:
            failed = _emit_call(context, builder, call, start, stop)
            builder.store(builder.or_(builder.load(status), builder.zext(failed, I64)), status)
    builder.atomic_rmw("add", done, I64(1), "acq_rel")
    builder.branch(loop)
    builder.position_at_end(after)


def _emit_wait(builder: ir.IRBuilder, done: ir.Value, chunks: int) -> None:
    """Emit the loop that waits for the chunks that others have taken."""
    loop, more = builder.append_basic_block("wait"), builder.append_basic_block("pause")
    after = builder.append_basic_block("done")
    spins = cgutils.alloca_once_value(builder, I32(0))
    builder.branch(loop)
    builder.position_at_end(loop)
    count = builder.load_atomic(done, "acquire", 8)
    builder.cbranch(builder.icmp_signed("<", count, I64(chunks)), more, after)
    builder.position_at_end(more)
    _emit_pause(builder)
    turn = builder.add(builder.load(spins), I32(1))
    builder.store(turn, spins)
    others = llvm.address_of_symbol("sched_yield")
    if others:  # not on Windows
        due = builder.icmp_signed("==", builder.srem(turn, I32(_SPINS)), I32(0))
        with builder.if_then(due, likely=False):
            give_way = builder.inttoptr(I64(others), ir.FunctionType(I32, []).as_pointer())
            builder.call(give_way, [])
    builder.branch(loop)
    builder.position_at_end(after)


def _emit_pause(builder: ir.IRBuilder) -> None:
    """Tell the CPU that a loop is waiting."""
    if platform.machine().lower() in _PAUSES:
        name, given = _PAUSES[platform.machine().lower()]
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in given])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)


def _emit_call(
    context: Any, builder: ir.IRBuilder, call: Call, start: ir.Value, stop: ir.Value
) -> ir.Value:
    """Emit a kernel call with everything but its rows constant; returns its status, an i32."""
    given = (*call.before, 0, 0, *call.after)
    kinds = tuple(map(typeof, given))
    call.kernel.compile(kinds)
    compiled = call.kernel.overloads[kinds]
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    values = [
        _constant(context, builder, kind, value) for kind, value in zip(kinds, given, strict=True)
    ]
    place = len(call.before)
    values[place] = builder.mul(start, I64(call.unit))
    values[place + 1] = builder.mul(stop, I64(call.unit))
    convention = context.call_conv
    signature = convention.get_function_type(compiled.fndesc.restype, kinds)
    arguments = context.get_arg_packer(kinds).as_arguments(builder, values)
    slots = [cgutils.alloca_once(builder, pointer.pointee) for pointer in signature.args[:2]]
    for slot in slots:
        builder.store(slot.type.pointee(None), slot)
    function = builder.inttoptr(I64(address), signature.as_pointer())
    status = builder.call(function, [*slots, *arguments])
    # A kernel returns 0, or -2 for None.
    fine = builder.or_(
        builder.icmp_signed("==", status, I32(0)), builder.icmp_signed("==", status, I32(-2))
    )
    return builder.not_(fine)


def _constant(context: Any, builder: ir.IRBuilder, kind: types.Type, value: Any) -> ir.Value:
    """Return the native form of an argument, arrays by their address."""
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, value)
    if isinstance(kind, types.BaseTuple):
        parts = [_constant(context, builder, k, v) for k, v in zip(kind, value, strict=True)]
        return context.make_tuple(builder, kind, parts)
    return context.get_constant(kind, value)


def _array(context: Any, builder: ir.IRBuilder, kind: types.Array, value: np.ndarray) -> ir.Value:
    array = arrayobj.make_array(kind)(context, builder)
    pointer = builder.inttoptr(I64(value.ctypes.data), array.data.type)
    arrayobj.populate_array(
        array,
        data=pointer,
        shape=[I64(size) for size in value.shape],
        strides=[I64(stride) for stride in value.strides],
        itemsize=I64(value.itemsize),
        meminfo=None,
    )
    return array._getvalue()

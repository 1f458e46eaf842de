"""A list of kernel calls that native code goes through, for any number of threads.

Calling a compiled kernel from Python takes some microseconds under the interpreter's lock, and
threads that must meet after every call wait for that lock longer than for each other. So a list of
calls, whose arrays never move, is written into memory once, and a native loop goes through it
without the lock from its first call to its last. Each kind of call (a kernel and the types of its
arguments) has a door: a small function that reads the arguments from memory and calls the kernel at
its address. Loop and doors are compiled once a process, so that the next list costs next to
nothing.

Each thread has its part of a task's rows, the same in every task, so that it finds in its own cache
what it wrote. It takes its part in chunks, then helps the others with theirs: one that comes late,
or is held up, does less. Before the next task each waits until all chunks are done: it spins, and
lets others have the core now and then.
"""

from __future__ import annotations

import ctypes
import functools
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

F64 = ir.DoubleType()
_DOOR = ir.FunctionType(I64, [I64] * 3)
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

    @property
    def grain(self) -> int:
        """Rows that are best done together, so that a call finds in cache what the last wrote."""


class Program:
    """Tasks in order, ready to run.

    Args:
        tasks: What to do; all arrays in them must stay where they are.
        threads: The most threads that will share the work.
    """

    def __init__(self, tasks: Sequence[Task], threads: int) -> None:
        self._tasks = tuple(tasks)  # keeps the arrays alive
        self._code = _loops()
        self._table = _Table(self._tasks, threads)
        self._counters = np.zeros((len(self._tasks) * (threads + 1) + 1) * _LINE, np.int64)
        self._places = (self._table.address, self._counters.ctypes.data, threads)

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
        return self._code.watch(self._places[1], runs) != 0

    def work(self, thread: int, first: int, last: int) -> int:
        """Take part, as thread 0, 1, ..., in tasks ``first .. last`` until they are done.

        Returns:
            0, or a number other than 0 where a kernel found no memory.
        """
        return self._code.work(*self._places, thread, first, last)


class _Table:
    """Tasks as numbers: for each task a record, and in it the address of those of its calls.

    Attributes:
        address: Of the first task's record.
    """

    def __init__(self, tasks: tuple[Task, ...], threads: int) -> None:
        arguments = [_slots_of(call) for task in tasks for call in task.calls]
        places = np.cumsum([0, *map(len, arguments)])
        self._slots = np.array([slot for slots in arguments for slot in slots], np.int64)
        first_slot = self._slots.ctypes.data
        doors = _doors([call for task in tasks for call in task.calls])
        units = [call.unit for task in tasks for call in task.calls]
        self._calls = np.array(
            [
                (door, first_slot + place * 8, unit)
                for door, place, unit in zip(doors, places.tolist(), units, strict=False)
            ],
            np.int64,
        ).reshape(-1, len(_CallRecord._fields))
        records, place = [], 0
        for task in tasks:
            each = _chunks(task, threads)
            calls = self._calls.ctypes.data + place * self._calls.itemsize * len(
                _CallRecord._fields
            )
            records.append((task.rows, each, len(task.calls), calls))
            place += len(task.calls)
        self._records = np.array(records, np.int64).reshape(-1, len(_TaskRecord._fields))
        self.address = self._records.ctypes.data


def _chunks(task: Task, threads: int) -> int:
    """Return in how many chunks each thread's part of a task goes, none of them without rows."""
    part = -(-task.rows // threads)
    return max(1, min(part, max(_CHUNKS if threads > 1 else 1, -(-part // task.grain))))


class _TaskRecord(NamedTuple):
    """What the loop knows of a task, an int64 each; ``each`` is the chunks of a thread's part."""

    rows: ir.Value
    each: ir.Value
    count: ir.Value
    calls: ir.Value


class _CallRecord(NamedTuple):
    """What the loop knows of a call, an int64 each: addresses of door and arguments, and unit."""

    door: ir.Value
    slots: ir.Value
    unit: ir.Value


class _Loops(NamedTuple):
    """Native functions, and the library that must be kept for them.

    ``work(tasks, counters, threads, thread, first, last)`` and ``watch(counters, runs)``. The first
    counter is that of runs; then a task has one of the chunks taken for each thread's part, and one
    of all chunks done.
    """

    library: Any
    work: Any
    watch: Any


@functools.cache
@global_compiler_lock
def _loops() -> _Loops:
    """Compile what all lists share."""
    library, module = _new_library("loops")
    _emit_watch(module)
    _emit_work(module)
    library.add_ir_module(module)
    library.finalize()
    work, watch = map(library.get_pointer_to_function, ("work", "watch"))
    return _Loops(
        library,
        ctypes.CFUNCTYPE(*[ctypes.c_int64] * 7)(work),
        ctypes.CFUNCTYPE(*[ctypes.c_int64] * 3)(watch),
    )


def _new_library(name: str) -> tuple[Any, ir.Module]:
    context = cpu_target.target_context
    context.refresh()
    library = context.codegen().create_library(f"binvision.{name}")
    return library, library.create_ir_module(name)


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


def _emit_work(module: ir.Module) -> None:
    """Emit the function that takes part in tasks."""
    function = ir.Function(module, ir.FunctionType(I64, [I64] * 6), "work")
    tasks, places, threads, thread, first, last = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    counters = builder.inttoptr(places, I64.as_pointer())
    status = cgutils.alloca_once_value(builder, I64(0))
    with cgutils.for_range(builder, last, start=first) as turn:
        task = _TaskRecord(*_record(builder, tasks, turn.index, len(_TaskRecord._fields)))
        line = builder.mul(turn.index, builder.add(threads, I64(1)))
        own = builder.gep(counters, [builder.mul(builder.add(line, I64(1)), I64(_LINE))])
        done = builder.gep(own, [builder.mul(threads, I64(_LINE))])
        chunks = builder.mul(task.each, threads)
        with cgutils.for_range(builder, threads) as other:
            part = builder.srem(builder.add(thread, other.index), threads)
            taken = builder.gep(own, [builder.mul(part, I64(_LINE))])
            _emit_chunks(builder, task, chunks, part, taken, done, status)
        _emit_wait(builder, done, chunks)
    builder.ret(builder.load(status))


def _record(
    builder: ir.IRBuilder, first: ir.Value, number: ir.Value, fields: int
) -> list[ir.Value]:
    """Load the int64 of a record of a table."""
    table = builder.inttoptr(first, I64.as_pointer())
    place = builder.mul(number, I64(fields))
    return [
        builder.load(builder.gep(table, [builder.add(place, I64(field))]))
        for field in range(fields)
    ]


def _emit_chunks(
    builder: ir.IRBuilder,
    task: _TaskRecord,
    chunks: ir.Value,
    part: ir.Value,
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
    builder.cbranch(builder.icmp_signed("<", chunk, task.each), body, after)
    builder.position_at_end(body)
    number = builder.add(builder.mul(part, task.each), chunk)
    start, stop = (
        builder.sdiv(builder.mul(edge, task.rows), chunks)
        for edge in (number, builder.add(number, I64(1)))
    )
    with builder.if_then(builder.icmp_signed("<", start, stop)):
        with cgutils.for_range(builder, task.count) as turn:
            fields = len(_CallRecord._fields)
            call = _CallRecord(*_record(builder, task.calls, turn.index, fields))
            door = builder.inttoptr(call.door, _DOOR.as_pointer())
            edges = [builder.mul(edge, call.unit) for edge in (start, stop)]
            failed = builder.call(door, [call.slots, *edges])
            builder.store(builder.or_(builder.load(status), failed), status)
    builder.atomic_rmw("add", done, I64(1), "acq_rel")
    builder.branch(loop)
    builder.position_at_end(after)


def _emit_wait(builder: ir.IRBuilder, done: ir.Value, chunks: ir.Value) -> None:
    """Emit the loop that waits for the chunks that others have taken."""
    loop, more = builder.append_basic_block("wait"), builder.append_basic_block("pause")
    after = builder.append_basic_block("done")
    spins = cgutils.alloca_once_value(builder, I32(0))
    builder.branch(loop)
    builder.position_at_end(loop)
    count = builder.load_atomic(done, "acquire", 8)
    builder.cbranch(builder.icmp_signed("<", count, chunks), more, after)
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


_DOORS: dict[tuple[Any, ...], int] = {}
_LIBRARIES: list[Any] = []  # of the doors, which must be kept


@global_compiler_lock
def _doors(calls: Sequence[Call]) -> list[int]:
    """Addresses of the functions that make these calls; what is new is compiled together."""
    kinds = [(call.kernel, _kinds_of(call), len(call.before)) for call in calls]
    new = list(dict.fromkeys(kind for kind in kinds if kind not in _DOORS))
    if new:
        library, module = _new_library("doors")
        names = [f"door{number}" for number in range(len(new))]
        for name, kind in zip(names, new, strict=True):
            _emit_door(module, name, *kind)
        library.add_ir_module(module)
        library.finalize()
        _LIBRARIES.append(library)
        _DOORS.update(zip(new, map(library.get_pointer_to_function, names), strict=True))
    return [_DOORS[kind] for kind in kinds]


def _kinds_of(call: Call) -> tuple[types.Type, ...]:
    return tuple(map(typeof, (*call.before, 0, 0, *call.after)))


def _emit_door(
    module: ir.Module, name: str, kernel: Any, kinds: tuple[types.Type, ...], place: int
) -> None:
    """Emit ``door(slots, start, stop)``, which calls a kernel; it returns 0 if that went well.

    Args:
        module: Gets the function.
        name: Its name.
        kernel: What it calls.
        kinds: Types of the kernel's arguments.
        place: Which of them are ``start`` and, after it, ``stop``; the slots hold all others.
    """
    context = cpu_target.target_context
    kernel.compile(kinds)
    compiled = kernel.overloads[kinds]
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    function = ir.Function(module, _DOOR, name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    slots = _Slots(builder, function.args[0])
    values = [
        function.args[number - place + 1]
        if number in (place, place + 1)
        else _value(context, builder, kind, slots)
        for number, kind in enumerate(kinds)
    ]
    signature = context.call_conv.get_function_type(compiled.fndesc.restype, kinds)
    arguments = context.get_arg_packer(kinds).as_arguments(builder, values)
    returned = [cgutils.alloca_once(builder, pointer.pointee) for pointer in signature.args[:2]]
    for slot in returned:
        builder.store(slot.type.pointee(None), slot)
    called = builder.inttoptr(I64(address), signature.as_pointer())
    status = builder.call(called, [*returned, *arguments])
    # A kernel returns 0, or -2 for None.
    fine = builder.or_(
        builder.icmp_signed("==", status, I32(0)), builder.icmp_signed("==", status, I32(-2))
    )
    builder.ret(builder.zext(builder.not_(fine), I64))


class _Slots:
    """Reads int64 after int64 from an address."""

    def __init__(self, builder: ir.IRBuilder, first: ir.Value) -> None:
        self._builder = builder
        self._place = builder.inttoptr(first, I64.as_pointer())
        self._number = 0

    def next(self) -> ir.Value:
        """Emit the load of the next one."""
        value = self._builder.load(self._builder.gep(self._place, [I64(self._number)]))
        self._number += 1
        return value


def _slots_of(call: Call) -> list[int]:
    """Return the arguments of a call as int64, in the order in which a door reads them."""
    return [slot for value in (*call.before, *call.after) for slot in _slots(value)]


def _slots(value: Any) -> list[int]:
    if isinstance(value, np.ndarray):
        return [value.ctypes.data, *value.shape, *value.strides]
    if isinstance(value, tuple):
        return [slot for part in value for slot in _slots(part)]
    if isinstance(value, (float, np.floating)):
        return [int(np.float64(value).view(np.int64))]
    return [int(value)]


def _value(context: Any, builder: ir.IRBuilder, kind: types.Type, slots: _Slots) -> ir.Value:
    """Emit the native form of an argument from what ``_slots`` wrote."""
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, slots)
    if isinstance(kind, types.BaseTuple):
        parts = [_value(context, builder, part, slots) for part in kind]
        return context.make_tuple(builder, kind, parts)
    native = context.get_value_type(kind)
    if isinstance(kind, types.Float):
        return context.cast(builder, builder.bitcast(slots.next(), F64), types.float64, kind)
    return slots.next() if native == I64 else builder.trunc(slots.next(), native)


def _array(context: Any, builder: ir.IRBuilder, kind: types.Array, slots: _Slots) -> ir.Value:
    array = arrayobj.make_array(kind)(context, builder)
    pointer = builder.inttoptr(slots.next(), array.data.type)
    shape, strides = ([slots.next() for _ in range(kind.ndim)] for _ in range(2))
    arrayobj.populate_array(
        array,
        data=pointer,
        shape=shape,
        strides=strides,
        itemsize=I64(np.dtype(str(kind.dtype)).itemsize),
        meminfo=None,
    )
    return array._getvalue()

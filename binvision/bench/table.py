"""A bench report as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from binvision.bench.report import Report

__all__ = ["absent_table", "engine_table", "headline", "step_table"]


def headline(report: Report) -> dict[str, str]:
    """What was measured, on what, and the whole network's figures."""
    height, width = report.size_hw
    ours = report.engines[0]
    rate = report.binary_macs / ours.seconds
    vnni = " with vnni" if report.vnni else ""
    return {
        "CPU": report.cpu,
        "kernels": f"{report.kernels}{vnni} (what this CPU runs)",
        "threads": str(report.threads),
        "input": f"{report.batch} x {height}x{width}",
        "MACs": f"{_millions(report.binary_macs)} M binary, {_millions(report.real_macs)} M real",
        "ceiling": f"{report.popcount_ceiling / 1e9:.0f} binary GMAC/s, measured: XOR, popcount "
        f"and addition in registers",
        "memory": f"{report.memory_bandwidth / 1e9:.1f} GB/s, measured: one thread reading",
        "whole": f"{1e3 * ours.seconds:.2f} ms ({1e3 * ours.fastest:.2f} - "
        f"{1e3 * ours.slowest:.2f}), {report.batch / ours.seconds:.0f} images/s, "
        f"{100 * rate / report.popcount_ceiling:.0f} % of the ceiling",
        "date": report.date,
    }


def step_table(report: Report) -> Table:
    """Time by step. GMAC/s counts bits and numbers; the ceiling's share counts bits alone."""
    table = Table(title="Steps", title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    total = sum(step.seconds for step in report.steps)
    for header, footer in (
        ("step", "total"),
        ("part", ""),
        ("kernel", ""),
        ("ms", f"{1e3 * total:.3f}"),
        ("share", "100 %"),
        ("binary MMAC", _millions(report.binary_macs)),
        ("real MMAC", _millions(report.real_macs)),
        ("GMAC/s", _giga((report.binary_macs + report.real_macs) / total)),
        ("of ceiling", ""),
        ("of memory", ""),
    ):
        is_text = header in ("step", "part", "kernel")
        table.add_column(header, footer, justify="left" if is_text else "right", no_wrap=True)
    for step in report.steps:
        table.add_row(
            escape(step.step),
            step.op,
            step.kernel,
            f"{1e3 * step.seconds:.3f}",
            f"{100 * step.share:.1f} %",
            _millions(step.binary_macs),
            _millions(step.real_macs),
            _giga(step.macs_per_second),
            "" if step.ceiling_share is None else f"{100 * step.ceiling_share:.0f} %",
            f"{100 * step.bandwidth_share:.0f} %",
        )
    return table


def engine_table(report: Report) -> Table:
    """The same shapes elsewhere, with the ratio to the packed model."""
    title = "The real-valued twin in other engines (xnor: the 1-bit network itself)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("engine", no_wrap=True)
    for header in ("ms", "fastest", "slowest", "cores", "error", "times ours"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in _engine_rows(report):
        table.add_row(*row)
    return table


def absent_table(report: Report) -> Table:
    """Engines that were asked for and have no figure, with the reason."""
    table = Table(title="Not timed", title_justify="left", box=None, show_header=False)
    for absent in report.absent:
        table.add_row(absent.name, escape(absent.reason))
    return table


def _engine_rows(report: Report) -> Iterator[tuple[str, ...]]:
    ours = report.engines[0].seconds
    for figure in report.engines:
        times = (figure.seconds, figure.fastest, figure.slowest)
        yield (
            figure.name,
            *(f"{1e3 * seconds:.2f}" for seconds in times),
            f"{figure.cores:.2f}",
            f"{figure.error:.1g}",
            f"{figure.seconds / ours:.1f}",
        )


def _millions(count: float) -> str:
    return f"{count / 1e6:,.1f}" if count else ""


def _giga(rate: float) -> str:
    return f"{rate / 1e9:.1f}" if rate else ""

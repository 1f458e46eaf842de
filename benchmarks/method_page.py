"""docs/reference/methods.md, rendered from the methods and their rows."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import mean

from binvision.binary import METHODS
from binvision.binary.packed_form import packed_form
from binvision.binary.results import Result, of_method, read_results
from binvision.classifiers.search.presets import SEARCHES

__all__ = ["PAGE", "render", "write_page"]

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "methods.md"

# What the papers report, best first.
_PAPERS = ("fp", "reactnet", "bireal", "xnor", "bnn")
_WEIGHTS_ALONE, _BOTH = "binaryconnect", ("bireal", "xnor", "bnn")


def write_page() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")


def render() -> str:
    """Return the page's text."""
    rows = {name: of_method(name) for name in sorted(METHODS)}
    return "\n".join([*_head(), *_table(rows), *_order(rows), *_formulas(), *_searches(), ""])


def _head() -> list[str]:
    text = [
        "# Binarisation methods",
        "",
        "Every method of the package, trained alike on CIFAR-10. `binvision methods NAME` shows",
        "one, and [this page](../howto/add_a_method.md) adds another.",
        "",
    ]
    results = read_results()
    if not results:
        return [*text, "Nothing is measured yet: `python -m benchmarks.methods`.", ""]
    first = results[0]
    packed = [row for row in results if not row.unpacked]
    worst = min(packed, key=lambda row: row.agreement, default=first)
    others = min((row.agreement for row in packed if row is not worst), default=1.0)
    passes = first.iterations * first.batch / 50_000
    cpus = {row.cpu for row in results} - {""}
    return [
        *text,
        "The backbone is `configs/classification/cifar10.py`: an 8-bit 3x3 convolution on the",
        "pixels, then 1-bit blocks of 64, 128 and 256 channels at 32x32, 16x16 and 8x8, a mean and",
        f"a real linear layer. The schedule is short, {first.iterations} steps of {first.batch}",
        f"pictures ({passes:.0f} passes), the same for all: figures compare methods and do not say",
        "what each can reach. Pictures are JPEG copies of CIFAR-10. A method brings only what",
        "belongs to it, such as its block or its optimiser; where that changes the network, its",
        "weights and operations show it.",
        "",
        "Accuracy is PyTorch's on the 10,000 test pictures, the mean of the seeds; ± is half the",
        "distance between the best and the worst of them. Rows without ± have one seed. Packed",
        f"models give PyTorch's answer to at least {100 * others:.1f} % of 1,000 pictures, but for",
        f"`{worst.method}`, {100 * worst.agreement:.1f} %: runs on the NVIDIA H200 compared the",
        "first 1,000, all of one class, others every tenth.",
        f"Packed time is the median of 200 pictures on one thread ({', '.join(sorted(cpus))});",
        f"training time is of one run among {max(row.side_by_side for row in results)} that shared",
        f"one {_usual_device()}, where no other device is named.",
        "",
        "```bash",
        "python -m benchmarks.methods train --data cifar10_jpeg.npz --work methods \\",
        f"  --iterations {first.iterations} --batch {first.batch} "
        f"--processes {max(row.side_by_side for row in results)}",
        "python -m benchmarks.methods measure --data cifar10_jpeg.npz --work methods",
        "```",
        "",
    ]


def _table(rows: dict[str, list[Result]]) -> list[str]:
    lines = [
        "## Figures",
        "",
        "| method | kind | accuracy | seeds | runs as | 1-bit weights | other numbers | "
        "MACs on bits | real MACs | packed | CPU time | training |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    measured = [name for name in rows if rows[name]]
    measured.sort(key=lambda name: -_accuracy(rows[name]))
    for name in measured:
        found = rows[name]
        spread = f" ± {100 * _spread(found) / 2:.1f}" if len(found) > 1 else ""
        cells = [
            f"`{name}`",
            METHODS[name].kind,
            f"{100 * _accuracy(found):.1f} %{spread}",
            str(len(found)),
            packed_form(name),
            *_cost(found),
            _training(found),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    left = [f"`{name}`" for name in rows if not rows[name]]
    if left:
        lines += ["", f"Not measured: {', '.join(left)}."]
    return [*lines, ""]


def _cost(rows: list[Result]) -> list[str]:
    one = rows[0]
    if one.unpacked:
        return ["–"] * 6
    return [
        f"{one.binary_parameters:,}",
        f"{one.real_parameters:,}",
        f"{one.binary_macs / 1e6:.0f} M",
        f"{one.real_macs / 1e6:.1f} M",
        f"{one.file_bytes / 1000:.0f} kB",
        f"{mean(row.milliseconds for row in rows):.2f} ms",
    ]


def _training(rows: list[Result]) -> str:
    seconds = f"{mean(row.training_s for row in rows):.0f} s"
    devices = sorted({row.trained_on for row in rows} - {_usual_device()})
    return ", ".join([seconds, *devices])


def _usual_device() -> str:
    """The one that most runs were trained on."""
    return Counter(row.trained_on for row in read_results()).most_common(1)[0][0]


def _accuracy(rows: list[Result]) -> float:
    return mean(row.accuracy for row in rows)


def _spread(rows: list[Result]) -> float:
    return max(row.accuracy for row in rows) - min(row.accuracy for row in rows)


def _order(rows: dict[str, list[Result]]) -> list[str]:
    """Whether the order that the papers report holds, pair by pair."""
    pairs = [*pairwise(_PAPERS), *((_WEIGHTS_ALONE, other) for other in _BOTH)]
    lines = ["## The order that the papers report", ""]
    for better, worse in pairs:
        if rows.get(better) and rows.get(worse):
            lines.append(f"- `{better}` above `{worse}`: {_verdict(rows[better], rows[worse])}")
    return [*lines, ""]


def _verdict(better: list[Result], worse: list[Result]) -> str:
    difference = _accuracy(better) - _accuracy(worse)
    spread = max(_spread(better), _spread(worse))
    points = f"{100 * difference:+.1f} points, seeds differ by {100 * spread:.1f}"
    if min(len(better), len(worse)) < 2:
        return f"{points.split(',')[0]} of one seed, too little to tell."
    if abs(difference) <= spread:
        return f"no order ({points})."
    return f"holds ({points})." if difference > 0 else f"does not hold here ({points})."


def _formulas() -> list[str]:
    lines = ["## What each one is", ""]
    for name in sorted(METHODS):
        method = METHODS[name]
        lines += [
            f"- **`{name}`**, {method.title} ({method.kind}). `{method.formula}` {method.paper}."
        ]
    return [*lines, ""]


def _searches() -> list[str]:
    lines = [
        "## Searches",
        "",
        "They find a network for any of these methods that brings none of its own;",
        "[how to run them](../howto/search_an_architecture.md). None was run here at the length of",
        "its paper, so they have no row.",
        "",
    ]
    for preset in SEARCHES.values():
        lines += [f"- **`{preset.name}`**, {preset.title}. `{preset.formula}` {preset.paper}."]
    return lines

"""What a training on the CPU gains when freed memory stays with its process.

    python -m benchmarks.freed_memory --batch 512 --rounds 3

Steps of the CIFAR-10 configuration on pictures of noise, one thread, in processes that take turns:
as the C library does it, and as ``binvision train`` has it
(:mod:`binvision.training.memory`).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from statistics import median
from time import perf_counter

from benchmarks.machine import describe

_WAYS = ("returned", "kept")


def main() -> None:
    """Print seconds a step and greatest memory of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind")
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a process")
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        seconds, megabytes = _steps(options.batch, options.steps, options.way == "kept")
        print(seconds, megabytes)
        return
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in _WAYS}
    for _ in range(options.rounds):
        for way in _WAYS:
            command = [sys.executable, "-m", "benchmarks.freed_memory", "--way", way]
            command += ["--batch", str(options.batch), "--steps", str(options.steps)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, megabytes = map(float, done.stdout.split())
            found[way].append((seconds, megabytes))
    middle = {way: median(seconds for seconds, _ in found[way]) for way in _WAYS}
    for way in _WAYS:
        most = max(megabytes for _, megabytes in found[way])
        print(f"freed memory {way}: {middle[way]:.2f} s a step, {most:,.0f} MB")
    print(f"ratio {middle['returned'] / middle['kept']:.2f}, batches of {options.batch}")
    print("  ".join(f"{name} {value}" for name, value in describe(1, "torch").items()))


def _steps(batch: int, steps: int, is_kept: bool) -> tuple[float, float]:
    """Median seconds of a step, and the greatest size of this process in MB."""
    import torch
    from torch.nn.functional import cross_entropy

    from binvision.classifiers.model import ClassifierConfig, ClassifierNetwork
    from binvision.training.memory import keep_freed_memory

    torch.set_num_threads(1)
    if is_kept and not keep_freed_memory():
        raise SystemExit("this C library has no such setting: there is nothing to compare")
    backbone = {"type": "staged", "method": "bireal", "block": "bireal", "stem_stride": 1}
    backbone |= {"channels": (64, 128, 256), "blocks": (1, 2, 2)}
    network = ClassifierNetwork(ClassifierConfig(backbone, [str(label) for label in range(10)]))
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    images, labels = torch.rand(batch, 3, 32, 32) * 255, torch.randint(0, 10, (batch,))
    times = []
    for _ in range(steps + 1):
        begin = perf_counter()
        optimiser.zero_grad()
        cross_entropy(network(images), labels).backward()
        optimiser.step()
        times.append(perf_counter() - begin)
    return median(times[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

"""A Dask scheduler and workers on this machine, as processes that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support.repository import ROOT

__all__ = ["Fleet"]

_START_LIMIT_S = 60


class Fleet:
    """A scheduler and two workers of one thread each.

    Attributes:
        address: Where the scheduler listens.
        scheduler: Its process.
        workers: Processes of the workers, by number; each has its own ``FOLDER/worker-N``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._log = (folder / "fleet.log").open("ab")
        contact = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", contact,
        )  # fmt: skip
        while not contact.exists() or not contact.read_text().endswith("}"):
            self._wait_for_start(self.scheduler)
        self.address: str = json.loads(contact.read_text())["address"]
        self.add_worker()
        self.add_worker()

    def add_worker(self) -> None:
        """Start a worker, which takes a moment to join."""
        place = self.folder / f"worker-{len(self.workers)}"
        self.workers.append(
            self._start(
                "worker", self.address, "--no-nanny", "--nthreads", "1", "--local-directory", place,
            )
        )  # fmt: skip

    def close(self) -> None:
        """Kill all."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()

    def _start(self, kind: str, *options: str | Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard"]
        return subprocess.Popen(
            [*command, *map(str, options)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self._log,
            stderr=self._log,
        )

    def _wait_for_start(self, process: subprocess.Popen[bytes]) -> None:
        self._started = getattr(self, "_started", time.monotonic())
        if process.poll() is not None or time.monotonic() - self._started > _START_LIMIT_S:
            raise RuntimeError((self.folder / "fleet.log").read_text())
        time.sleep(0.02)

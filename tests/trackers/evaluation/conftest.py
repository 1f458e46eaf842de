from __future__ import annotations

import pytest

from tests.support.benchmark_trees import Clip, render_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """What all trees of benchmarks show."""
    return render_clip(tmp_path_factory.mktemp("clip") / "pictures")

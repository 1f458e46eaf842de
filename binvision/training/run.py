"""From a configuration file to a finished training run."""

from __future__ import annotations

import ast
import difflib
import itertools
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.distributed
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from rich.console import Console

import binvision
from binvision.binary import find_method
from binvision.classifiers.search.genotype import read_genotype
from binvision.detectors.annotations import DetectionSet
from binvision.errors import ConfigError, DataError
from binvision.training import classification, detection, landmarks
from binvision.training.memory import keep_freed_memory
from binvision.training.starting import take_weights

__all__ = ["TrainingRequest", "find_config", "prepare_config", "train"]


_RUNS = itertools.count(1)


@dataclass(frozen=True)
class TrainingRequest:
    """What a user asks of a training run; None leaves the configuration's own value.

    Attributes:
        config: Path of a configuration, or its name such as ``tracking/rb_siamfc``.
        method: Binarisation method in place of the configuration's own.
        work_dir: Folder for checkpoints and logs.
        data: Annotations of a detection set or of a keypoint set, or an archive of labelled
            pictures.
        images: Folder of its pictures.
        val_data: Annotations of another set, to measure on during the training.
        val_images: Folder of its pictures.
        photos: Photograph archives.
        sequences: Roots of annotated sequences.
        faces: Face archives, or folders of pictures with ``.pts`` files.
        teacher: Checkpoint that guides the training, where the configuration has one.
        start_from: Checkpoint whose weights a new schedule starts from.
        genotype: Architecture that a search has found, in place of the configuration's own.
        seed: Seed of weights and data.
        iterations: Length of the schedule.
        threads: CPU threads of one process.
        resume: Go on from the newest checkpoint of the work directory.
        overrides: Further configuration keys, dotted, with Python literals as values.
    """

    config: str
    work_dir: Path
    data: Path | None = None
    images: Path | None = None
    val_data: Path | None = None
    val_images: Path | None = None
    photos: tuple[Path, ...] = ()
    sequences: tuple[Path, ...] = ()
    faces: tuple[Path, ...] = ()
    teacher: Path | None = None
    start_from: Path | None = None
    seed: int | None = None
    iterations: int | None = None
    threads: int | None = None
    resume: bool = False
    method: str | None = None
    genotype: Path | None = None
    overrides: dict[str, str] = field(default_factory=dict)


def train(request: TrainingRequest) -> Path:
    """Run a training to its end.

    Under ``torchrun`` every process calls this; gradients are averaged over gloo (CPU) or
    NCCL (GPU).

    Returns:
        ``last.pth`` in the work directory: a checkpoint for ``binvision export``.

    Raises:
        ConfigError: The configuration, or a key of it, does not exist, or the weights to start from
            are of another network.
        DataError: Training data are missing.
        ModelFileError: The checkpoint to start from cannot be read.
    """
    config, found = _prepare(request)
    if "search" in config:
        raise ConfigError(
            f"{request.config} is a search: run 'binvision search {request.config}', then train "
            f"what it finds with --genotype"
        )
    if found is not None and _is_first():
        detection.describe(found, Console(stderr=True))
    # mmengine names a run by the second, and refuses two of one name in a process.
    config.experiment_name = f"{find_config(request.config).stem}-{next(_RUNS)}"
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)
    if not torch.cuda.is_available():
        keep_freed_memory()
    if "WORLD_SIZE" in os.environ:
        _join_processes(config)
    with redirect_stdout(sys.stderr):  # where mmengine tells of its steps
        runner = Runner.from_cfg(config)
        if request.start_from is not None:
            _start(runner, request.start_from)
        runner.train()
    return _keep_last(request.work_dir, is_first=runner.rank == 0)


def _start(runner: Runner, checkpoint: Path) -> None:
    left = take_weights(runner.model, checkpoint)
    if left and runner.rank == 0:
        Console(stderr=True).print(
            f"note: {checkpoint} has other classes; {', '.join(left)} start at random",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip


def find_config(name: str) -> Path:
    """Return the configuration at path ``name``, or the shipped one of that name.

    Raises:
        ConfigError: Neither exists; the message lists the shipped names.
    """
    if Path(name).is_file():
        return Path(name)
    root = Path(binvision.__file__).parent / "configs"
    shipped = {
        path.relative_to(root).with_suffix("").as_posix(): path
        for path in sorted(root.glob("*/*.py"))
        if not path.parent.name.startswith("_")
    }
    if name in shipped:
        return shipped[name]
    close = difflib.get_close_matches(name, shipped, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise ConfigError(f"no configuration {name!r}; shipped: {', '.join(shipped)}.{hint}")


def prepare_config(request: TrainingRequest) -> Config:
    """Return the configuration with everything in ``request`` put into its place.

    Raises:
        ConfigError: A key to override does not exist, the configuration takes no teacher, or
            the run is both resumed and started anew.
        DataError: A given file or folder is missing.
    """
    return _prepare(request)[0]


def _prepare(request: TrainingRequest) -> tuple[Config, DetectionSet | None]:
    """The configuration, and the annotations that it trains on, where it does on some."""
    config = Config.fromfile(find_config(request.config))
    config.work_dir = str(request.work_dir)
    config.resume = request.resume
    if request.genotype is not None:
        _set_architecture(config, request)
    if request.method is not None:
        _set_method(config, request.method)
    config.setdefault("log_level", "ERROR")  # mmengine warns of what its own code makes it do
    dataset = config.train_dataloader.dataset
    for key in ("data", "images", "photos", "sequences", "faces"):
        given = getattr(request, key)
        if given and key not in dataset:
            raise ConfigError(f"{request.config} takes no --{key}; it trains on other data")
        if isinstance(given, Path):
            dataset[key] = str(_existing(given))
        elif given:
            dataset[key] = [str(_existing(path)) for path in given]
    for key, given in (("data", request.val_data), ("images", request.val_images)):
        if given:
            if "val_dataloader" not in config:
                raise ConfigError(f"{request.config} takes no --val-{key}; it is not validated")
            config.val_dataloader.dataset[key] = str(_existing(given))
    if request.teacher is not None:
        if "teacher" not in config.model:
            raise ConfigError(f"{request.config} is not guided, so it takes no teacher")
        config.model.teacher = str(_existing(request.teacher))
    if request.start_from is not None:
        if request.resume:
            raise ConfigError("resuming goes on from its own checkpoint; drop start_from")
        _existing(request.start_from)
    if request.seed is not None:
        config.randomness.seed = dataset.seed = request.seed
    for key, value in request.overrides.items():
        _override(config, key, value)
    if request.iterations is not None:
        _set_length(config, request.iterations)  # of the batches that were set
    found = None
    match dataset.type:
        case "DetectionScenes":
            found = detection.settle(config)
        case "PointCrops":
            landmarks.settle(config)
        case "NumberedPictures":
            classification.settle(config)
    # Items are told apart by their number, so that several processes need more of them.
    dataset[_length_key(dataset)] *= _processes()
    config.record = _record(config)
    return config, found


def _set_architecture(config: Config, request: TrainingRequest) -> None:
    """Take the backbone of a genotype, with the method that it was searched with."""
    assert request.genotype is not None
    if config.train_dataloader.dataset.type != "NumberedPictures":
        raise ConfigError(
            f"{request.config} takes no genotype; searches are of classifiers: train "
            f"classification/cifar10"
        )
    if request.method is not None and "model" in find_method(request.method).config:
        raise ConfigError(
            f"method {request.method!r} brings a network of its own, and the genotype too; take "
            f"another method"
        )
    config.model.network.backbone = read_genotype(request.genotype)


def _set_method(config: Config, name: str) -> None:
    """Binarise by another method, with the changes that belong to it.

    Blocks and losses of features are those of classifiers; other tasks take its optimiser alone.
    """
    changes = dict(find_method(name).config)
    if config.train_dataloader.dataset.type != "NumberedPictures":
        changes = {key: changes[key] for key in changes if key == "optim_wrapper"}
    if "optim_wrapper" in changes and "optimizer" not in config.optim_wrapper:
        raise ConfigError(
            f"method {name!r} brings an optimiser, and this guided training has one for each part; "
            f"take a configuration that is not guided, or another method"
        )
    network = config.model.network
    network.get("backbone", network).method = name
    _merge(config, changes)


def _merge(node: Any, changes: Mapping[str, Any]) -> None:
    """Put changes in; a name and a dict with options stand for each other."""
    for key, value in changes.items():
        old = node.get(key)
        if isinstance(value, Mapping) and isinstance(old, dict) and "_delete_" not in value:
            _merge(old, value)
        elif isinstance(value, Mapping):
            node[key] = {name: item for name, item in value.items() if name != "_delete_"}
        else:
            node[key] = value


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; pass the training data's own path")
    return path


def _set_length(config: Config, iterations: int) -> None:
    """Shorten or lengthen the schedule; warm-up keeps its share at most."""
    if iterations < 2:
        raise ConfigError(f"a schedule of {iterations} steps has no room for a warm-up; take 2")
    config.train_cfg.max_iters = iterations
    warmup, cosine = config.param_scheduler
    warmup.end = cosine.begin = min(warmup.end, max(1, iterations // 10))
    cosine.end = iterations
    dataset = config.train_dataloader.dataset
    dataset[_length_key(dataset)] = iterations * config.train_dataloader.batch_size


def _length_key(dataset: Any) -> str:
    return "objects" if "objects" in dataset else "length"


def _is_first() -> bool:
    """Whether this is the process that speaks, of those that ``torchrun`` starts."""
    return int(os.environ.get("RANK", 0)) == 0


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def _record(config: Config) -> dict[str, Any]:
    """Return what a checkpoint tells of its data and schedule."""
    dataset, batch = config.train_dataloader.dataset, config.train_dataloader.batch_size
    processes = _processes()
    items = config.train_cfg.max_iters * batch * processes
    if "data" in dataset:
        paths = (dataset.data, *dataset.get("faces", ()), *dataset.get("photos", ()))
        names = ["/".join(Path(path).parts[-2:]) for path in paths if path]
        return {"data": names, "batch": batch * processes, "pictures": items}
    return {
        "data": [Path(path).name for path in (*dataset.photos, *dataset.sequences)],
        "batch_objects": batch * processes,
        "views": items * (dataset.exemplars + dataset.searches),
        "pairs": items * dataset.exemplars * dataset.searches,
    }


def _override(config: Config, key: str, text: str) -> None:
    node: Any = config
    *parents, last = key.split(".")
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict | Config) else None
    if node is None or last not in node:
        raise ConfigError(f"the configuration has no key {key!r}; print it to see the valid ones")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    config.merge_from_dict({key: value})


def _join_processes(config: Config) -> None:
    """Join the process group that ``torchrun`` describes; mmengine alone assumes GPUs."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    config.launcher = "pytorch"
    config.setdefault("model_wrapper_cfg", {"type": "MMDistributedDataParallel"})
    wrapper = config.model_wrapper_cfg
    wrapper.broadcast_buffers = False
    if not on_gpu:
        wrapper.device_ids = None


def _keep_last(work_dir: Path, *, is_first: bool) -> Path:
    last = work_dir / "last.pth"
    if is_first:
        partial = last.with_suffix(".part")
        shutil.copyfile(find_latest_checkpoint(str(work_dir)), partial)
        os.replace(partial, last)
    return last

"""``binvision track`` in this process: what it writes, and every bad input as one clear line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from binvision import runtime
from binvision.media import open_source, read_boxes
from binvision.media import window as window_module
from binvision.trackers import PackedEmbedder
from tests.support.footage import moving_patch, texture, write_images, write_video
from tests.support.tracking_models import write_tracker

BOX = "60,50,40,30"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_tracker(tmp_path_factory.mktemp("models") / "random.safetensors")
    PackedEmbedder(path).prepare()  # what is compiled the first time is said on stderr: not here
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames, _ = moving_patch([(80.0 + step, 65.0) for step in range(12)], (120, 160))
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4", frames)


@pytest.fixture
def track(command: Callable[..., Any], model: Path) -> Callable[..., Any]:
    """Run ``binvision track`` with the random model, unless another one is named."""

    def run(*arguments: str | Path) -> Any:
        given = [str(argument) for argument in arguments]
        return command("track", *given, *([] if "--model" in given else ["--model", model]))

    return run


def refuses(outcome: Any, code: int, message: str) -> None:
    """The command ended with ``code`` and one line that says ``message``."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line), line


# What it does


def test_the_final_line_tells_frames_score_losses_and_both_rates(track: Any, clip: Path) -> None:
    done = track(clip, "--init", BOX)
    assert done.code == 0
    number = r"\d+(\.\d+)?"
    assert re.fullmatch(
        rf"12 frames, mean score 0\.\d\d, lost in \d+; tracker alone \d+ fps, whole \d+ fps "
        rf"\(ms a frame: decode {number}, crop {number}, network {number}, post {number}, "
        rf"output {number}\)\n",
        done.out,
    )
    assert done.err == ""  # nothing to report, and no terminal to draw a bar on


def test_json_holds_the_same_figures(track: Any, clip: Path) -> None:
    figures = json.loads(track(clip, "--init", BOX, "--init", "10,10,20,20", "--json").out)
    assert figures["source"] == str(clip)
    assert (figures["model"], figures["targets"], figures["frames"]) == ("random", 2, 12)
    assert 0 <= figures["mean_score"] <= 1
    assert 0 <= figures["lost"] <= 22
    assert figures["fps_tracker"] > figures["fps_whole"] / 2 > 0
    assert set(figures["ms_per_frame"]) == {"decode", "crop", "network", "post", "output"}


def test_all_outputs_of_a_run(track: Any, clip: Path, tmp_path: Path) -> None:
    video, results = tmp_path / "o.mp4", tmp_path / "r.csv"
    done = track(clip, "--init", BOX, "--out", video, "--results", results)
    assert done.code == 0
    assert set(done.err.splitlines()) == {
        f"wrote {video} (12 frames)",
        f"wrote {results} (12 frames)",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mp4", "r.csv"]
    lines = results.read_text().splitlines()
    assert lines[1] == "0,1,60.000,50.000,40.000,30.000,1.0000,0"
    assert [line.split(",")[0] for line in lines[1:]] == [str(frame) for frame in range(12)]
    with open_source(video) as source:
        drawn = list(source)
    assert len(drawn) == 12
    with open_source(clip) as source:
        plain = next(iter(source))
    changed = np.abs(drawn[0].astype(int) - plain).max(-1) > 40
    assert changed[50, 60:100].mean() > 0.7, "the first box is drawn where it was given"


def test_init_file_takes_the_first_line(track: Any, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("60\t50\t40\t30\n61\t50\t40\t30\n")
    done = track(clip, "--init-file", tmp_path / "gt.txt", "--results", tmp_path / "r.txt")
    assert done.code == 0
    boxes = read_boxes(tmp_path / "r.txt")
    assert boxes.shape == (12, 4)
    assert boxes[0].tolist() == [60, 50, 40, 30]


def test_several_targets_in_text_are_a_file_each(track: Any, clip: Path, tmp_path: Path) -> None:
    track(clip, "--init", BOX, "--init", "10,10,20,20", "--results", tmp_path / "r.txt")
    assert read_boxes(tmp_path / "r-1.txt")[0].tolist() == [60, 50, 40, 30]
    assert read_boxes(tmp_path / "r-2.txt")[0].tolist() == [10, 10, 20, 20]


def test_targets_do_not_disturb_each_other(track: Any, clip: Path, tmp_path: Path) -> None:
    track(clip, "--init", BOX, "--results", tmp_path / "alone.txt")
    track(clip, "--init", BOX, "--init", "10,10,20,20", "--results", tmp_path / "both.txt")
    assert (tmp_path / "both-1.txt").read_text() == (tmp_path / "alone.txt").read_text()


def test_threads_do_not_change_the_result(track: Any, clip: Path, tmp_path: Path) -> None:
    for threads in ("1", "2"):
        track(clip, "--init", BOX, "--threads", threads, "--results", tmp_path / f"{threads}.csv")
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()


def test_images_and_a_glob_are_clips_too(track: Any, tmp_path: Path) -> None:
    frames = [texture(120, 160, seed=1)] * 4
    folder = write_images(tmp_path / "images", frames)
    for source in (str(folder), f"{folder}/*.png"):
        done = track(source, "--init", BOX, "--json")
        assert json.loads(done.out)["frames"] == 4


def test_a_single_frame_has_no_score(track: Any, tmp_path: Path) -> None:
    folder = write_images(tmp_path, [texture(120, 160, seed=1)])
    assert track(folder, "--init", BOX).out.startswith("1 frames, mean score -, lost in 0;")
    assert json.loads(track(folder, "--init", BOX, "--json").out)["mean_score"] is None


def test_select_asks_for_boxes(track: Any, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(window_module, "check_display", asked.append)
    monkeypatch.setattr(
        window_module.cv2, "selectROIs", lambda *_, **__: np.array([[60, 50, 40, 30], [5, 5, 9, 9]])
    )
    monkeypatch.setattr(window_module.cv2, "destroyWindow", lambda _: None)
    assert json.loads(track(clip, "--select", "--json").out)["targets"] == 2
    assert asked == ["--select"]


def test_nothing_selected(track: Any, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "check_display", lambda _: None)
    monkeypatch.setattr(window_module.cv2, "selectROIs", lambda *_, **__: ())
    monkeypatch.setattr(window_module.cv2, "destroyWindow", lambda _: None)
    refuses(track(clip, "--select"), 2, "--select: no box was drawn; drag one")


# What it refuses


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "where is the target\\? give exactly one of --init"),
        (("--init", BOX, "--select"), "give exactly one of --init"),
        (("--init", "1,2,3"), "box '1,2,3': expected four numbers"),
        (("--init", "10,10,0,5"), "box '10,10,0,5': has no area"),
        (("--init", "500,10,20,20"), "box 500,10,20,20: lies outside the frame of 160x120 pixels"),
        (("--init", BOX, "--results", "r.xml"), "r.xml: results are written as"),
        (("--init", BOX, "--out", "o.gif"), "o.gif: video is written as"),
    ],
)
def test_wrong_use(track: Any, clip: Path, options: tuple[str, ...], message: str) -> None:
    refuses(track(clip, *options), 2, message)


@pytest.mark.parametrize("option", ["--show", "--select"])
def test_no_screen(track: Any, clip: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setattr(window_module.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    options = ("--show", "--init", BOX) if option == "--show" else ("--select",)
    refuses(track(clip, *options), 1, f"{option} needs a screen, but DISPLAY and WAYLAND_DISPLAY")


def test_a_screen_that_does_not_answer(
    track: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    refuses(track(clip, "--show", "--init", BOX), 1, "OpenCV cannot open a window on this display")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.mp4", "none.mp4: no such file or folder"),
        ("97", "camera 97: cannot be opened"),
        ("*.jpg", r"\*.jpg: holds no image"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x: cannot be opened"),
    ],
)
def test_sources_that_are_not_there(
    track: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refuses(track(source, "--init", BOX), 1, message)


@pytest.mark.parametrize("content", [b"", b"not a video" * 99])
def test_a_corrupt_video(track: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    refuses(track(tmp_path / "bad.mp4", "--init", BOX), 1, r"bad\.mp4: (is empty|cannot be opened)")


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 1, "gt.txt: boxes cannot be read"),
        ("", 1, "gt.txt: holds no box"),
        ("1,2,3\n", 1, "gt.txt, line 1: expected four numbers"),
        ("NaN,NaN,NaN,NaN\n", 2, "gt.txt, line 1: has no area"),
        ("5,5,10,0\n", 2, "gt.txt, line 1: has no area"),
    ],
)
def test_bad_ground_truth(
    track: Any, clip: Path, tmp_path: Path, content: str | None, code: int, message: str
) -> None:
    path = tmp_path / "gt.txt"
    if content is not None:
        path.write_text(content)
    refuses(track(clip, "--init-file", path), code, message)


def test_size_change_keeps_the_results_until_then(track: Any, tmp_path: Path) -> None:
    frame = texture(120, 160, seed=1)
    folder = write_images(tmp_path / "images", [frame, frame, frame, frame[:100]])
    done = track(
        folder, "--init", BOX, "--results", tmp_path / "r.csv", "--out", tmp_path / "o.mp4"
    )
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("error: ")
    assert "4.png: is 160x100 pixels, but the first frame is 160x120" in done.err
    assert f"wrote {tmp_path / 'r.csv'} (3 frames)" in done.err
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 1 + 3
    with open_source(tmp_path / "o.mp4") as source:
        assert len(list(source)) == 3


def test_a_video_that_breaks_off_keeps_the_results_until_then(track: Any, tmp_path: Path) -> None:
    base = texture(120, 160, seed=1)
    frames = [np.roll(base, 3 * step, axis=1) for step in range(40)]
    path = write_video(tmp_path / "clip.avi", frames, codec="MJPG")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    done = track(path, "--init", BOX, "--results", tmp_path / "r.txt")
    assert done.code == 1
    number = int(re.search(r"breaks off after frame (\d+) of 40", done.err)[1])
    assert 5 < number < 35
    assert len(read_boxes(tmp_path / "r.txt")) == number


def test_models_that_cannot_track(track: Any, clip: Path, model: Path, tmp_path: Path) -> None:
    other = write_tracker(tmp_path / "other.safetensors", task="detection/faces")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model.read_bytes()[:-100])
    odd = write_tracker(tmp_path / "odd.safetensors", settings={"response_scale": 1.0})
    for path, message in (
        (other, "is for detection/faces, but tracking needs one for tracking/siamfc"),
        (cut, "cut.safetensors"),
        (odd, "odd.safetensors: tracking settings lack response_bias"),
        (tmp_path / "none.safetensors", "no model .*none.safetensors"),
        (clip, "clip.mp4"),
    ):
        refuses(track(clip, "--init", BOX, "--model", path), 1, message)


def test_a_model_with_a_box_head(track: Any, clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from binvision.trackers.box_exporting import pack_box_checkpoint
    from tests.support.checkpoints import write_box_checkpoint

    write_box_checkpoint(tmp_path / "net.pth")
    path = tmp_path / "boxes.safetensors"
    runtime.save(path, pack_box_checkpoint(tmp_path / "net.pth", name="boxes", accuracy={})[0])
    track(clip, "--init", BOX, "--model", path)  # what is compiled is said, once
    done = track(clip, "--init", BOX, "--init", "10,10,20,20", "--model", path, "--json")
    assert (done.code, done.err) == (0, "")
    figures = json.loads(done.out)
    assert (figures["model"], figures["targets"], figures["frames"]) == ("boxes", 2, 12)


def test_an_exemplar_smaller_than_its_crop(track: Any, clip: Path, tmp_path: Path) -> None:
    settings = {"response_scale": 1.0, "response_bias": 0.0, "exemplar_crop": 40}
    path = write_tracker(tmp_path / "small.safetensors", settings=settings)
    refuses(track(clip, "--init", BOX, "--model", path), 1, "fewer than the 40 that its settings")


def test_outputs_that_cannot_be_written(track: Any, clip: Path, tmp_path: Path) -> None:
    for option, name in (("--out", "o.mp4"), ("--results", "r.csv")):
        place = tmp_path / "none" / name
        refuses(track(clip, "--init", BOX, option, place), 1, f"none/{name}: ")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_output_leaves_no_other_behind(track: Any, clip: Path, tmp_path: Path) -> None:
    outputs = ("--results", tmp_path / "r.csv", "--out", tmp_path / "none" / "o.mp4")
    assert track(clip, "--init", BOX, *outputs).code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_an_older_one_is_replaced(
    track: Any, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.csv").write_text("old")
    assert track(clip, "--init", BOX, "--results", tmp_path / "r.csv").code == 0
    assert (tmp_path / "r.csv").read_text().startswith("frame,target,")
    refuses(track("none.mp4", "--init", BOX, "--results", tmp_path / "r.csv"), 1, "no such file")
    assert (tmp_path / "r.csv").read_text().startswith("frame,target,"), "a failure keeps it"


def test_the_random_model_is_a_tracker(model: Path) -> None:
    loaded = runtime.load(model)
    assert loaded.task == "tracking/siamfc"
    assert replace(loaded).name == "random"

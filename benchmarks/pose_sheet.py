"""A sheet of people as a model of joints sees them, beside the annotation, without pictures.

    python -m benchmarks.pose_sheet --model hpm-pose14 --data test.json --images test --out a.png

Data sets seldom let their pictures be shown again; lines may be. Each cell is a person, drawn in
the crop that the network saw: grey the annotation, blue and red the joints found (the person's
left and right), with the share of them that lies within .2 of the torso.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import BinvisionError
from binvision.landmarks.annotations import read_point_set
from binvision.landmarks.crop import box_of, crop_matrix, crop_of_box, to_crop
from binvision.landmarks.estimator import PointEstimator
from binvision.landmarks.evaluation.lengths import length_of
from binvision.landmarks.formats.points import PointPicture
from binvision.media.pictures import write_picture

CELL = 160  # pixels of a person
COLUMNS = 10
NEAR = 0.2  # of the torso
GREY, LEFT, RIGHT, MIDDLE = (190, 190, 190), (200, 90, 0), (40, 40, 210), (120, 50, 120)


def main(arguments: list[str] | None = None) -> None:
    """Draw the sheet and print the share of joints that are near."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="packed model of joints")
    parser.add_argument("--data", required=True, type=Path, help="COCO keypoint JSON")
    parser.add_argument("--images", type=Path, help="folder of its pictures")
    parser.add_argument("--count", type=int, default=50, help="people, evenly from the set")
    parser.add_argument("--out", required=True, type=Path, help="PNG to write")
    options = parser.parse_args(arguments)
    try:
        estimator = PointEstimator(options.model)
        people = read_point_set(options.data, options.images).pictures
        chosen = [people[i * len(people) // options.count] for i in range(options.count)]
        drawn = [draw(estimator, person) for person in chosen]
        rows = -(-len(drawn) // COLUMNS)
        sheet = np.full((rows * CELL, COLUMNS * CELL, 3), 255, np.uint8)
        for number, (cell, _) in enumerate(drawn):
            y, x = (CELL * place for place in divmod(number, COLUMNS))
            sheet[y : y + CELL, x : x + CELL] = cell
        write_picture(options.out, sheet)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    near = np.nanmean([share for _, share in drawn])
    print(f"{options.out}: {len(drawn)} people, {near:.0%} of their joints within {NEAR} torso")


def draw(estimator: PointEstimator, person: PointPicture) -> tuple[NDArray[np.uint8], float]:
    """Find the joints of one person.

    Returns:
        The cell (CELL, CELL, 3) uint8, and the share of labelled joints that are near; NaN where
        the torso is not labelled.
    """
    labelled = ~np.isnan(person.points[:, 0])
    box = box_of(person.points[labelled])
    found = estimator(person.read(), box).points
    centre, side = crop_of_box(box, estimator.settings.crop)
    matrix = crop_matrix(centre, side, CELL)
    cell = np.full((CELL, CELL, 3), 255, np.uint8)
    truth = to_crop(person.points, matrix)
    _draw_lines(cell, estimator, truth, [GREY] * len(truth), 3)
    colours = [_colour(name) for name in estimator.scheme.points]
    _draw_lines(cell, estimator, to_crop(found, matrix), colours, 1)
    errors = np.linalg.norm(found - person.points, axis=1)[labelled]
    torso = length_of("torso", estimator.scheme, person)
    share = float(np.mean(errors <= NEAR * torso)) if torso > 0 else float("nan")
    cv2.rectangle(cell, (0, 0), (CELL - 1, CELL - 1), (230, 230, 230))
    text = "" if np.isnan(share) else f"{share:.0%}"
    cv2.putText(cell, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (90, 90, 90), 1, cv2.LINE_AA)
    return cell, share


def _draw_lines(
    cell: NDArray[np.uint8],
    estimator: PointEstimator,
    points: NDArray[np.float32],
    colours: list[tuple[int, int, int]],
    width: int,
) -> None:
    for line in estimator.scheme.lines:
        for first, second in zip(line, line[1:], strict=False):
            if not np.isnan(points[[first, second]]).any():
                ends = [
                    tuple(int(round(float(v) * 16)) for v in points[i]) for i in (first, second)
                ]
                cv2.line(cell, ends[0], ends[1], colours[second], width, cv2.LINE_AA, shift=4)
    for point, colour in zip(points, colours, strict=True):
        if not np.isnan(point).any():
            cv2.circle(
                cell, (round(float(point[0])), round(float(point[1]))), width + 1, colour, -1
            )


def _colour(name: str) -> tuple[int, int, int]:
    if name.startswith("left_"):
        return LEFT
    return RIGHT if name.startswith("right_") else MIDDLE


if __name__ == "__main__":
    main()

"""Which points a network finds: their names, parts, mirror images, and the lines between them.

Sides are the person's own: on a face that looks at the camera, ``right_eye`` is on the picture's
left. Points that are images of each other in a mirror have names that differ in the side alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from binvision.errors import UsageError

__all__ = ["SCHEMES", "Scheme", "find_scheme"]

Lines = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Scheme:
    """A convention of points.

    Attributes:
        name: What models and data call it.
        subject: What has the points.
        points: A name for each, in the order of the data set that defines them.
        parts: Name of a part to the indices of its points.
        mirror: For each point the one that it becomes in a mirrored picture; empty where the
            data set does not say what its points are.
        lines: Polylines for drawing, as indices.
    """

    name: str
    subject: Literal["face", "person"]
    points: tuple[str, ...]
    parts: Mapping[str, tuple[int, ...]] = field(hash=False)
    mirror: tuple[int, ...]
    lines: Lines

    def __len__(self) -> int:
        return len(self.points)


def find_scheme(name: str) -> Scheme:
    """Look up a scheme.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in SCHEMES:
        raise UsageError(f"scheme {name!r} is unknown; expected one of {', '.join(SCHEMES)}")
    return SCHEMES[name]


def _scheme(
    name: str,
    subject: Literal["face", "person"],
    points: Sequence[str],
    parts: Mapping[str, tuple[int, ...]],
    lines: Lines,
) -> Scheme:
    place = {point: index for index, point in enumerate(points)}
    mirror = tuple(place[_other_side(point)] for point in points)
    return Scheme(name, subject, tuple(points), parts, mirror, lines)


def _other_side(point: str) -> str:
    side, _, rest = point.partition("_")
    swapped = {"left": "right", "right": "left"}.get(side)
    return f"{swapped}_{rest}" if swapped else point


def _run(first: int, last: int) -> tuple[int, ...]:
    """Indices from ``first`` to ``last``, both included."""
    return tuple(range(first, last + 1))


def _ring(first: int, last: int) -> tuple[int, ...]:
    """The same as a closed line."""
    return (*_run(first, last), first)


def _both(there: Sequence[str]) -> list[str]:
    """Points from the right side's outer end to the left side's: right ones, then their images."""
    right = [f"right_{point}" for point in there]
    return right + [_other_side(point) for point in reversed(right)]


def _jaw(half: int) -> list[str]:
    points = _both([f"jaw_{number}" for number in range(1, half + 1)])
    return [*points[:half], "chin", *points[half:]]


def _sides(*points: str) -> list[str]:
    return [f"{side}_{point}" for point in points for side in ("right", "left")]


_INNER_LIPS = [
    *("right_mouth_inner_corner", "right_upper_lip_inner", "upper_lip_inner"),
    *("left_upper_lip_inner", "left_mouth_inner_corner"),
    *("left_lower_lip_inner", "lower_lip_inner", "right_lower_lip_inner"),
]


def _outer_lips() -> list[str]:
    upper = _both(["mouth_corner", "upper_lip_outer", "upper_lip_peak"])
    lower = _both(["lower_lip_outer", "lower_lip_middle"])
    return [*upper[:3], "upper_lip", *upper[3:], *lower[:1:-1], "lower_lip", *lower[1::-1]]


def _face68() -> Scheme:
    """300-W (Sagonas et al., ICCVW 2013), the mark-up of Multi-PIE."""
    brows = _both([f"brow_{number}" for number in range(1, 6)])
    nose = ["nose_bridge_1", "nose_bridge_2", "nose_bridge_3", "nose_tip"]
    nostrils = _both(["nostril_outer", "nostril_inner"])
    eye = ["outer", "upper_outer", "upper_inner", "inner", "lower_inner", "lower_outer"]
    left = ["inner", "upper_inner", "upper_outer", "outer", "lower_outer", "lower_inner"]
    points = [
        *_jaw(8),
        *brows,
        *nose,
        *(*nostrils[:2], "nose_base", *nostrils[2:]),
        *(f"right_eye_{place}" for place in eye),
        *(f"left_eye_{place}" for place in left),
        *_outer_lips(),
        *_INNER_LIPS,
    ]
    parts = {
        "jaw": _run(0, 16),
        "right_brow": _run(17, 21),
        "left_brow": _run(22, 26),
        "nose": _run(27, 35),
        "right_eye": _run(36, 41),
        "left_eye": _run(42, 47),
        "mouth": _run(48, 67),
        "outer_lips": _run(48, 59),
        "inner_lips": _run(60, 67),
    }
    lines = (
        *(_run(0, 16), _run(17, 21), _run(22, 26), _run(27, 30), _run(31, 35)),
        *(_ring(36, 41), _ring(42, 47), _ring(48, 59), _ring(60, 67)),
    )
    return _scheme("face68", "face", points, parts, lines)


def _face98() -> Scheme:
    """WFLW (Wu et al., Look at Boundary, CVPR 2018)."""
    nostrils = _both(["nostril_outer", "nostril_inner"])
    eye = ["outer", "upper_outer", "upper", "upper_inner", "inner"]
    eye += ["lower_inner", "lower", "lower_outer"]
    left = [eye[place] for place in (4, 3, 2, 1, 0, 7, 6, 5)]
    points = [
        *_jaw(16),
        *(f"right_brow_{number}" for number in _run(1, 9)),
        *(f"left_brow_{number}" for number in (5, 4, 3, 2, 1, 9, 8, 7, 6)),
        *("nose_bridge_1", "nose_bridge_2", "nose_bridge_3", "nose_tip"),
        *(*nostrils[:2], "nose_base", *nostrils[2:]),
        *(f"right_eye_{place}" for place in eye),
        *(f"left_eye_{place}" for place in left),
        *_outer_lips(),
        *_INNER_LIPS,
        *_sides("pupil"),
    ]
    parts = {
        "jaw": _run(0, 32),
        "right_brow": _run(33, 41),
        "left_brow": _run(42, 50),
        "nose": _run(51, 59),
        "right_eye": _run(60, 67),
        "left_eye": _run(68, 75),
        "mouth": _run(76, 95),
        "outer_lips": _run(76, 87),
        "inner_lips": _run(88, 95),
        "pupils": (96, 97),
    }
    lines = (
        *(_run(0, 32), _ring(33, 41), _ring(42, 50), _run(51, 54), _run(55, 59)),
        *(_ring(60, 67), _ring(68, 75), _ring(76, 87), _ring(88, 95)),
    )
    return _scheme("face98", "face", points, parts, lines)


def _face19() -> Scheme:
    """AFLW (Koestinger et al., ICCVW 2011) without ears, as Zhu et al. (CCL, CVPR 2016) count."""
    points = [
        *_both(["brow_outer", "brow_middle", "brow_inner"]),
        *_both(["eye_outer", "eye_middle", "eye_inner"]),
        *("right_nostril", "nose_tip", "left_nostril"),
        *("right_mouth_corner", "mouth_middle", "left_mouth_corner", "chin"),
    ]
    parts = {
        "right_brow": _run(0, 2),
        "left_brow": _run(3, 5),
        "right_eye": _run(6, 8),
        "left_eye": _run(9, 11),
        "nose": _run(12, 14),
        "mouth": _run(15, 17),
        "jaw": (18,),
    }
    lines = tuple(part for part in parts.values() if len(part) > 1)
    return _scheme("face19", "face", points, parts, lines)


def _face29() -> Scheme:
    """COFW (Burgos-Artizzu et al., ICCV 2013)."""
    points = [
        *_sides("brow_outer", "brow_inner"),
        *("right_brow_upper", "right_brow_lower", "left_brow_upper", "left_brow_lower"),
        *_sides("eye_outer", "eye_inner"),
        *("right_eye_upper", "right_eye_lower", "left_eye_upper", "left_eye_lower"),
        *_sides("pupil", "nostril"),
        *("nose_tip", "nose_base", "right_mouth_corner", "left_mouth_corner"),
        *("upper_lip_top", "upper_lip_bottom", "lower_lip_top", "lower_lip_bottom", "chin"),
    ]
    parts = {
        "right_brow": (0, 4, 2, 5),
        "left_brow": (1, 6, 3, 7),
        "right_eye": (8, 12, 10, 13),
        "left_eye": (9, 14, 11, 15),
        "pupils": (16, 17),
        "nose": _run(18, 21),
        "mouth": _run(22, 27),
        "jaw": (28,),
    }
    rings = tuple((*parts[name], parts[name][0]) for name in list(parts)[:4])
    lines = (*rings, (18, 20, 19, 21, 18), (22, 24, 23, 27, 22), (22, 25, 23, 26, 22))
    return _scheme("face29", "face", points, parts, lines)


def _face34() -> Scheme:
    """AFLW-PIFA (Jourabloo & Liu, ICCV 2015), whose files number the points only."""
    points = tuple(f"point_{number}" for number in range(1, 35))
    return Scheme("face34", "face", points, {}, (), ())


_ARMS_AND_LEGS = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")


def _pose(name: str, points: Sequence[str], *lines: str) -> Scheme:
    """A scheme of joints; each line is their names, with spaces between them."""
    place = {point: index for index, point in enumerate(points)}
    parts = {
        f"{side}_{part}": tuple(place[f"{side}_{joint}"] for joint in joints)
        for side in ("right", "left")
        for part, joints in (("leg", ("hip", "knee", "ankle")), ("arm", _ARMS_AND_LEGS[:2:-1]))
    }
    drawn = tuple(tuple(place[joint] for joint in line.split()) for line in lines)
    return _scheme(name, "person", points, parts, (*parts.values(), *drawn))


_PAIRS_OF_COCO = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LEGS = _both(("ankle", "knee", "hip"))
_ARMS = _both(("wrist", "elbow", "shoulder"))

SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        _face68(),
        _face98(),
        _face34(),
        _face29(),
        _face19(),
        # LSP (Johnson & Everingham, BMVC 2010).
        _pose(
            "pose14",
            [*_LEGS, *_ARMS, "neck", "head_top"],
            "head_top neck",
            "right_shoulder neck left_shoulder left_hip right_hip right_shoulder",
        ),
        # MPII (Andriluka et al., CVPR 2014).
        _pose(
            "pose16",
            [*_LEGS, "pelvis", "thorax", "neck", "head_top", *_ARMS],
            "head_top neck thorax pelvis",
            "right_shoulder thorax left_shoulder",
            "right_hip pelvis left_hip",
        ),
        # COCO (Lin et al., ECCV 2014).
        _pose(
            "pose17",
            ["nose"]
            + [f"{side}_{point}" for point in _PAIRS_OF_COCO for side in ("left", "right")],
            "left_ear left_eye nose right_eye right_ear",
            "left_shoulder right_shoulder right_hip left_hip left_shoulder",
        ),
    )
}

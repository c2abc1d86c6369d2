"""How far the targets are apart, as an SVG picture, without a library for it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, LEFT, RIGHT, TOP, STEP, BOTTOM = 760, 160, 24, 66, 34, 40
# What is not a peer keeps its colour whoever takes part.
OWN = {"vault": "#d62728", "vault, 2 processes": "#f08a8a", "bare": "#555555", "honest": "#9a9a9a"}
COLOURS = ("#2ca02c", "#1f77b4", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#bcbd22", "#e377c2")
IN_A_ROW = 5


def drawn(works: Sequence[str], ratios: Mapping[str, Sequence[float | None]]) -> str:
    """Return the picture: a line for each work, on it a dot for each target, where it is beside the floor `bare`.

    `ratios` gives each target's ratios in the order of `works`, None for what was not measured; the vault is
    drawn largest. The scale is logarithmic: from one line to the next it is ten times as many requests.
    """
    found = [ratio for each in ratios.values() for ratio in each if ratio]
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(*found, 1.01)))
    height = TOP + STEP * len(works) + BOTTOM
    others = dict(zip((name for name in ratios if name not in OWN), itertools.cycle(COLOURS)))
    named = {name: OWN.get(name) or others[name] for name in ratios}
    dots = "".join(
        _dot(_across(ratio, low, high), at, named[name], name, ratio)
        for name, each in reversed(list(ratios.items()))
        for at, ratio in enumerate(each)
        if ratio
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12">\n<title>Requests a second beside the floor, '
        f'by kind of work and server</title>\n<rect width="{WIDTH}" height="{height}" rx="8" fill="#f6f8fb"/>\n'
        f"{_legend(named)}{_scale(low, high, height)}{_lines(works)}{dots}</svg>\n"
    )


def _across(ratio: float, low: int, high: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(ratio) - low) / (high - low)


def _down(at: int) -> int:
    return TOP + STEP * at + STEP // 2


def _dot(across: float, at: int, colour: str, name: str, ratio: float) -> str:
    radius = 7 if name == "vault" else 5
    return (
        f'<circle cx="{across:.1f}" cy="{_down(at)}" r="{radius}" fill="{colour}" fill-opacity="0.85">'
        f"<title>{name}: {ratio:.3g} of bare</title></circle>\n"
    )


def _legend(named: Mapping[str, str]) -> str:
    each = (WIDTH - 40) // IN_A_ROW
    return "".join(
        f'<circle cx="{28 + each * (at % IN_A_ROW)}" cy="{18 + 20 * (at // IN_A_ROW)}" r="5" fill="{colour}"/>'
        f'<text x="{40 + each * (at % IN_A_ROW)}" y="{22 + 20 * (at // IN_A_ROW)}" fill="#1d2330">{name}</text>\n'
        for at, (name, colour) in enumerate(named.items())
    )


def _scale(low: int, high: int, height: int) -> str:
    marks = (
        f'<path d="M{_across(10.0**power, low, high):.1f} {TOP}V{height - BOTTOM}" stroke="#ccd3de"/>'
        f'<text x="{_across(10.0**power, low, high):.1f}" y="{height - BOTTOM + 18}" text-anchor="middle" '
        f'fill="#5a6475">{10.0**power:g}</text>\n'
        for power in range(low, high + 1)
    )
    return (
        f'{"".join(marks)}<text x="{WIDTH - RIGHT}" y="{height - 6}" text-anchor="end" fill="#5a6475">'
        f"requests a second, times those of bare: further right is faster</text>\n"
    )


def _lines(works: Sequence[str]) -> str:
    return "".join(
        f'<text x="{LEFT - 12}" y="{_down(at) + 4}" text-anchor="end" fill="#1d2330">{work}</text>'
        f'<path d="M{LEFT} {_down(at)}H{WIDTH - RIGHT}" stroke="#e3e8f0"/>\n'
        for at, work in enumerate(works)
    )

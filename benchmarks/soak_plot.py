"""Two lines over time as an SVG picture, without a library for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 760, 200
LEFT, TOP, RIGHT, BOTTOM = 60, 30, 20, 30


def drawn(seconds: Sequence[float], memory_mb: Sequence[float], descriptors: Sequence[float]) -> str:
    """Return the picture: memory above, descriptors below, both from zero on, minutes from left to right."""
    panels = (
        _panel(seconds, memory_mb, "memory of all processes (sum of RSS), MiB", "#1f77b4", 0),
        _panel(seconds, descriptors, "open descriptors of all processes", "#d62728", HEIGHT),
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {2 * HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>{"".join(panels)}</svg>\n'
    )


def _panel(seconds: Sequence[float], values: Sequence[float], title: str, colour: str, down: int) -> str:
    most, last = max(values) * 1.15 or 1.0, max(seconds) or 1.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    base = down + TOP + height
    points = " ".join(
        f"{LEFT + width * x / last:.1f},{base - height * y / most:.1f}" for x, y in zip(seconds, values, strict=True)
    )
    marks = "".join(
        f'<text x="{LEFT - 6}" y="{base - height * part / 4 + 4:.0f}" text-anchor="end">{most * part / 4:.0f}</text>'
        f'<path d="M{LEFT} {base - height * part / 4:.0f}h{width}" stroke="#ddd"/>'
        for part in range(5)
    )
    times = "".join(
        f'<text x="{LEFT + width * part / 6:.0f}" y="{base + 16}" text-anchor="middle">{last * part / 360:.0f}</text>'
        for part in range(7)
    )
    return (
        f'{marks}{times}<text x="{LEFT}" y="{down + TOP - 10}" font-weight="bold">{title}</text>'
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="{points}"/>'
    )

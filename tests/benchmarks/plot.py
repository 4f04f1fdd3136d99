"""A line chart with two logarithmic axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float | None]]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _RIGHT, _TOP = 900, 520, 70, 50, 290, 20
_COLOURS = (
    "#d62728", "#9467bd", "#7f7f7f", "#1f77b4", "#17becf", "#2ca02c", "#8c564b", "#e377c2",
    "#bcbd22", "#ff7f0e", "#aec7e8", "#98df8a",
)  # fmt: skip


class _Axis:
    """Maps values to pixels, from one power of ten to another."""

    def __init__(self, values: Sequence[float], start: int, end: int) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + 1)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        part = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + part * (self._end - self._start)

    def ticks(self) -> Iterator[float]:
        return (10.0**power for power in range(self._low, self._high + 1))


def plot(lines: Mapping[str, Points], *, across: str, up: str) -> str:
    """Draw each line with its name beside its end; a missing value leaves a gap out."""
    known = {name: [(x, y) for x, y in points if y] for name, points in lines.items()}
    known = {name: points for name, points in known.items() if points}
    every = [point for points in known.values() for point in points]
    x_axis = _Axis([x for x, _ in every], _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis([y for _, y in every], _HEIGHT - _BOTTOM, _TOP)
    body = [*_grid(x_axis, y_axis, across, up), *_lines(known, x_axis, y_axis)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _grid(x_axis: _Axis, y_axis: _Axis, across: str, up: str) -> Iterator[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for value in x_axis.ticks():
        x = x_axis(value)
        yield f'<path d="M{x:.0f} {_TOP}V{bottom}" stroke="#ddd"/>'
        yield f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
    for value in y_axis.ticks():
        y = y_axis(value)
        yield f'<path d="M{_LEFT} {y:.0f}H{right}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{value:g}</text>'
    middle = (_LEFT + right) // 2
    yield f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>'
    yield f'<text transform="translate(14 {_HEIGHT // 2}) rotate(-90)">{escape(up)}</text>'


def _lines(known: Mapping[str, Points], x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    ends = sorted(known, key=lambda name: -(known[name][-1][1] or 0))
    for number, (name, points) in enumerate(known.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = " ".join(f"{x_axis(x):.1f},{y_axis(y):.1f}" for x, y in points if y)
        yield f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'
        label = _TOP + 12 + ends.index(name) * 20
        yield (
            f'<text x="{_WIDTH - _RIGHT + 12}" y="{label}" fill="{colour}">{escape(name)}</text>'
        )

"""A line chart on two logarithmic axes, or two linear ones, as SVG text. No dependency, no script."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 760
HEIGHT: Final = 420
LEFT: Final = 64
RIGHT: Final = 190
TOP: Final = 44
BOTTOM: Final = 48
LABEL_GAP: Final = 16
"""Pixels between the baselines of two labels at least."""

LINEAR_TICKS: Final = 8
"""Ticks of a linear axis at most, without the one at 0."""

_STYLE: Final = """\
text { font: 12px system-ui, sans-serif; fill: #555; }
.title { font-size: 15px; font-weight: 600; fill: #222; }
.grid { stroke: #8884; stroke-width: 1; }
.axis { stroke: #888; stroke-width: 1; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.dashed { stroke-dasharray: 5 4; }
.s0 { stroke: #1f6fd1; } .s1 { stroke: #c2550a; } .s2 { stroke: #6b7280; }
circle.s0 { fill: #1f6fd1; } circle.s1 { fill: #c2550a; } circle.s2 { fill: #6b7280; }
.t0 { fill: #1f6fd1; } .t1 { fill: #c2550a; } .t2 { fill: #6b7280; }
@media (prefers-color-scheme: dark) {
  text { fill: #aaa; } .title { fill: #eee; }
  .s0 { stroke: #6aa9f4; } .s1 { stroke: #f0924c; } .s2 { stroke: #9ca3af; }
  circle.s0 { fill: #6aa9f4; } circle.s1 { fill: #f0924c; } circle.s2 { fill: #9ca3af; }
  .t0 { fill: #6aa9f4; } .t1 { fill: #f0924c; } .t2 { fill: #9ca3af; }
}"""


@dataclass(frozen=True, slots=True)
class Series:
    """`points` are (x, y), both above 0 on logarithmic axes; `hue` is a server or a measure, `dashed` tells two lines
    of one apart.
    """

    name: str
    points: Sequence[tuple[float, float]]
    hue: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic scale from the data's range, widened to ticks of 1, 2 and 5 times a power of ten."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "Axis":
        ticks = list(_ticks(min(values), max(values)))
        return cls(ticks[0], ticks[-1], start, end)

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return list(_ticks(self.low, self.high))


@dataclass(frozen=True, slots=True)
class LinearAxis:
    """A linear scale from 0 to the first tick that is not below the data."""

    step: float
    count: int
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "LinearAxis":
        """Ticks of 1, 2 or 5 times a power of ten, LINEAR_TICKS of them at most."""
        high = max(*values, 1e-9)
        power = 10.0 ** math.floor(math.log10(high / LINEAR_TICKS))
        step = next(step for factor in (1, 2, 5, 10) if (step := factor * power) * LINEAR_TICKS >= high)
        return cls(step, math.ceil(high / step - 1e-9), start, end)

    def at(self, value: float) -> float:
        return self.start + value / (self.step * self.count) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return [self.step * number for number in range(self.count + 1)]


def _ticks(low: float, high: float) -> Iterator[float]:
    """From the last tick that is not above `low` to the first that is not below `high`."""
    steps = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        for factor in (1, 2, 5)
    ]
    first = max(step for step in steps if step <= low * 1.0001)
    last = min(step for step in steps if step >= high * 0.9999 and step > first)
    yield from (step for step in steps if first <= step <= last)


AnyAxis = Axis | LinearAxis


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Chart:
    """Each line is labelled at its end, in its own colour. Linear axes are for measures by the second: without dots."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    is_linear: bool = False

    def draw(self) -> str:
        xs = [x for one in self.series for x, _ in one.points]
        ys = [y for one in self.series for _, y in one.points]
        kind = LinearAxis if self.is_linear else Axis
        x_axis = kind.over(xs, LEFT, WIDTH - RIGHT)
        y_axis = kind.over(ys, HEIGHT - BOTTOM, TOP)
        body = [*self._frame(x_axis, y_axis), *self._lines(x_axis, y_axis), *self._labels(x_axis, y_axis)]
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        title = f"<title>{escape(self.title)}</title>"
        return "\n".join([head, title, f"<style>{_STYLE}</style>", *body, "</svg>"]) + "\n"

    def _frame(self, x_axis: AnyAxis, y_axis: AnyAxis) -> Iterator[str]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        yield f'<text class="title" x="{LEFT}" y="20">{escape(self.title)}</text>'
        for tick in y_axis.ticks:
            y = y_axis.at(tick)
            yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(tick)}</text>'
        for tick in x_axis.ticks:
            x = x_axis.at(tick)
            yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{_short(tick)}</text>'
        yield f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
        yield f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x_label)}</text>'
        yield f'<text x="{LEFT - 8}" y="{TOP - 10}" text-anchor="start">{escape(self.y_label)}</text>'

    def _lines(self, x_axis: AnyAxis, y_axis: AnyAxis) -> Iterator[str]:
        for one in self.series:
            places = [(x_axis.at(x), y_axis.at(y)) for x, y in one.points]
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline class="s{one.hue}{" dashed" if one.dashed else ""}" points="{joined}"/>'
            for x, y in places if not self.is_linear else ():
                yield f'<circle class="s{one.hue}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'

    def _labels(self, x_axis: AnyAxis, y_axis: AnyAxis) -> Iterator[str]:
        """At the lines' ends, pushed down where lines end close together."""
        ends = sorted(
            ((y_axis.at(one.points[-1][1]) + 4, x_axis.at(one.points[-1][0]) + 8, one) for one in self.series),
            key=lambda end: end[:2],
        )
        last_x, lowest = math.inf, -math.inf
        for y, x, one in ends:
            lowest = max(y, lowest + LABEL_GAP) if abs(x - last_x) < RIGHT else y
            last_x = x
            yield f'<text class="t{one.hue}" x="{x:.1f}" y="{lowest:.1f}">{escape(one.name)}</text>'

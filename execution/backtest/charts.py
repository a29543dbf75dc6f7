"""Charts as plain SVG inside HTML: no script, no library, sharp at any width.

The drawing stretches with the page while lines keep their width and labels their size: labels are
HTML beside the drawing, placed in per cent. Everything that comes from outside is a number or is
escaped.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

WIDTH, HEIGHT = 1000.0, 300.0
_TICKS = 4
_MANY = 150  # trades: smaller dots
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name, its class in the style sheet, its values (None leaves a hole)."""

    label: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to the drawing's height."""

    low: float
    high: float

    def y(self, value: float) -> float:
        return HEIGHT * (1.0 - (value - self.low) / (self.high - self.low))

    def percent(self, value: float) -> float:
        return 100.0 * self.y(value) / HEIGHT


def compact(value: float) -> str:
    """Return an amount in few characters: 1.25M, 103.4k, 97.2."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            shown = value / (1e3 if name == "k" else unit)
            return f"{shown:.4g}{name}"
    return f"{value:.5g}"


def percent(value: float) -> str:
    """Return a fraction as per cent."""
    return f"{100.0 * value:.3g} %"


def line_chart(
    time_ms: Sequence[int],
    lines: Sequence[Line],
    *,
    form: Format = compact,
    fill_from: float | None = None,
    marks: str = "",
    bounds: tuple[float, float] | None = None,
) -> str:
    """Return curves over time with a legend.

    Args:
        time_ms: One moment per value.
        lines: Drawn in order, the last on top.
        form: How the value axis is labelled.
        fill_from: Fill between the first line and this value.
        marks: More SVG, drawn on top.
        bounds: Of the value axis; None: what the lines need.
    """
    known = [value for line in lines for value in line.values if value is not None]
    if len(time_ms) < 2 or not known:
        return '<p class="muted">Nothing to draw.</p>'
    scale = _scale(*(bounds or (min(known), max(known))))
    step = WIDTH / (len(time_ms) - 1)
    paths = []
    for number, line in enumerate(lines):
        path = _path(line.values, step, scale)
        if number == 0 and fill_from is not None:
            base = scale.y(min(max(fill_from, scale.low), scale.high))
            area = f"{path} L{WIDTH:.0f} {base:.1f} L0 {base:.1f}Z"
            paths.append(f'<path class="fill {line.style}" d="{area}"/>')
        paths.append(f'<path class="line {line.style}" d="{path}"/>')
    return _figure("".join(paths) + marks, scale, form, _time_labels(time_ms), lines)


def trade_marks(
    time_ms: Sequence[int], prices: Sequence[float], trades: Sequence[dict[str, Any]]
) -> str:
    """Return dots where positions were entered and left, on the scale of ``line_chart``."""
    scale = _scale(min(prices), max(prices))
    begin, span = time_ms[0], max(1, time_ms[-1] - time_ms[0])

    def dot(moment: int, price: float) -> str:
        x = WIDTH * min(max((moment - begin) / span, 0.0), 1.0)
        return f"M{x:.1f} {scale.y(min(max(price, scale.low), scale.high)):.1f}h0"

    entries = "".join(dot(t["opened_ms"], t["entry"]) for t in trades)
    wins = "".join(dot(t["closed_ms"], t["exit"]) for t in trades if t["is_win"])
    losses = "".join(dot(t["closed_ms"], t["exit"]) for t in trades if not t["is_win"])
    dots = "".join(
        f'<path class="dot {style}" d="{path}"/>'
        for style, path in (("entry", entries), ("win", wins), ("loss", losses))
        if path
    )
    return f'<g class="{"many" if len(trades) > _MANY else "few"}">{dots}</g>'


def calibration_chart(rows: Sequence[dict[str, float]]) -> str:
    """Return what happened over what was said, with the band in which chance would put it."""
    said = [row["said"] for row in rows]
    everything = [row[name] for row in rows for name in ("said", "happened", "low", "high")]
    scale = _scale(min(everything), max(everything))

    def x(value: float) -> float:
        return WIDTH * (value - scale.low) / (scale.high - scale.low)

    upper = " ".join(f"{x(row['said']):.1f} {scale.y(row['high']):.1f}" for row in rows)
    lower = " ".join(f"{x(row['said']):.1f} {scale.y(row['low']):.1f}" for row in reversed(rows))
    dots = "".join(f"M{x(row['said']):.1f} {scale.y(row['happened']):.1f}h0" for row in rows)
    drawing = (
        f'<path class="band" d="M{upper} L{lower}Z"/>'
        f'<path class="line guide" d="M{x(said[0]):.1f} {scale.y(said[0]):.1f}'
        f' L{x(said[-1]):.1f} {scale.y(said[-1]):.1f}"/>'
        f'<path class="dot big c1" d="{dots}"/>'
    )
    labels = [(percent(value), 100.0 * x(value) / WIDTH) for value in _ticks(scale)]
    return _figure(drawing, scale, percent, labels, ())


def bar_chart(labels: Sequence[str], values: Sequence[float | None], *, form: Format) -> str:
    """Return upright bars from zero, one per label; a missing value leaves a gap."""
    known = [value for value in values if value is not None]
    if not known:
        return '<p class="muted">Nothing to draw.</p>'
    scale = _scale(min(0.0, *known), max(0.0, *known))
    width = WIDTH / len(values)
    zero = scale.y(0.0)
    bars = []
    for number, value in enumerate(values):
        if value is None:
            continue
        top, bottom = sorted((zero, scale.y(value)))
        style = "up" if value >= 0 else "down"
        bars.append(
            f'<rect class="{style}" x="{number * width + 0.15 * width:.1f}" y="{top:.1f}"'
            f' width="{0.7 * width:.1f}" height="{max(bottom - top, 0.5):.1f}"/>'
        )
    every = max(1, math.ceil(len(labels) / 6))
    shown = [
        (escape(label), 100.0 * (number + 0.5) / len(labels))
        for number, label in enumerate(labels)
        if number % every == 0
    ]
    return _figure("".join(bars), scale, form, shown, ())


def _path(values: Sequence[float | None], step: float, scale: _Scale) -> str:
    parts = []
    is_drawing = False
    for number, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        parts.append(f"{'L' if is_drawing else 'M'}{number * step:.1f} {scale.y(value):.1f}")
        is_drawing = True
    return "".join(parts)


def _figure(
    drawing: str,
    scale: _Scale,
    form: Format,
    labels: Sequence[tuple[str, float]],
    legend: Sequence[Line],
) -> str:
    ticks = [value for value in _ticks(scale) if scale.low <= value <= scale.high]
    grid = "".join(
        f'<path class="grid" d="M0 {scale.y(value):.1f}H{WIDTH:.0f}"/>' for value in ticks
    )
    left = "".join(
        f'<span style="top:{scale.percent(value):.2f}%">{escape(form(value))}</span>'
        for value in ticks
    )
    below = "".join(f'<span style="left:{place:.2f}%">{text}</span>' for text, place in labels)
    names = "".join(f'<span class="{line.style}">{escape(line.label)}</span>' for line in legend)
    key = f'<figcaption class="legend">{names}</figcaption>' if names else ""
    return (
        f'<figure class="plot">{key}<div class="frame"><div class="y">{left}</div>'
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none"'
        f' role="img" aria-hidden="true">{grid}{drawing}</svg></div>'
        f'<div class="x">{below}</div></figure>'
    )


def _scale(low: float, high: float) -> _Scale:
    if high - low <= 1e-12 * max(abs(high), 1.0):
        pad = max(abs(high) * 0.01, 1e-6)
    else:
        pad = 0.04 * (high - low)
    return _Scale(low - pad, high + pad)


def _ticks(scale: _Scale) -> list[float]:
    """Return round values that lie on the scale."""
    rough = (scale.high - scale.low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1.0, 2.0, 2.5, 5.0, 10.0) if f * power >= rough)
    first = math.ceil(scale.low / step)
    last = math.floor(scale.high / step)
    return [number * step for number in range(first, last + 1)]


def _time_labels(time_ms: Sequence[int]) -> list[tuple[str, float]]:
    begin, end = time_ms[0], time_ms[-1]
    days = (end - begin) / 86_400_000
    form = "%b %Y" if days > 120 else "%d %b" if days > 3 else "%d %b %H:%M"
    found = []
    for number in range(5):
        place = (number + 0.5) / 5
        moment = time_ms[round(place * (len(time_ms) - 1))]
        text = datetime.fromtimestamp(moment / 1000, UTC).strftime(form)
        found.append((text, 100.0 * place))
    return found

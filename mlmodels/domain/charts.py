"""Plots as SVG text: no script, no file, nothing from outside; drawn in the page's own colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 460, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 26

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, or its points.

    Attributes:
        label: In the legend.
        points: (x, y), ascending in x.
        color: Any CSS color.
        is_dashed: For what is expected rather than measured.
        has_dots: Show the points themselves.
    """

    label: str
    points: Sequence[Point]
    color: str
    is_dashed: bool = False
    has_dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines over a common scale.

    Attributes:
        title: What is plotted, for people who cannot see it as well.
        lines: At least one with points, else nothing is drawn.
        band: (low, high) in y that is as it should be.
        x_labels: Texts at the left and right end.
        y_format: Of the scale's numbers.
        y_range: Shown at least; the data may widen it.
    """

    title: str
    lines: Sequence[Line]
    band: tuple[float, float] | None = None
    x_labels: tuple[str, str] = ("", "")
    y_format: str = ".2f"
    y_range: tuple[float, float] | None = None

    def svg(self) -> str:
        """Return the drawing; empty when there is nothing to draw."""
        points = [point for line in self.lines for point in line.points]
        if not points:
            return ""
        frame = _Frame.around(points, self.band, self.y_range)
        parts = [
            (
                f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}" '
                'xmlns="http://www.w3.org/2000/svg" style="width:100%;height:auto">'
            )
        ]
        if self.band:
            top, bottom = frame.y(self.band[1]), frame.y(self.band[0])
            parts.append(
                f'<rect x="{_LEFT}" y="{top:.1f}" width="{WIDTH - _LEFT - _RIGHT}" '
                f'height="{bottom - top:.1f}" fill="#16a34a" fill-opacity="0.14"/>'
            )
        parts += [_grid(frame, number, self.y_format) for number in frame.ticks()]
        parts += [_draw(line, frame) for line in self.lines if line.points]
        for text, x, anchor in (
            (self.x_labels[0], _LEFT, "start"),
            (self.x_labels[1], WIDTH - _RIGHT, "end"),
        ):
            parts.append(_text(x, HEIGHT - 8, text, anchor))
        return "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Horizontal bars, against a mark at 1 where the mark has a name.

    Attributes:
        title: What is drawn.
        bars: (label, length), length 1 at the mark.
        mark: What lies at 1; empty: the longest bar is as long as there is room.
    """

    title: str
    bars: Sequence[tuple[str, float]] = field(default_factory=tuple)
    mark: str = ""

    def svg(self) -> str:
        """Return the drawing; empty when there is nothing to draw."""
        if not self.bars:
            return ""
        height = 22 * len(self.bars) + 24
        lengths = [length for _, length in self.bars]
        scale = (WIDTH - 190) / max(1.5 if self.mark else 1e-9, *lengths, 1e-9)
        parts = [
            (
                f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(self.title)}" '
                'xmlns="http://www.w3.org/2000/svg" style="width:100%;height:auto">'
            )
        ]
        for place, (label, length) in enumerate(self.bars):
            y = 22 * place + 4
            color = "#dc2626" if self.mark and length > 1 else "#2563eb"
            parts.append(_text(150, y + 12, label, "end"))
            parts.append(
                f'<rect x="156" y="{y}" width="{max(1.0, length * scale):.1f}" height="14" '
                f'fill="{color}"/>'
            )
        if self.mark:
            mark = 156 + scale
            parts.append(
                f'<line x1="{mark:.1f}" x2="{mark:.1f}" y1="0" y2="{height - 18}" '
                'stroke="currentColor" stroke-dasharray="3 3"/>'
            )
            parts.append(_text(mark, height - 4, self.mark, "middle"))
        return "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True)
class _Frame:
    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(
        cls,
        points: Sequence[Point],
        band: tuple[float, float] | None,
        y_range: tuple[float, float] | None,
    ) -> "_Frame":
        ys = [y for _, y in points] + list(band or ()) + list(y_range or ())
        xs = [x for x, _ in points]
        low, high = min(ys), max(ys)
        slack = 0.08 * (high - low) or 0.5
        right = max(xs)
        return cls(min(xs), right if right > min(xs) else right + 1.0, low - slack, high + slack)

    def x(self, number: float) -> float:
        share = (number - self.left) / (self.right - self.left)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, number: float) -> float:
        share = (number - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def ticks(self) -> list[float]:
        return [self.low + (self.high - self.low) * step / 4 for step in range(5)]


def _grid(frame: _Frame, number: float, form: str) -> str:
    y = frame.y(number)
    return (
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
        'stroke="currentColor" stroke-opacity="0.12"/>'
    ) + _text(_LEFT - 6, y + 4, format(number, form), "end")


def _draw(line: Line, frame: _Frame) -> str:
    placed = [(frame.x(x), frame.y(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dash = ' stroke-dasharray="5 4"' if line.is_dashed else ""
    drawn = f'<polyline points="{path}" fill="none" stroke="{line.color}" stroke-width="2"{dash}/>'
    if line.has_dots or len(placed) == 1:
        drawn += "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{line.color}"/>' for x, y in placed
        )
    return drawn


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" '
        f'fill="currentColor" fill-opacity="0.75">{escape(text)}</text>'
    )

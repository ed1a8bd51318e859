"""Charts as SVG: bars, and a line over time. No script; what they show is also in a table or in their text."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

_WIDTH, _ROW, _LABEL = 880, 28, 260
_HEIGHT, _LEFT, _BOTTOM, _TOP = 260, 80, 40, 16


def bars(rows: Sequence[tuple[str, int]], whole: int, title: str) -> str:
    """A bar for each name, as a share of the whole, with its number behind it."""
    room = _WIDTH - _LABEL - 150
    parts = []
    for at, (name, count) in enumerate(rows):
        width, y = room * count / whole if whole else 0, at * _ROW
        share = f"{count:,} ({count / whole:.1%})" if whole else f"{count:,}"
        parts.append(
            f'<text x="{_LABEL - 10}" y="{y + 18}" text-anchor="end">{escape(name)}</text>'
            f'<rect fill="#3b6fd4" x="{_LABEL}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" rx="3"/>'
            f'<text x="{_LABEL + width + 8:.1f}" y="{y + 18}">{share}</text>'
        )
    return _svg(len(rows) * _ROW, title, "".join(parts))


def line(points: Sequence[tuple[datetime, int]], title: str) -> str:
    """A number over time, in steps, as it stays until it changes."""
    if not points:
        return _svg(_ROW, title, '<text x="0" y="18">–</text>')
    first, last = points[0][0], points[-1][0]
    span, most = max((last - first).total_seconds(), 1.0), max(max(count for _, count in points), 1)
    room, height = _WIDTH - _LEFT - 20, _HEIGHT - _BOTTOM - _TOP

    def place(at: datetime, count: int) -> tuple[float, float]:
        return _LEFT + room * (at - first).total_seconds() / span, _TOP + height * (1 - count / most)

    steps, before = list[str](), None
    for at, count in points:
        x, y = place(at, count)
        steps += [f"{x:.1f},{before:.1f}"] if before is not None else []
        steps.append(f"{x:.1f},{y:.1f}")
        before = y
    if len(points) == 1:  # it is so from then on
        steps.append(f"{_LEFT + room:.1f},{before:.1f}")
    grid = "".join(
        f'<line stroke="#e2e5ea" x1="{_LEFT}" x2="{_LEFT + room}" y1="{place(first, value)[1]:.1f}" '
        f'y2="{place(first, value)[1]:.1f}"/><text x="{_LEFT - 8}" y="{place(first, value)[1] + 4:.1f}" '
        f'text-anchor="end">{value:,}</text>'
        for value in sorted({0, most // 2, most})
    )
    ends = (
        f'<text x="{_LEFT}" y="{_HEIGHT - 12}">{first:%Y-%m-%d}</text>'
        f'<text x="{_LEFT + room}" y="{_HEIGHT - 12}" text-anchor="end">{last:%Y-%m-%d}</text>'
    )
    return _svg(
        _HEIGHT,
        title,
        f'{grid}<polyline fill="none" stroke="#3b6fd4" stroke-width="2" points="{" ".join(steps)}"/>{ends}',
    )


def _svg(height: int, title: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {max(height, 1)}" '
        f'width="{_WIDTH}" height="{max(height, 1)}" font-family="sans-serif" font-size="13" fill="#475063">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )

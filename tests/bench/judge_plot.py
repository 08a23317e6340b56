"""The plot of docs/verification.md as SVG, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WIDTH, HEIGHT, LEFT, TOP = 420, 240, 44, 34
COLOURS = ("#0b6e4f", "#c1121f", "#e07a5f", "#3d5a80", "#98a6b5")

Curve = tuple[str, Sequence[float], Sequence[float]]
"""A method's name, and the share of rollouts that it failed by each minute: with harm, and without."""


def plot(curves: Sequence[Curve], minutes: float) -> str:
    """Two panels side by side: how many harmful, and how many harmless rollouts were failed by each minute."""
    whole = 2 * (WIDTH + LEFT) + 30
    panels = [
        *_panel(0, "errors 1% → 2%: failed (more is better)", [(name, harm) for name, harm, _ in curves], minutes),
        *_panel(WIDTH + LEFT + 20, "no harm: failed (less is better)", [(name, ok) for name, _, ok in curves], minutes),
        *_legend([name for name, _, _ in curves]),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {HEIGHT + TOP + 70}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(x: int, title: str, curves: Sequence[tuple[str, Sequence[float]]], minutes: float) -> Iterator[str]:
    left, bottom = x + LEFT, TOP + HEIGHT
    yield f'<text x="{left}" y="{TOP - 12}" font-weight="bold">{title}</text>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - share * HEIGHT
        yield f'<line x1="{left}" y1="{y:.0f}" x2="{left + WIDTH - 20}" y2="{y:.0f}" stroke="#ddd"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>'
    for minute in range(0, round(minutes) + 1, 15):
        at = left + minute / minutes * (WIDTH - 20)
        yield f'<text x="{at:.0f}" y="{bottom + 18}" text-anchor="middle">{minute} min</text>'
    for (_, curve), colour in zip(curves, COLOURS, strict=True):
        points = " ".join(
            f"{left + place / (len(curve) - 1) * (WIDTH - 20):.1f},{bottom - one * HEIGHT:.1f}"
            for place, one in enumerate(curve)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    for place, (name, colour) in enumerate(zip(names, COLOURS, strict=True)):
        x, y = LEFT + place % 3 * 300, TOP + HEIGHT + 40 + place // 3 * 18
        yield f'<rect x="{x}" y="{y - 9}" width="18" height="4" fill="{colour}"/>'
        yield f'<text x="{x + 24}" y="{y - 2}">{name}</text>'

"""Plots against density as SVG, readable on light and dark pages: of speed, panels side by side with both axes logarithmic, and of accuracy."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, GAP = 960, 440, 52, 24, 92, 56, 56
# Told apart without colour too: each line has its own marker and dashes.
DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2"]
# Plain colours first, for viewers that know no media queries; no variables, which some do not know either.
LIGHT = {"page": "#ffffff", "text": "#24292f", "quiet": "#57606a", "grid": "#d0d7de",
         "lines": ["#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989"]}
DARK = {"page": "#0d1117", "text": "#e6edf3", "quiet": "#9198a1", "grid": "#30363d",
        "lines": ["#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#ff7bc0"]}


def colours(theme):
    lines = "".join(f".c{i} {{ stroke: {c}; fill: {c}; }} " for i, c in enumerate(theme["lines"]))
    return (f".page {{ fill: {theme['page']}; }} .grid {{ stroke: {theme['grid']}; }} .one {{ stroke: {theme['quiet']}; }} "
            f"text {{ fill: {theme['quiet']}; }} .title, .name {{ fill: {theme['text']}; }} {lines}")


STYLE = f"""
{colours(LIGHT)}
@media (prefers-color-scheme: dark) {{ {colours(DARK)} }}
text {{ font: 13px system-ui, sans-serif; }} .title {{ font-size: 17px; }} .one {{ stroke-width: 1.5; }}
polyline {{ stroke-width: 2; }} .end {{ text-anchor: end; }} .middle {{ text-anchor: middle; }}
"""


def marker(kind, x, y):
    """Circle, square, triangle, diamond or cross bar, about 8 units wide."""
    if kind % 5 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    shapes = {1: [(-4, -4), (4, -4), (4, 4), (-4, 4)], 2: [(0, -5), (5, 4), (-5, 4)], 3: [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
              4: [(-5, -4), (5, -4), (0, 5)]}[kind % 5]
    return f'<polygon points="{" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in shapes)}"/>'


def draw(title, panels):
    """panels: {panel name: {line name: [(density, ratio), ...]}}, densities and ratios above 0."""
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    points = [p for lines in panels.values() for line in lines.values() for p in line]
    lowest = min(d for d, _ in points)
    low = min(0, math.floor(math.log2(min(r for _, r in points))))
    high = max(1, math.ceil(math.log2(max(r for _, r in points))))
    width = (WIDTH - LEFT - RIGHT - GAP * (len(panels) - 1)) / len(panels)
    floor = HEIGHT - BOTTOM

    def row(ratio):
        return floor - (math.log2(ratio) - low) / (high - low) * (floor - TOP)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
           f"<title>{escape(title)}</title><style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
           f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>', legend(names)]
    for i, (panel, lines) in enumerate(panels.items()):
        left = LEFT + i * (width + GAP)
        span = math.log(1 / lowest) or 1

        def column(density, left=left, span=span):
            return left + 8 + math.log(1 / density) / span * (width - 16)

        out.append(f'<text class="name" x="{left:.1f}" y="{TOP - 12}">{escape(panel)}</text>')
        for power in range(low, high + 1):
            y = row(2.0 ** power)
            kind = "one" if power == 0 else "grid"
            out.append(f'<line class="{kind}" x1="{left:.1f}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
                       f'<text class="end" x="{left - 8:.1f}" y="{y + 4:.1f}">{2.0 ** power:g}x</text>')
        for density in (d for d in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001) if d >= lowest * 0.999):
            x = column(density)
            out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>'
                       f'<text class="middle" x="{x:.1f}" y="{floor + 20}">{100 * (1 - density):.4g} %</text>')
        out.append(f'<text class="middle" x="{left + width / 2:.1f}" y="{floor + 42}">sparsity</text>')
        for name, line in lines.items():
            out.append(curve(names.index(name), [(column(d), row(r)) for d, r in sorted(line, reverse=True)]))
    return "\n".join([*out, "</svg>"]) + "\n"


def draw_accuracy(title, lines):
    """lines: {line name: [(density, accuracy in %), ...]}, densities above 0; one point of density 1 alone is a level to compare with."""
    points = [p for line in lines.values() for p in line]
    lowest = min(min(d for d, _ in points), 0.5)
    low, high = 10 * math.floor(min(a for _, a in points) / 10), 10 * math.ceil(max(a for _, a in points) / 10 + 1e-9)
    step = 10 if high - low > 20 else 2
    # The names take a row each, whatever their number.
    height = max(HEIGHT, 64 + 20 * len(lines) + BOTTOM)
    right, floor, top = WIDTH - RIGHT - 150, height - BOTTOM, 56

    def row(accuracy):
        return floor - (accuracy - low) / (high - low) * (floor - top)

    def column(density):
        return LEFT + 8 + math.log(1 / density) / math.log(1 / lowest) * (right - LEFT - 16)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
           f"<title>{escape(title)}</title><style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{height}"/>',
           f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>']
    for accuracy in range(low, high + 1, step):
        y = row(accuracy)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/><text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{accuracy} %</text>')
    for density in (d for d in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001) if d >= lowest * 0.999):
        x = column(density)
        out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}"/>'
                   f'<text class="middle" x="{x:.1f}" y="{floor + 20}">{100 * (1 - density):.4g} %</text>')
    out.append(f'<text class="middle" x="{(LEFT + right) / 2:.1f}" y="{floor + 42}">sparsity</text>')
    for kind, (name, line) in enumerate(lines.items()):
        at = top + 8 + 20 * kind
        if len(line) == 1 and line[0][0] == 1:
            out.append(f'<line class="one" x1="{LEFT}" x2="{right}" y1="{row(line[0][1]):.1f}" y2="{row(line[0][1]):.1f}"/>'
                       f'<line class="one" x1="{right + 14}" x2="{right + 48}" y1="{at}" y2="{at}"/>')
        else:
            out.append(curve(kind, [(column(d), row(a)) for d, a in sorted(line, reverse=True)]) + curve(kind, [(right + 14, at), (right + 48, at)]))
        out.append(f'<text class="name" x="{right + 58}" y="{at + 4}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def curve(kind, points):
    # From the sixth on, a colour comes back with another marker and other dashes.
    shape = (kind + kind // 5) % 5
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    colour = f"c{kind % 5}"
    dashes = f' stroke-dasharray="{DASHES[shape]}"' if DASHES[shape] else ""
    return (f'<polyline class="{colour}" style="fill: none"{dashes} points="{path}"/>'
            f'<g class="{colour}" style="stroke: none">{"".join(marker(shape, x, y) for x, y in points)}</g>')


def legend(names):
    out, x = [], LEFT
    for kind, name in enumerate(names):
        out.append(curve(kind, [(x, 52), (x + 34, 52)]) + f'<text class="name" x="{x + 44}" y="56">{escape(name)}</text>')
        x += 62 + 8 * len(name)
    return "".join(out)

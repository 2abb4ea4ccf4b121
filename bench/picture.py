"""Hone's time over the best peer's, a bar a cell, as an SVG."""
from xml.sax.saxutils import escape

ROW, LABEL, WIDTH = 18, 220, 360  # pixels
LONGEST = 1.5  # the ratio at which a bar ends


def draw(rows, path):
    height = ROW * (len(rows) + 2)
    unit = WIDTH / LONGEST
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + WIDTH + 90}" height="{height}" '
             f'font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="white"/>']
    for i, row in enumerate(rows):
        y = ROW * (i + 1)
        length = min(row["ratio"], LONGEST) * unit
        colour = "#2a7f62" if row["ratio"] <= 1 else "#b5533c"
        label = f"{row['cell']}, {row['threads']} threads"
        parts += [f'<text x="{LABEL - 6}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
                  f'<rect x="{LABEL}" y="{y + 2}" width="{length:.1f}" height="{ROW - 5}" fill="{colour}"/>',
                  f'<text x="{LABEL + length + 4:.1f}" y="{y + 12}">{row["ratio"]:.2f} {escape(row["peer"])}</text>']
    x = LABEL + unit
    parts += [f'<line x1="{x}" y1="4" x2="{x}" y2="{height - 6}" stroke="black" stroke-dasharray="3 3"/>',
              f'<text x="{x}" y="{height - 6}" text-anchor="middle">1.0: the best peer</text>', "</svg>"]
    path.write_text("\n".join(parts) + "\n")

"""The tables of a bench run: a line a peer as it goes, the cells against their best peer at the end."""
import math
import pathlib
import statistics

HEADER = "| cell | threads | hone ms | peer | peer ms | ratio | 90 % interval | error |\n" \
         "|---|---|---|---|---|---|---|---|"
BEGIN, END = "<!-- bench begins -->", "<!-- bench ends -->"


def line_of(row):
    own, other = row["own"], row["other"]
    return f"| {row['cell']} | {row['threads']} | {own['ms']:.2f} | {row['peer']} {other['version']} | " \
           f"{other['ms']:.2f} | {row['ratio']:.3f} | {row['low']:.3f} to {row['high']:.3f} | " \
           f"{own['error']:.1e} |"


def best_peers(rows):
    """Of each cell and thread count the row of the fastest peer, in the order of the run."""
    best = {}
    for row in rows:
        key = row["cell"], row["threads"]
        if key not in best or row["other"]["ms"] < best[key]["other"]["ms"]:
            best[key] = row
    return list(best.values())


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def median_interval(values, confidence=0.9):
    """(median, low, high): the interval between order statistics that holds the true median."""
    values, count = sorted(values), len(values)
    below, rank = 0.0, 0
    while rank < count // 2:
        below += math.comb(count, rank) / 2 ** count
        if below > (1 - confidence) / 2:
            break
        rank += 1
    rank = max(rank, 1)
    return statistics.median(values), values[rank - 1], values[count - rank]


def figure(value, digits, scale=1):
    return "–" if value is None else f"{value * scale:.{digits}f}"


def summary(rows):
    """Every cell against its best peer, with what else a user waits or pays for."""
    lines = ["| cell | threads | hone ms | best peer | ratio | 90 % interval | of peak | p99 ms | peer p99 ms | "
             "hone ready s | peer ready s | hone MB | peer MB |", "|---" * 13 + "|"]
    best = best_peers(rows)
    for row in best:
        own, other = row["own"], row["other"]
        lines.append(f"| {row['cell']} | {row['threads']} | {own['ms']:.2f} | {row['peer']} {other['version']} | "
                     f"{row['ratio']:.3f} | {row['low']:.3f} to {row['high']:.3f} | {figure(own['share'], 2)} | "
                     f"{figure(own['p99'], 2, 1e3)} | {figure(other['p99'], 2, 1e3)} | {own['ready']:.2f} | "
                     f"{other['ready']:.2f} | {own['bytes'] / 1e6:.0f} | {other['bytes'] / 1e6:.0f} |")
    for threads in sorted({row["threads"] for row in best}):
        ratios = [row["ratio"] for row in best if row["threads"] == threads]
        lines.append(f"\nGeometric mean over {len(ratios)} cells, {threads} threads, against the best peer of "
                     f"each: {geometric_mean(ratios):.3f}; {sum(ratio > 1 for ratio in ratios)} above 1.")
    return "\n".join(lines)


def write_page(path, machine, rows):
    """Puts the tables between the page's two marks, and a picture beside the page."""
    import picture

    page = pathlib.Path(path).read_text()
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    chart = pathlib.Path(path).with_suffix(".svg")
    picture.draw(best_peers(rows), chart)
    everything = "\n".join([HEADER, *map(line_of, rows)])
    pathlib.Path(path).write_text(
        f"{before}{BEGIN}\nMachine: {machine}\n\n![ratios]({chart.name})\n\n{summary(rows)}\n\nAll peers:\n\n"
        f"{everything}\n{END}{after}")

"""What became of a graph: TF-TRT's summary and lists, a picture of the graph, and a report of every node."""
from __future__ import annotations

import collections
import html
import sys
from dataclasses import dataclass, field
from typing import Any, Callable

import tensorflow as tf

IDLE_KINDS = ("Const", "Placeholder", "NoOp")
COLUMNS = {"TRTEngineOP Name": .20, "Device": .09, "# Nodes": .05, "# Inputs": .09, "# Outputs": .09,
           "Input DTypes": .12, "Output Dtypes": .12, "Input Shapes": .12, "Output Shapes": .12}


# ---- The converter's summary ----

def _table(surgery):
    """The rows of summary(): one a segment."""
    def shown(values):
        return str([str(v) for v in values]).replace("'", "")

    for segment in surgery.segments:
        yield segment, [
            segment.name, "CPU:0", str(len(segment.nodes)), str(len(segment.inputs)), str(len(segment.outputs)),
            shown(surgery.type_of(e).name for e in segment.inputs),
            shown(surgery.type_of(e).name for e in segment.outputs),
            shown(surgery.shape_of(e) for e in segment.inputs),
            shown(surgery.shape_of(e) for e in segment.outputs)]


def precision_line(segment: Any) -> str:
    """The precision of a segment's engine and what that rests on."""
    if segment.error is None:
        return segment.precision
    kept = f", but {len(segment.kept)} layers in fp32 ({', '.join(segment.kept)})" if segment.kept else ""
    return f"{segment.precision}{kept}, as bf16 products were off by {segment.error:.1e} on {segment.judged_by}"


def print_summary(surgery: Any, line_length: int, detailed: bool, print_fn: Callable[[str], Any]) -> None:
    widths = [int(share * line_length) for share in COLUMNS.values()]

    def line(cells):
        cut = [c if len(c) < w else c[:w - 5] + " ..." for c, w in zip(cells, widths)]
        print_fn("".join(c.ljust(w) for c, w in zip(cut, widths)).rstrip())

    line(COLUMNS)
    print_fn("=" * line_length)
    inside = 0
    for segment, cells in _table(surgery):
        inside += len(segment.nodes)
        line(cells)
        if detailed:
            print_fn("")
            for op, count in sorted(collections.Counter(segment.ops.values()).items()):
                print_fn(f"\t- {op}: {count}x")
            print_fn(f"\tprecision: {precision_line(segment)}")
        print_fn("-" * 40)
    whole = sum(node.op not in IDLE_KINDS for node in surgery.graph_def.node)
    print_fn(f"[*] Total number of TensorRT engines: {len(surgery.segments)}")
    print_fn(f"[*] % of OPs Converted: {100 * inside / max(1, whole):.2f}% [{inside}/{whole}]")


# ---- What stayed native ----

def print_native(surgery: Any, wanted: str) -> None:
    """What stayed native and why: on stderr for a number, else into a file of that name."""
    if not wanted:
        return
    rows = [row for row in surgery.native if row["op"] not in IDLE_KINDS]
    reasons = collections.Counter((row["op"], row["reason"]) for row in rows)
    if not wanted.isdigit():
        with open(wanted, "w", encoding="utf-8") as file:
            file.write("OP Name|Reason|Count\n")
            file.writelines(f"{op}|{reason}|{count}\n" for (op, reason), count in reasons.most_common())
        return
    if wanted == "0":
        return
    ops = collections.Counter(row["op"] for row in rows)
    lines = ["#" * 80, "unsupported/non-converted OP Report:"]
    for op, count in ops.most_common():
        lines.append(f"\t- {op} -> {count}x")
        lines += [f"\t\t- [Count: {n}x] {reason}" for (of, reason), n in reasons.most_common() if of == op]
    lines += ["-" * 80, f"\t- Total nonconverted OPs: {len(rows)}", f"\t- Total nonconverted OP Types: {len(ops)}",
              "#" * 80]
    print("\n".join(lines), file=sys.stderr)


# ---- Pictures ----

def _dot(graph_def, colours):
    yield "digraph hone {\n  node [shape=box, style=filled, fillcolor=white];\n"
    for node in graph_def.node:
        label = f"{node.name}\\n{node.op}".replace('"', "'")
        yield f'  "{node.name}" [label="{label}", fillcolor="{colours(node)}"];\n'
        for source in node.input:
            style = " [style=dashed]" if source.startswith("^") else ""
            yield f'  "{source.lstrip("^").partition(":")[0]}" -> "{node.name}"{style};\n'
    yield "}\n"


def graph_picture(surgery: Any, path: str) -> None:
    """The graph in Graphviz's language, before (segments in colour) and after: path.before.dot, path.after.dot."""
    if not path:
        return
    stem = path[:-4] if path.endswith(".dot") else path
    home = {name: i for i, segment in enumerate(surgery.segments) for name in segment.nodes}
    pale = ("lightblue", "palegreen", "khaki", "pink", "plum", "lightsalmon")
    with open(f"{stem}.before.dot", "w", encoding="utf-8") as file:
        file.writelines(_dot(surgery.graph_def, lambda n: pale[home[n.name] % 6] if n.name in home else "white"))
    with open(f"{stem}.after.dot", "w", encoding="utf-8") as file:
        file.writelines(_dot(surgery.result(), lambda n: "lightblue" if n.op == surgery.engine_op else "white"))


# ---- The report ----

@dataclass
class Row:
    """A node of the model; times are microseconds of one run."""
    node: str
    op: str
    where: str   # "native", or the engine's name
    why: str
    time: Any = None


@dataclass
class Crossing:
    """A tensor on its way into an engine or out of it; it is not copied."""
    engine: str
    tensor: str
    way: str     # "in" or "out"
    dtype: str
    shape: str


@dataclass
class Report:
    """`engines`: name to {"time", "precision", "steps"}: the steps are those of hone.Engine.profile."""
    rows: list[Row]
    crossings: list[Crossing]
    engines: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: str = ""  # whose the inputs were

    def tables(self):
        """(title, header, rows) of each part."""
        def micro(time):
            return "" if time is None else f"{time:.1f}"

        native = sum(row.time or 0 for row in self.rows if row.where == "native")
        inside = sum(engine["time"] or 0 for engine in self.engines.values())
        yield "Whole", ("where", "us", "share"), [
            (where, micro(time), f"{time / max(native + inside, 1e-9):.0%}")
            for where, time in (("in engines", inside), ("native", native))]
        yield "Engines", ("engine", "nodes", "us", "precision"), [
            (name, sum(row.where == name for row in self.rows), micro(e["time"]), e["precision"])
            for name, e in self.engines.items()]
        yield "Steps of engines", ("engine", "nodes of the model", "kernel", "us"), [
            (name, " ".join(step["sources"]), step["kernel"], micro(step["nanoseconds"] / 1e3 / max(1, step["runs"])))
            for name, e in self.engines.items() for step in e["steps"]]
        yield "Crossings", ("engine", "tensor", "way", "type", "shape"), [
            (c.engine, c.tensor, c.way, c.dtype, c.shape) for c in self.crossings]
        yield "Nodes", ("node", "operator", "runs in", "why", "us"), [
            (row.node, row.op, row.where, row.why, micro(row.time)) for row in self.rows]

    def text(self) -> str:
        lines = [f"times on {self.data}"]
        for title, header, rows in self.tables():
            cells = [header, *([str(cell) for cell in row] for row in rows)]
            widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
            lines += ["", title, *("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells)]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        parts = ["<!doctype html><meta charset='utf-8'><title>Hone in TensorFlow</title><style>body{font:14px "
                 "sans-serif}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:2px 8px;"
                 f"text-align:left}}</style><p>Times on {html.escape(self.data)}."]
        for title, header, rows in self.tables():
            parts.append(f"<h2>{title}</h2><table><tr>{''.join(f'<th>{name}</th>' for name in header)}</tr>")
            parts += ["<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
            parts.append("</table>")
        return "\n".join(parts)

    def save(self, path: Any) -> None:
        """As HTML where the name ends so, else as text."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.html() if str(path).endswith((".html", ".htm")) else self.text())


def _traced(graph_def, feeds, outputs):
    """Microseconds of each node in one run after two that warm up."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # nodes keep their names
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        for _ in range(2):
            session.run(outputs, feeds)
        trace = tf.compat.v1.RunMetadata()
        session.run(outputs, feeds, options=options, run_metadata=trace)
    return {stat.node_name: stat.op_end_rel_micros - stat.op_start_rel_micros
            for device in trace.step_stats.dev_stats for stat in device.node_stats}


def _rows(surgery, engines, times):
    """Of a node in an engine the time is that of the step that begins with it; others in that step say so."""
    home = {name: segment for segment in surgery.segments for name in segment.nodes}
    reasons = {row["node"]: row["reason"] for row in surgery.native}
    users = collections.defaultdict(set)
    for node in surgery.graph_def.node:
        for name in node.input:
            users[name.lstrip("^").partition(":")[0]].add(home[node.name].name if node.name in home else "native")
    first, spent = {}, collections.Counter()
    for engine in engines.values():
        for step in engine["steps"]:
            first.update((source, step["sources"][0]) for source in step["sources"] if source not in first)
            spent[step["sources"][0] if step["sources"] else ""] += step["nanoseconds"] / 1e3 / max(1, step["runs"])
    for node in surgery.graph_def.node:
        segment, owners = home.get(node.name), users[node.name]
        if segment:
            leader = first.get(node.name)
            how = "which needs no step" if leader is None else f"in one step with {leader}"
            why = f"one of {len(segment.nodes)} nodes of a segment" + ("" if leader == node.name else f", {how}")
            yield Row(node.name, node.op, segment.name, why, spent[node.name] if leader == node.name else None)
        elif node.op == "Const" and len(owners) == 1 and owners != {"native"}:
            yield Row(node.name, node.op, *owners, "a constant of it")
        else:
            why = reasons.get(node.name, "a constant" if node.op == "Const" else "")
            yield Row(node.name, node.op, "native", why, times.get(node.name))


def make_report(surgery: Any, graph_def: Any, feeds: dict[str, Any], paths: dict[str, Any], outputs: Any,
                data: str) -> Report:
    """Runs the converted graph once, watched. `paths` feeds the engines' files; `outputs` are the fetched tensors."""
    # A session cannot be fed the tables of the second TensorFlow: then the engines' steps alone are timed.
    times = {} if surgery.known.tables else _traced(graph_def, {**feeds, **paths}, outputs)
    crossings, engines = [], {}
    surgery.look([feeds])
    for segment in surgery.segments:
        for way, edges in (("in", segment.inputs), ("out", segment.outputs)):
            crossings += [Crossing(segment.name, f"{edge[0]}:{edge[1]}", way, surgery.type_of(edge).name,
                                   str(surgery.shape_of(edge))) for edge in edges]
        taken = {port.name for port in segment.engine.inputs}
        steps = segment.engine.profile({f"in_{i}": v for i, v in enumerate(surgery.reaching(segment))
                                        if f"in_{i}" in taken})
        engines[segment.name] = {"time": times.get(segment.name), "precision": precision_line(segment), "steps": steps}
    surgery.known.forget()
    return Report(list(_rows(surgery, engines, times)), crossings, engines, data)

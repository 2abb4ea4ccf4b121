"""Whether a model with engines is faster than native as a whole: what crosses, copies and waits is in that time."""
from __future__ import annotations

from typing import Any, Callable, Sequence

import tensorflow as tf

from ._native import import_graph, runner
from ._worth import Times, race

# A converted model stays where its median time is at most this share of native's.
NEVER_SLOWER = 1.02
# What one segment that is all of a model has to win for no race of the whole to be needed: more than this share of
# native's time and what a call of another function may cost, in seconds.
LEAST_GAIN, CALL = 0.1, 500e-6


def is_told(surgery: Any) -> bool:
    """Whether the times of one segment say that the whole is faster: all that computes is in it."""
    idle = {"Const", "Placeholder", "NoOp", "Identity"}
    segment, *others = surgery.segments
    if others or not segment.times or not all(row["op"] in idle for row in surgery.native):
        return False
    least = LEAST_GAIN * segment.native_time + CALL * len(segment.times)
    return bool(segment.native_time - segment.engine_time > least)


def ratio(surgery: Any, calls: list[Callable[..., Any]], items: Sequence[Sequence[Any]], times: Times,
          kind: str = "race") -> float:
    """The median time of a converted model on all items as a share of native's, taking turns; 0 where it does not run
    on them (seeded texts are no pictures). `calls`: native's, then the converted one's; `kind`: of the times."""
    segments = [(s.precision, s.kept, sorted(s.ops.items())) for s in surgery.segments]
    digests = b"".join(surgery.digest(segment) for segment in surgery.segments)
    spent = []
    for inputs in items:
        shapes = [[int(size) for size in value.shape] for value in inputs]
        try:
            spent.append(times.get(f"whole {segments} {shapes}".encode() + digests, kind,
                                   lambda: race(calls, inputs)))
        except tf.errors.OpError:
            return 0.0
    return sum(own for _, own in spent) / sum(native for native, _ in spent)


def leave_what_loses(surgery: Any, share: float) -> bool:
    """Leaves every segment native where the converted model took more than this share of native's time; whether."""
    if share <= NEVER_SLOWER:
        return False
    for segment in list(surgery.segments):
        surgery.drop(segment, f"the model with engines took {share:.2f} of native's time")
    return True


def graph_that_wins(surgery: Any, outputs: Sequence[str], items: Sequence[dict[str, Any]], times: Times) -> Any:
    """The graph of one file, its engines in it; without any where it is slower than native on the items, feeds by
    name."""
    made = surgery.result(embed=True)
    fetches = [name if ":" in name else f"{name}:0" for name in outputs if surgery.known.types.get(name.split(":")[0])]
    if not fetches or not surgery.segments or not surgery.values or is_told(surgery):
        return made
    session = tf.compat.v1.Session(graph=import_graph(made))
    try:
        calls = [_ready(each, fetches, items[0]) for each in (surgery.known.best, session)]
        given = [list(feeds.values()) for feeds in items]
        lost = leave_what_loses(surgery, ratio(surgery, calls, given, times, "graphs"))
    except tf.errors.OpError:  # as one that wants a variable or a table to be there
        lost = False
    finally:
        session.close()
        surgery.known.forget()
    return surgery.result(embed=True) if lost else made


def _ready(session: Any, fetches: Sequence[str], feeds: dict[str, Any]) -> Callable[..., Any]:
    session.run(fetches, feeds)
    return runner(session, fetches, list(feeds))

#!/usr/bin/env python3
"""Run ONNX's conformance cases on Hone and on ONNX Runtime, and say who gets how many right.

Cases are those that the installed `onnx` package generates and those of its released archive (skipped,
and said so, where the archive is absent); the training domain is left out. Each engine runs in forked
workers, so that a crash costs one case and is counted. Right means: every output of the exact type and
shape, values within the tolerance of onnx's own runner.

Exit status 0: every case that Hone has not right is in the list of known gaps, no gap of that list has
closed unnoticed, and Hone has more cases right than ONNX Runtime (where both ran).
"""
import argparse
import collections
import fnmatch
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "bench")]

import cases as case_lists  # noqa: E402
import compare  # noqa: E402
import engines  # noqa: E402
import isolate  # noqa: E402

VERDICTS = ("right", "wrong", "unsupported", "error", "crashed")
KNOWN_GAPS = HERE / "known_gaps.json"


def run_case(engine, case):
    """(verdict, reason) of one case on one engine, in this process."""
    model, data_sets = case.load()
    values = not compare.is_random(case.name, model)
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [port.name for port in model.graph.input if port.name not in weights]
    wanted = [port.name for port in model.graph.output]
    try:
        runner = engines.open_engine(engine, model, threads=1)
        for inputs, outputs in data_sets:
            feeds = dict(zip(names, inputs))
            got = runner.run(feeds)
            for name, want in zip(wanted, outputs):
                if name not in got:
                    return "wrong", f"no output {name}"
                reason = compare.difference(got[name], want, case.rtol, case.atol, values)
                if reason:
                    return "wrong", f"{name}: {reason}"
    except engines.Unsupported as error:
        return "unsupported", str(error)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises is its verdict
        return "error", f"{type(error).__name__}: {error}"
    return "right", ""


def run_engine(engine, cases, batch_size, seconds):
    """[(verdict, reason)] in the order of the cases."""
    results = isolate.run_isolated(lambda case: run_case(engine, case), cases, batch_size, seconds)
    return [("crashed", crash) if crash else (result[0], result[1][:400]) for result, crash in results]


def print_table(engine_names, cases, results):
    suites = list(dict.fromkeys(case.name.split("/")[0] for case in cases))
    print(f"{'suite':<18} {'engine':<10} {'cases':>6} " + " ".join(f"{v:>11}" for v in VERDICTS))
    for suite in suites + ["all"]:
        for engine in engine_names:
            count = collections.Counter(
                result[0] for case, result in zip(cases, results[engine])
                if suite in ("all", case.name.split("/")[0]))
            print(f"{suite:<18} {engine:<10} {sum(count.values()):>6} "
                  + " ".join(f"{count[v]:>11}" for v in VERDICTS))


def gap_reason(gaps, name):
    """The written reason of a known gap, by exact name or pattern; None where there is none."""
    return next((reason for pattern, reason in gaps.items() if fnmatch.fnmatch(name, pattern)), None)


def judge_hone(cases, results, gaps):
    """Print what is not right; the number of cases that are neither right nor a known gap."""
    unexpected = 0
    for case, (verdict, reason) in zip(cases, results):
        known = gap_reason(gaps, case.name)
        if verdict == "right":
            continue
        unexpected += known is None
        print(f"  {case.name}: {verdict}: {' '.join(reason.split())[:200]}"
              + (f" [known: {known}]" if known else ""))
    right = {case.name for case, (verdict, _) in zip(cases, results) if verdict == "right"}
    for pattern in gaps:
        matched = [case.name for case in cases if fnmatch.fnmatch(case.name, pattern)]
        if matched and right.issuperset(matched):
            print(f"  known gap {pattern} is right now: take it off the list")
            unexpected += 1
    return unexpected


def collect(suites, pattern):
    cases = []
    for suite in suites:
        found = [case for case in case_lists.SUITES[suite]() if fnmatch.fnmatch(case.name, pattern)]
        if suite == "archive" and not case_lists.ARCHIVE.exists():
            print(f"SKIPPED the archive's cases: no {case_lists.ARCHIVE}")
        cases += found
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", action="append", choices=list(engines.ENGINES),
                        help="engine to run, may repeat (default: hone and ort)")
    parser.add_argument("--suite", action="append", choices=list(case_lists.SUITES),
                        help="list to run, may repeat (default: both)")
    parser.add_argument("--cases", default="*", help="pattern of suite/name, as generated/test_conv*")
    parser.add_argument("--batch", type=int, default=200, help="cases a worker process")
    parser.add_argument("--seconds", type=float, default=60, help="limit of one case")
    parser.add_argument("--json", type=pathlib.Path, help="write every verdict here")
    parser.add_argument("--gaps", type=pathlib.Path, default=KNOWN_GAPS)
    options = parser.parse_args()
    names = options.engine or [name for name in ("hone", "ort") if engines.installed(name)]

    cases = collect(options.suite or list(case_lists.SUITES), options.cases)
    results = {}
    for engine in names:
        start = time.monotonic()
        results[engine] = run_engine(engine, cases, options.batch, options.seconds)
        print(f"{engine}: {len(cases)} cases in {time.monotonic() - start:.1f} s", flush=True)
    if options.json:
        table = {case.name: {engine: results[engine][i] for engine in names}
                 for i, case in enumerate(cases)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(table, indent=1))

    print_table(names, cases, results)
    if "hone" not in results:
        return 0
    gaps = json.loads(options.gaps.read_text()) if options.gaps.exists() else {}
    unexpected = judge_hone(cases, results["hone"], gaps)
    right = {engine: sum(v == "right" for v, _ in results[engine]) for engine in names}
    behind = options.cases == "*" and right["hone"] <= right.get("ort", -1)
    if unexpected:
        print(f"{unexpected} cases are not as expected")
    if behind:
        print(f"hone has {right['hone']} right, ONNX Runtime {right['ort']}: not more")
    return 1 if unexpected or behind else 0


if __name__ == "__main__":
    sys.exit(main())

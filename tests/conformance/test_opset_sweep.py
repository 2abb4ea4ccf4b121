"""Every conformance case of one operator again in the older opsets that have it, against ONNX Runtime.

A case is written for the newest opset. Its older forms are what `onnx.version_converter` makes of it, and
the model as it stands where the older opset's checker takes it: operators whose meaning changed and whose
form did not (Softmax before 13) differ only so. A form that ONNX Runtime refuses, or a
case that it gets wrong in the newest opset, proves nothing.
"""
import collections
import warnings

import numerics
import onnx
import pytest

import cases as case_lists
import compare
import engines
import isolate

OLDEST = 7
CASES_EACH = 4  # of an operator; all of them take minutes


def older_opsets(node):
    """The opsets below the newest at which the operator's definition begins, OLDEST for older ones."""
    versions = {schema.since_version for schema in onnx.defs.get_all_schemas_with_history()
                if schema.domain == "" and schema.name == node.op_type}
    versions = sorted({max(version, OLDEST) for version in versions})
    return versions[:-1]


def older_forms(model, opset):
    """The model in the older opset: as converted and as it stands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield onnx.version_converter.convert_version(model, opset)
        except Exception:  # noqa: BLE001 - no adapter
            pass
        same = onnx.ModelProto()
        same.CopyFrom(model)
        del same.opset_import[:]
        same.opset_import.append(onnx.helper.make_opsetid("", opset))
        same.ir_version = min(same.ir_version, 9)
        try:
            onnx.checker.check_model(same, full_check=True)
        except Exception:  # noqa: BLE001 - not a form of that opset
            return
        yield same


def difference(got, wanted, rtol, atol):
    return next((f"{name}: {reason}" for name, want in wanted.items()
                 if (reason := compare.difference(got[name], want, rtol, atol))), None)


def oracle_knows(case, model, feeds, answers):
    """Whether ONNX Runtime gets the case right as it is."""
    try:
        got = engines.open_engine("ort", model, 1).run(feeds)
    except Exception:  # noqa: BLE001 - it refuses
        return False
    wanted = dict(zip([port.name for port in model.graph.output], answers))
    return difference(got, wanted, case.rtol, case.atol) is None


def check_case(engine, case):
    """{verdict: how often} and the first difference of the older forms of one case."""
    model, data_sets = case.load()
    feeds = dict(zip([port.name for port in model.graph.input], data_sets[0][0]))
    counts, first = collections.Counter(), None
    if not oracle_knows(case, model, feeds, data_sets[0][1]):
        return counts, None
    for opset in older_opsets(model.graph.node[0]):
        for form in older_forms(model, opset):
            try:
                wanted = engines.open_engine("ort", form, 1).run(feeds)
            except Exception:  # noqa: BLE001 - the oracle refuses
                counts["no oracle"] += 1
                continue
            try:
                got = engines.open_engine(engine, form, 1).run(feeds)
                reason = difference(got, wanted, max(case.rtol, numerics.PEER[0]),
                                    max(case.atol, numerics.PEER[1]))
            except Exception as error:  # noqa: BLE001 - any refusal is a failure
                reason = f"{type(error).__name__}: {error}"
            counts["wrong" if reason else "right"] += 1
            if reason:
                first = first or f"opset {opset}: {' '.join(reason.split())[:200]}"
    return counts, first


def sweep_cases():
    taken = collections.Counter()
    for case in case_lists.SUITES["generated"]():
        model, _ = case.load()
        node = model.graph.node[0]
        if len(model.graph.node) == 1 and node.domain == "" and not compare.is_random(case.name, model):
            taken[node.op_type] += 1
            if taken[node.op_type] <= CASES_EACH:
                yield case


def test_older_opsets(engine_name):
    chosen = list(sweep_cases())
    results = isolate.run_isolated(lambda case: check_case(engine_name, case), chosen, 100, 30)
    counts, lines = collections.Counter(), []
    for case, (result, crash) in zip(chosen, results):
        if crash:
            lines.append(f"{case.name}: {crash}")
            continue
        counts.update(result[0])
        if result[1]:
            lines.append(f"{case.name}: {result[1]}")
    assert counts["right"] > 500, counts
    if lines:
        pytest.fail(f"{len(lines)} cases\n" + "\n".join(lines), pytrace=False)

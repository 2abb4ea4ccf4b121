"""ai.onnx.ml: trees, linear models and the preparation of features, against ONNX Runtime."""
import itertools

import numerics
import numpy as np
import onnx
import pytest
from onnx import helper

import compare
import engines

RANDOM = np.random.default_rng(3)
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def real(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def grow(depth, features, targets, missing, modes, low=-1.0):
    """One random tree as lists of nodes [feature, mode, value, yes, no, missing] and votes."""
    nodes, votes = [], []

    def add(level):
        index = len(nodes)
        nodes.append(None)
        if level == 0 or (level < depth and RANDOM.random() < 0.2):
            nodes[index] = (0, "LEAF", 0.0, 0, 0, 0)
            votes.extend((index, t, float(RANDOM.uniform(low, 1))) for t in targets)
        else:
            value = float(np.round(RANDOM.standard_normal(), 1))
            feature, mode = int(RANDOM.integers(features)), str(RANDOM.choice(modes))
            yes, no = add(level - 1), add(level - 1)
            nodes[index] = (feature, mode, value, yes, no, int(missing))
        return index

    add(depth)
    return nodes, votes


def forest(kind, trees, **more):
    columns = {name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values",
                                     "truenodeids", "falsenodeids",
                                     "missing_value_tracks_true")}
    votes = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, (nodes, leaves) in enumerate(trees):
        for i, (feature, mode, value, yes, no, missing) in enumerate(nodes):
            row = (number, i, feature, mode, value, yes, no, missing)
            for column, cell in zip(columns.values(), row):
                column.append(cell)
        for leaf, target, weight in leaves:
            for column, cell in zip(votes.values(), (number, leaf, target, weight)):
                column.append(cell)
    attributes = {f"nodes_{name}": column for name, column in columns.items()}
    attributes |= {f"{kind}_{name}": column for name, column in votes.items()}
    return attributes | more


def check(open_engine, op, inputs, outputs, opset=3, **attributes):
    names = [f"i{k}" for k in range(len(inputs))]
    results = [f"o{k}" for k in range(outputs)]
    ports = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype),
                                           [f"{n}_{axis}" for axis in range(x.ndim)])
             for n, x in zip(names, inputs)]
    node = helper.make_node(op, names, results, domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph([node], "case", ports, [onnx.ValueInfoProto(name=n) for n in results])
    model = helper.make_model(graph, ir_version=8,
                              opset_imports=[helper.make_opsetid("", 17),
                                             helper.make_opsetid("ai.onnx.ml", opset)])
    feeds = dict(zip(names, inputs))
    wanted = engines.open_engine("ort", model, 1).run(feeds)
    got = open_engine(model).run(feeds)
    for name, want in wanted.items():
        assert compare.difference(got[name], want, *numerics.PEER) is None, name


def rows(features):
    x = np.round(real(37, features), 1)
    x[RANDOM.random(x.shape) < 0.1] = np.nan
    return x


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("missing", (False, True))
def test_regressor_modes(open_engine, mode, missing):
    trees = [grow(4, 5, (0,), missing, (mode,)) for _ in range(3)]
    check(open_engine, "TreeEnsembleRegressor", [rows(5)], 1, **forest("target", trees),
          n_targets=1, base_values=[0.25])


@pytest.mark.parametrize("aggregate", ("SUM", "AVERAGE", "MIN", "MAX"))
@pytest.mark.parametrize("targets", (1, 3))
def test_regressor_aggregates(open_engine, aggregate, targets):
    trees = [grow(3, 4, range(targets), False, MODES) for _ in range(7)]
    check(open_engine, "TreeEnsembleRegressor", [rows(4)], 1, **forest("target", trees),
          n_targets=targets, aggregate_function=aggregate)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_classifier_of_many(open_engine, transform):
    trees = [grow(3, 4, range(4), False, ("BRANCH_LEQ",), low=0) for _ in range(5)]
    check(open_engine, "TreeEnsembleClassifier", [rows(4)], 2, **forest("class", trees),
          classlabels_int64s=[5, 3, -1, 8], post_transform=transform)


@pytest.mark.parametrize("low", (0, -1))
@pytest.mark.parametrize("transform", ("NONE", "LOGISTIC"))
def test_classifier_of_two_by_one_score(open_engine, low, transform):
    trees = [grow(3, 4, (0,), False, ("BRANCH_LEQ",), low=low) for _ in range(3)]
    for _, votes in trees:
        votes[:] = [(leaf, target, weight / 3) for leaf, target, weight in votes]
    check(open_engine, "TreeEnsembleClassifier", [rows(4)], 2, **forest("class", trees),
          classlabels_strings=["no", "yes"], post_transform=transform)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_linear(open_engine, transform):
    weights, biases = real(12).tolist(), real(3).tolist()
    check(open_engine, "LinearClassifier", [real(9, 4)], 2, opset=1, coefficients=weights,
          intercepts=biases, classlabels_ints=[2, 0, 7], post_transform=transform)
    check(open_engine, "LinearRegressor", [real(9, 4)], 1, opset=1, coefficients=weights,
          intercepts=biases, targets=3, post_transform="NONE")


def test_linear_of_two_by_one_score(open_engine):
    check(open_engine, "LinearClassifier", [real(9, 4)], 2, opset=1, coefficients=real(4).tolist(),
          intercepts=[0.1], classlabels_strings=["a", "b"])


@pytest.mark.parametrize("norm", ("MAX", "L1", "L2"))
def test_normalizer(open_engine, norm):
    x = np.abs(real(5, 7))
    x[2] = 0
    check(open_engine, "Normalizer", [x], 1, opset=1, norm=norm)


def test_features(open_engine):
    check(open_engine, "Scaler", [real(5, 3)], 1, opset=1, offset=[1.0, 2.0, 3.0],
          scale=[0.5, 2.0, 3.0])
    check(open_engine, "Scaler", [np.arange(6).reshape(2, 3)], 1, opset=1, offset=[1.0],
          scale=[0.5])
    check(open_engine, "Imputer", [rows(3)], 1, opset=1, imputed_value_floats=[1.0, 2.0, 3.0],
          replaced_value_float=float("nan"))
    check(open_engine, "Imputer", [np.array([[1, -1], [-1, 4]])], 1, opset=1,
          imputed_value_int64s=[7], replaced_value_int64=-1)
    check(open_engine, "OneHotEncoder", [np.array([[3, 9], [5, 3]])], 1, opset=1,
          cats_int64s=[3, 4, 5])
    check(open_engine, "OneHotEncoder", [np.array(["x", "zz"], object)], 1, opset=1,
          cats_strings=["zz", "x"])
    check(open_engine, "FeatureVectorizer", [real(4, 2), real(4, 3)], 1, opset=1,
          inputdimensions=[2, 3])


KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.4, 1.1, 3.0], "RBF": [0.3, 0.0, 0.0],
           "SIGMOID": [0.2, 0.1, 0.0]}


def numbers(*shape):
    return [float(x) for x in real(*shape).reshape(-1)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("one_class", [0, 1])
def test_svm_regressor(open_engine, kernel, one_class):
    more = {"kernel_type": kernel, "kernel_params": KERNELS[kernel], "rho": [0.3]}
    check(open_engine, "SVMRegressor", [real(9, 5)], 1, opset=1, n_supports=7,
          support_vectors=numbers(7, 5), coefficients=numbers(7), one_class=one_class, **more)
    if kernel == "LINEAR" and not one_class:
        check(open_engine, "SVMRegressor", [real(9, 5)], 1, opset=1, n_supports=0,
              coefficients=numbers(5), **more)


# Two classes share a score, of which SOFTMAX is refused: ONNX Runtime makes no probabilities of it.
@pytest.mark.parametrize("classes, proba, transform", [
    case for case in itertools.product([2, 3, 5], [False, True], ["NONE", "LOGISTIC", "SOFTMAX"])
    if case != (2, False, "SOFTMAX")])
@pytest.mark.parametrize("kernel", KERNELS)
def test_svm_classifier(open_engine, classes, kernel, proba, transform):
    per_class = [int(RANDOM.integers(1, 4)) for _ in range(classes)]
    vectors, pairs = sum(per_class), classes * (classes - 1) // 2
    more = {"prob_a": [-abs(x) for x in numbers(pairs)], "prob_b": numbers(pairs)} if proba else {}
    check(open_engine, "SVMClassifier", [real(23, 4)], 2, opset=1,
          classlabels_ints=list(range(10, 10 + classes)), vectors_per_class=per_class,
          support_vectors=numbers(vectors, 4), coefficients=numbers(classes - 1, vectors),
          rho=numbers(pairs), kernel_type=kernel, kernel_params=KERNELS[kernel],
          post_transform=transform, **more)


def test_category_mapper(open_engine):
    cats = {"cats_strings": ["a", "b", "c"], "cats_int64s": [3, 5, 9]}
    check(open_engine, "CategoryMapper", [np.array(["b", "x", "c"], object)], 1, opset=1,
          default_int64=-7, **cats)
    check(open_engine, "CategoryMapper", [np.array([[9, 4], [3, 3]])], 1, opset=1,
          default_string="?", **cats)


def test_first_label_encoder(open_engine):
    for x in (np.array(["b", "x"], object), np.array([2, 7, 0])):
        check(open_engine, "LabelEncoder", [x], 1, opset=1, classes_strings=["a", "b", "c"],
              default_int64=-7, default_string="?")


def test_zip_map_gives_the_scores(open_engine):
    """Maps are no tensors: the graph's output is what goes into the maps, a column a label."""
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml",
                            classlabels_strings=["a", "b", "c"])
    kind = helper.make_map_type_proto(onnx.TensorProto.STRING,
                                      helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, []))
    graph = helper.make_graph(
        [node], "case", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])],
        [helper.make_value_info("y", helper.make_sequence_type_proto(kind))])
    model = helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)])
    x = real(4, 3)
    np.testing.assert_array_equal(open_engine(model).run({"x": x})["y"], x)


def test_maps_are_refused_by_name(open_engine):
    node = helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml",
                            int64_vocabulary=[1, 2])
    graph = helper.make_graph(
        [node], "case", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])],
        [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)])
    with pytest.raises(engines.Unsupported, match="DictVectorizer.*its input is a map"):
        open_engine(model)

"""Every operator of this TensorFlow that changes a resource variable in place."""
import inspect

import numpy as np
import tensorflow as tf

raw = tf.raw_ops

# Of optimisers: arguments that are slots (variables of the same shape), and those that are left at their defaults.
SLOTS = {"accum", "m", "v", "vhat", "ms", "mom", "mg", "linear", "accum_update", "gradient_accumulator",
         "gradient_squared_accumulator"}
SWITCHES = {"use_locking", "use_nesterov", "update_slots", "multiply_linear_by_lr", "name"}

ASSIGNS = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
SCATTERS = ("Update", "Add", "Sub", "Mul", "Div", "Min", "Max")


def optimiser(name, handle, g, rows):
    """A call of an optimiser's operator: its arguments are known by their names."""
    called, given = getattr(raw, name), {}
    for argument in inspect.signature(called).parameters:
        if argument == "var":
            given[argument] = handle
        elif argument in ("grad", "delta"):
            given[argument] = g[:2] if "Sparse" in name else g
        elif argument == "indices":
            given[argument] = rows
        elif argument == "global_step":
            given[argument] = tf.constant(3, tf.int64)
        elif argument in SLOTS:
            given[argument] = tf.Variable(tf.abs(g) + 1)
        elif argument not in SWITCHES:
            given[argument] = tf.constant(-0.5 if argument == "lr_power" else 0.1)

    def call():
        handles = {k: v.handle if isinstance(v, tf.Variable) else v for k, v in given.items()}
        return called(**handles)

    return call


def changes(v, g):
    """{operator: a call that changes the variable `v` by `g`, which has its shape}."""
    rows, part, h = tf.constant([1, 0]), g[:2], v.handle
    made = {name: lambda op=name: getattr(raw, op)(resource=h, value=g) for name in ASSIGNS}
    made["ResourceStridedSliceAssign"] = lambda: v[:2].assign(part)
    for way in SCATTERS:
        name = "ResourceScatter" + way
        made[name] = lambda op=name: getattr(raw, op)(resource=h, indices=rows, updates=part)
        name = "ResourceScatterNd" + way
        if hasattr(raw, name):  # some are of later TensorFlows
            made[name] = lambda op=name: getattr(raw, op)(ref=h, indices=rows[:, None], updates=part)
    for name in dir(raw):
        if name.startswith(("ResourceApply", "ResourceSparseApply")):
            made[name] = optimiser(name, h, g, rows)
    return made


def broken(v, fresh):
    """The operators after which a tensor that was read before is another, and is held; how many were tried. `fresh`:
    makes values of the variable's shape."""
    wrong, tried = set(), set()
    for _ in range(2):  # scattered changes leave a variable in another mode
        for name, change in changes(v, tf.constant(fresh())).items():
            v.assign(fresh())
            held = raw.ReadVariableOp(resource=v.handle, dtype=v.dtype)
            before = np.array(held.numpy())
            change()
            assert not (v.numpy() == before).all(), f"{name} changes nothing"
            tried.add(name)
            if not (held.numpy() == before).all():
                wrong.add(name)
    return wrong, len(tried)

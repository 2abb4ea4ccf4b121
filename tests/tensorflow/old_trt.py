"""Models of the shape that TF-TRT left behind, with seeded weights: the converted graph around the function that an
engine stood for, and in a SavedModel the resource that was its cache of engines. The engines themselves are bytes of
no meaning, as a plan of another library is here.
"""
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.trackable import asset, resource

import native

GPU = "/job:localhost/replica:0/task:0/device:GPU:0"
rng = np.random.default_rng(41)
WEIGHTS = rng.uniform(-0.5, 0.5, (6, 6)).astype(np.float32)
BIAS = rng.uniform(-0.5, 0.5, 6).astype(np.float32)


def segment(x):
    """What the engine computed."""
    return tf.nn.relu(x @ WEIGHTS + BIAS)


def model(x):
    """The whole model: the segment between two operators that TF-TRT left native."""
    return tf.math.erfc(segment(tf.math.erfc(x)))


def native_segment(name):
    """The segment as the function that TF-TRT wrote, devices and argument names included."""
    made = tf.function(segment, autograph=False).get_concrete_function(
        tf.TensorSpec([None, 6], name="TensorRTInputPH_0"))
    function = convert_variables_to_constants_v2(made).graph.as_graph_def()
    wrapped = wrap_function.function_from_graph_def(function, ["TensorRTInputPH_0:0"], ["Identity:0"])
    definition = wrapped.function_def.__class__()
    definition.CopyFrom(wrapped.function_def)
    definition.signature.name = f"{name}_native_segment"
    for node in definition.node_def:
        node.device = GPU
    return definition


def graph_def(name="TRTEngineOp_700_000", by_name=False, segments=True):
    """x -> Erfc -> TRTEngineOp -> Erfc -> y. `by_name`: as before 1.14, the function a text; without `segments`
    nothing but the plan is there."""
    graph = tf.compat.v1.GraphDef(versions=tf.Graph().as_graph_def().versions)
    if segments:
        graph.library.function.add().CopyFrom(native_segment(name))

    def add(name, op, *inputs, device=GPU):
        node = graph.node.add(name=name, op=op, device=device)
        node.input.extend(inputs)
        return node

    x = add("x", "Placeholder", device="")
    x.attr["dtype"].type = tf.float32.as_datatype_enum
    x.attr["shape"].shape.CopyFrom(tf.TensorShape([None, 6]).as_proto())
    add("before", "Erfc", "x").attr["T"].type = tf.float32.as_datatype_enum
    engine = add(name, "TRTEngineOp", "before").attr
    engine["InT"].list.type.append(tf.float32.as_datatype_enum)
    engine["OutT"].list.type.append(tf.float32.as_datatype_enum)
    engine["input_shapes"].list.shape.add().CopyFrom(tf.TensorShape([None, 6]).as_proto())
    engine["output_shapes"].list.shape.add().CopyFrom(tf.TensorShape([None, 6]).as_proto())
    engine["serialized_segment"].s = b"\x00plan of another machine\xff" if by_name else b""
    engine["static_engine"].b = by_name
    engine["max_cached_engines_count"].i = 1
    engine["workspace_size_bytes"].i = 1 << 30
    engine["precision_mode"].s = b"FP32"
    engine["calibration_data"].s = b""
    if by_name and segments:
        engine["segment_funcdef_name"].s = f"{name}_native_segment".encode()
        engine["cached_engine_batches"].list.SetInParent()
        engine["fixed_input_size"].b = True
    elif segments:
        engine["segment_func"].func.name = f"{name}_native_segment"
        engine["max_batch_size"].i = 4
        engine["use_calibration"].b = True
        engine["profile_strategy"].s = b""
        engine["_use_implicit_batch"].b = True
        engine["_allow_build_at_runtime"].b = True
    add("y", "Erfc", name).attr["T"].type = tf.float32.as_datatype_enum
    return graph


class EngineResource(resource.TrackableResource):
    """The cache of one engine, as the V2 converter tracked it."""

    def __init__(self, name, file):
        super().__init__(device="GPU")
        self.name = name
        self.file = self._track_trackable(asset.Asset(file), "_serialized_trt_resource_filename")

    def handle(self):
        with tf.device(self._resource_device):
            return native.node("CreateTRTResourceHandle", [], [tf.resource], resource_name=self.name)[0]

    def _create_resource(self):
        return self.handle()

    def _initialize(self):
        native.node("InitializeTRTResource", [self.resource_handle, self.file.asset_path], [],
                    max_cached_engines_count=1)

    def _destroy_resource(self):
        with tf.device(self._resource_device):
            tf.raw_ops.DestroyResourceOp(resource=self.handle(), ignore_lookup_error=True)


def save(folder, name):
    """A SavedModel of the V2 converter: the graph as its signature, the resource, the asset."""
    plan = folder.parent / f"trt-serialized-engine.{name}"
    plan.write_bytes(b"\x00records of plans\xff")
    graph = graph_def(name)
    function = wrap_function.function_from_graph_def(graph, ["x:0"], ["y:0"])
    module = tf.Module()
    with tf.Graph().as_default():  # graph mode: the handle is made when the model is loaded
        module.trt_engine_resources = {name: EngineResource(name, str(plan))}

    @tf.function(input_signature=[tf.TensorSpec([None, 6], name="x")], autograph=False)
    def served(x):
        return {"output_0": function(x)[0]}

    module.served = served
    tf.saved_model.save(module, str(folder), signatures={"serving_default": served})

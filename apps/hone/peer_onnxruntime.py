"""Runs an ONNX model in ONNX Runtime with every tensor of its graph shown.

    python3 -c PROGRAM MODEL FOLDER

FOLDER has inputs.json, [{"name", "file"}, ...] with .npy files; all tensors go to FOLDER/outputs.npz.
"""
import json
import os
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime

model = onnx.load(sys.argv[1])
folder = sys.argv[2]
given = json.load(open(os.path.join(folder, "inputs.json")))
feeds = {row["name"]: np.load(os.path.join(folder, row["file"])) for row in given}
feeds = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in feeds.items()}
have = {output.name for output in model.graph.output}
for node in model.graph.node:
    for name in node.output:
        if name and name not in have:
            have.add(name)
            model.graph.output.append(onnx.ValueInfoProto(name=name))
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
options.log_severity_level = 3
session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
with zipfile.ZipFile(os.path.join(folder, "outputs.npz"), "w") as archive:
    for name, value in zip(names, session.run(names, feeds)):
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(value, order="C"))

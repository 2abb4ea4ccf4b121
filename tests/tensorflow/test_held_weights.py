"""What engines that are made in the run rely on: a tensor that is held never changes, whatever changes its variable, so
that the same place means the same content. For every operator of each TensorFlow (`make test-tf-matrix`).
"""
import os
import subprocess
import sys

import pytest

pytest.importorskip("tensorflow")

# In a process of its own, as 1.15 is of the second kind only when asked at the start.
SCRIPT = """
import numpy as np, tensorflow as tf
tf.compat.v1.enable_v2_behavior()
import variable_changes
rng = np.random.RandomState(3)
fresh = lambda: rng.uniform(-1, 1, (16, 300)).astype(np.float32)
wrong, tried = variable_changes.broken(tf.Variable(fresh()), fresh)
print("tried", tried, "wrong", *wrong)
"""


def test_a_held_tensor_never_changes():
    done = subprocess.run([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True,
                          env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1",
                                   PYTHONPATH=os.pathsep.join(sys.path)))
    assert done.returncode == 0, done.stderr[-3000:]
    words = done.stdout.split()
    tried, wrong = int(words[1]), words[3:]
    assert tried >= 36 and not wrong, done.stdout

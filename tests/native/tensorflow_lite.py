"""The interpreter inside TensorFlow, with the names that the LiteRT package uses."""

import tensorflow as tf

Interpreter = tf.lite.Interpreter
load_delegate = tf.lite.experimental.load_delegate

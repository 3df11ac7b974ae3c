"""Kinds of training, see :class:`irnet_keras.training.task.Task`."""

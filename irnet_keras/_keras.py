"""Select Keras 2 (``tf_keras``) before TensorFlow is imported, or say why it is too late.

Larq 0.14 cannot run on Keras 3. TensorFlow decides which Keras ``tf.keras`` is when it
is imported, from ``TF_USE_LEGACY_KERAS``; afterwards the choice is final.
"""

import os
import sys

from irnet_keras.errors import UsageError

_VARIABLE = "TF_USE_LEGACY_KERAS"
_TRUE = ("1", "true", "True")


def select_legacy_keras() -> None:
    """Set ``TF_USE_LEGACY_KERAS=1`` for this process and its children.

    Raises:
        UsageError: TensorFlow is already imported with Keras 3, or the environment
            asks for Keras 3.
    """
    value = os.environ.get(_VARIABLE)
    if value is not None and value not in _TRUE:
        raise UsageError(
            f"{_VARIABLE}={value!r} asks for Keras 3, which Larq cannot use; "
            f"unset it or set {_VARIABLE}=1"
        )
    if value is None and "tensorflow" in sys.modules:
        raise UsageError(
            "TensorFlow was imported with Keras 3 before irnet_keras; import irnet_keras "
            f"first, or set {_VARIABLE}=1 before importing tensorflow"
        )
    os.environ[_VARIABLE] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

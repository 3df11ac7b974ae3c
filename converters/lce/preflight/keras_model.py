"""What can be said of a Keras model before its graph is traced."""

from typing import Any

import numpy as np

from converters.lce.preflight.finding import Finding

_FIXED = "float32"


def other_keras(model: Any) -> list[Finding]:
    """Models of Keras 3, in which Larq's layers do not exist."""
    modules = [base.__module__ for base in type(model).__mro__]
    if not any(m == "keras" or m.startswith("keras.src.") for m in modules):
        return []
    if any(m.startswith(("tf_keras.", "keras.src.engine.")) for m in modules):
        return []
    return [
        Finding(
            "keras-3",
            "fails",
            str(getattr(model, "name", "model")),
            "it is a Keras 3 model, which this project does not convert",
            "import irnet_keras before tensorflow (it sets TF_USE_LEGACY_KERAS=1), build it with "
            "tf.keras",
        )
    ]


def dynamic_shapes(model: Any) -> list[Finding]:
    """Inputs with a size other than the batch unknown."""
    found = []
    for tensor in model.inputs or ():
        shape = tuple(tensor.shape)
        if None in shape[1:]:
            found.append(
                Finding(
                    "dynamic-shape",
                    "fails",
                    str(tensor.name).partition(":")[0],
                    f"the input's shape {shape} leaves more open than the batch: layers become "
                    "TensorFlow operators or sizes of 1 in the file",
                    "give Input the image's size",
                )
            )
    return found


def other_precisions(model: Any) -> list[Finding]:
    """Layers that compute in half precision (mixed precision)."""
    return [
        Finding(
            "mixed-precision",
            "fails",
            layer.name,
            f"it computes in {layer.compute_dtype}: the file would hold TensorFlow operators that "
            "no runtime here has",
            "build the model under the policy float32 and load the weights into it",
        )
        for layer in model._flatten_layers(include_self=False)
        if str(getattr(layer, "compute_dtype", None) or _FIXED) in ("float16", "bfloat16")
        or (str(getattr(layer, "compute_dtype", None)) == "float64" and layer.weights)
    ]


def not_finite(model: Any) -> list[Finding]:
    """Layers with weights that are NaN or infinite, or a batch norm's variance below 0."""
    found = []
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if getattr(layer, "layers", None):
            continue  # a model: its layers come, too
        for weight in layer.weights:
            values = np.asarray(weight)
            if not np.issubdtype(values.dtype, np.floating):
                continue
            bad = ~np.isfinite(values)
            what = "NaN or infinite"
            if "moving_variance" in weight.name:
                bad, what = bad | (values < 0), "NaN, infinite or negative"
            if bad.any():
                reason = f"{int(bad.sum())} of {bad.size} values of {weight.name} are {what}"
                cure = "train again, or load other weights"
                found.append(Finding("not-finite", "wrong", layer.name, reason, cure))
    return list(dict.fromkeys(found))

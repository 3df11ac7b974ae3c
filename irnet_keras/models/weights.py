"""Model weights as safetensors: named float arrays and nothing that could run."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_path

Arrays = dict[str, NDArray[Any]]


def save_arrays(
    path: str | os.PathLike[str],
    arrays: Arrays,
    metadata: dict[str, str],
    previous: str | os.PathLike[str] | None = None,
) -> None:
    """Write arrays and a SHA-256 of them to a safetensors file, in one step.

    Args:
        path: file to write.
        arrays: any shapes and dtypes that safetensors has.
        metadata: stored in the file.
        previous: where to move what ``path`` was, once the new content is complete. A crash
            in between leaves ``previous`` alone.

    Raises:
        UsageError: the folder is missing, or the file cannot be written; ``path`` stays.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # (ascontiguousarray would turn scalars into vectors)
    contiguous = {name: np.asarray(a, order="C") for name, a in arrays.items()}
    try:
        with atomic_path(path) as temporary:
            save_file(contiguous, temporary, {**metadata, "sha256": _digest(contiguous)})
            if previous is not None and Path(path).exists():
                Path(path).replace(previous)
    except (SafetensorError, OSError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error


def load_arrays(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, str]]:
    """Read a file written by :func:`save_arrays` and check it.

    Raises:
        UsageError: missing, not a safetensors file, truncated, or its content does not match
            its SHA-256.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if not file.is_file():
        raise UsageError(f"weights file {file} does not exist")
    try:
        with safe_open(file, framework="np") as f:
            metadata = dict(f.metadata() or {})
            arrays = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise UsageError(f"{file} is not a readable safetensors file ({error})") from error
    if metadata.get("sha256") != _digest(arrays):
        raise UsageError(f"{file} is corrupted: its content does not match its SHA-256")
    return arrays, metadata


def _digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        a = arrays[name]
        digest.update(json.dumps([name, str(a.dtype), a.shape]).encode())
        digest.update(a.tobytes())
    return digest.hexdigest()


def variable_arrays(variables: Iterable[Any]) -> Arrays:
    """Values of variables by name.

    Raises:
        ValueError: two variables share a name.
    """
    arrays: Arrays = {}
    for v in variables:
        if v.name in arrays:
            raise ValueError(f"two variables are called {v.name}")
        arrays[v.name] = v.numpy()
    return arrays


def assign_arrays(variables: Iterable[Any], arrays: Arrays, source: str) -> None:
    """Assign all variables; nothing is assigned unless all names and shapes fit.

    Raises:
        UsageError: missing or surplus names, or a shape that differs.
    """
    variables = list(variables)
    check_arrays(variables, arrays, source)
    for v in variables:
        v.assign(arrays[v.name])


def check_arrays(variables: Iterable[Any], arrays: Arrays, source: str) -> None:
    """Check that arrays fit variables.

    Raises:
        UsageError: missing or surplus names, or a shape that differs.
    """
    by_name = {v.name: v for v in variables}
    missing = sorted(set(by_name) - set(arrays))
    surplus = sorted(set(arrays) - set(by_name))
    if missing or surplus:
        what = f"lacks {missing[0]}" if missing else f"has {surplus[0]}, which the model lacks"
        raise UsageError(f"{source} does not fit the model: it {what}")
    for name, v in by_name.items():
        if tuple(v.shape) != arrays[name].shape:
            raise UsageError(
                f"{source} does not fit the model: {name} has shape {arrays[name].shape}, "
                f"expected {tuple(v.shape)}"
            )


def save_weights(model: Any, path: str | os.PathLike[str], metadata: dict[str, str]) -> None:
    """Write a Keras model's weights (latent, not quantized) with ``metadata``."""
    save_arrays(path, variable_arrays(model.weights), metadata)


def load_weights(model: Any, path: str | os.PathLike[str]) -> dict[str, str]:
    """Load :func:`save_weights`' file into a model built by the same code; returns metadata.

    Raises:
        UsageError: unreadable, other names or shapes, or by the configuration in its metadata of
            another structure (where names and shapes are the same).
    """
    from irnet_keras.models.resnet import structure_of

    arrays, metadata = load_arrays(path)
    own, stored = structure_of(model), _stored_structure(metadata)
    if None not in (own, stored) and own != stored:
        raise UsageError(
            f"{path} does not fit the model: its weights are of structure {stored}, "
            f"the model is {own}"
        )
    assign_arrays(model.weights, arrays, str(path))
    return metadata


def _stored_structure(metadata: dict[str, str]) -> str | None:
    """Of the configuration that ``irnet train`` stores with weights, if there is one."""
    try:
        structure = json.loads(metadata.get("config", "{}")).get("structure")
    except (AttributeError, ValueError):
        return None
    return structure if isinstance(structure, str) else None

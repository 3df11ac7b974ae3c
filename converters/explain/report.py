"""What ``explain`` says: frozen, JSON-able, with schema id and version."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from converters.explain.kinds import Kind

SCHEMA_VERSION = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OpReport(_Frozen):
    """One operator.

    Attributes:
        index: position in the file.
        op: its name.
        name: of its first output tensor, which names the layer.
        kind: what it computes in.
        why_not_1bit: a reason, None for 1-bit operators.
        note: what keeps a binary convolution from handing on bits.
        macs: multiply-accumulates for one image, None where the file leaves sizes open.
        weight_bytes: constants it reads; one that several read counts for the first.
        activation_bytes: what it writes, for one image.
        mac_share: of all multiply-accumulates, 0..1.
        weight_share: of all constants.
        activation_share: of all activations.
        estimated_ms: by the cost model.
        estimated_share: of the sum of these.
        measured_ms: median, None without ``profile``.
        measured_share: of the sum of these.
        measured_how: ``"in place"``: by the delegate inside of the whole file; ``"merged"`` into
            the operator ``merged_into``, whose time includes it; ``"alone"``: as a file of its
            own, with copying its inputs and outputs subtracted nowhere.
        merged_into: an operator's index.
        output_shape: of the first output.
        output_dtype: TFLite's name.
    """

    index: int
    op: str
    name: str
    kind: Kind
    why_not_1bit: str | None
    note: str | None
    macs: int | None
    weight_bytes: int
    activation_bytes: int | None
    mac_share: float
    weight_share: float
    activation_share: float
    estimated_ms: float | None
    estimated_share: float
    measured_ms: float | None = None
    measured_share: float | None = None
    measured_how: Literal["in place", "merged", "alone"] | None = None
    merged_into: int | None = None
    output_shape: tuple[int, ...]
    output_dtype: str


class Target(_Frozen):
    """What a file needs to run.

    Attributes:
        needs: see :func:`converters.explain.targets.target_of`.
        reasons: operators that LCE's default kernels refuse or get wrong.
    """

    needs: Literal["litert", "lce", "lce-other", "delegate", "none"]
    reasons: tuple[str, ...]


class Sizes(_Frozen):
    """Bytes of the file by use; they add up to its size.

    Attributes:
        weights_1bit: packed kernels.
        weights_int8: kernels of 8 bits or fewer.
        weights_float: float kernels.
        parameters: biases, multipliers, thresholds, shapes and other constants.
        structure: operators, tensor names, metadata, alignment.
    """

    weights_1bit: int
    weights_int8: int
    weights_float: int
    parameters: int
    structure: int


class Totals(_Frozen):
    """Sums over the file.

    Attributes:
        ops: operators.
        ops_1bit: of these 1-bit; the next three alike.
        macs_1bit: multiply-accumulates by kind.
        macs_unknown_ops: operators whose count the file leaves open.
        weight_bytes: all constants.
        activation_bytes: everything operators write.
        peak_activation_bytes: most of it that must exist at once, if every tensor lives from the
            operator that writes it to the last that reads it.
        estimated_ms: sum over operators.
        measured_sum_ms: sum over operators, None without ``profile``.
        measured_run_ms: median of the whole file, unobserved.
    """

    ops: int
    ops_1bit: int
    ops_int8: int
    ops_float: int
    ops_other: int
    macs_1bit: int
    macs_int8: int
    macs_float: int
    macs_unknown_ops: int
    weight_bytes: int
    activation_bytes: int
    peak_activation_bytes: int
    estimated_ms: float
    measured_sum_ms: float | None = None
    measured_run_ms: float | None = None


class Explanation(_Frozen):
    """Everything :func:`converters.explain.explain` found.

    Attributes:
        file: as the user named it.
        file_sha256: of its content.
        file_bytes: its size.
        estimated_for: machine of the cost model.
        runtime: what was measured, None without ``profile``.
        runs: samples per measurement.
        ops: in execution order.
    """

    schema_id: Literal["irnet/explain"] = "irnet/explain"
    schema_version: int = SCHEMA_VERSION
    file: str
    file_sha256: str
    file_bytes: int
    target: Target
    totals: Totals
    sizes: Sizes
    estimated_for: str
    runtime: str | None = None
    threads: int | None = None
    runs: int | None = None
    ops: tuple[OpReport, ...]

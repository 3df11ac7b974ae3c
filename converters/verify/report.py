"""The result of a verification: frozen, JSON-able, with schema id and version."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1

Kind = Literal["lce", "float32", "float16", "int8"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Frozen):
    """When the end-to-end comparison fails; the bit and rounding checks have no options.

    Attributes:
        min_agreement: least share of images with the same argmax, for any number of images.
            Not applied where an LCE file passes everything else and its logits are close to
            those of Keras given the file's own signs: then only signs of values within rounding of
            0 differ, which in an untrained network (integers exactly 0) is enough to change
            most answers, and says nothing about the file.
        max_accuracy_points: largest accuracy difference in percentage points, for all but int8
            files.
        min_accuracy_images: with fewer images accuracies are reported, not judged. From here
            on a difference above ``max_accuracy_points`` fails if it is also above chance,
            ``2 * sqrt(changed)`` images: ``changed`` images are right in exactly one of the
            two, and if each were as likely to be right in the one as in the other, this would
            be two standard deviations of the difference.
        strict_accuracy_images: from this many images on, chance excuses nothing.
        int8_accuracy_points: limit of int8 files, which are not meant to be exact. Chance
            counts at every number of images.
        int8_leftovers_points: limit of LCE files whose float layers became int8.
    """

    min_agreement: float = 0.8
    max_accuracy_points: float = 0.2
    min_accuracy_images: int = 1000
    strict_accuracy_images: int = 10_000
    int8_accuracy_points: float = 2.0
    int8_leftovers_points: float = 0.5


class QuantizeReport(_Frozen):
    """One ``LceQuantize``: packed bits against the signs of its own input."""

    op_index: int
    tensor: str
    num_bits: int
    wrong_bits: int
    passed: bool


class LayerReport(_Frozen):
    """One binary convolution on the packed input the file itself computed.

    Attributes:
        layer: Keras name.
        op_index: position of ``LceBconv2d`` in the file.
        output: ``"float32"`` or ``"bitpacked"``.
        wrong_weight_bits: packed weight bits unlike the sign of the Keras kernel.
        first_wrong_weight: ``(filter, y, x, channel)`` of the first of them.
        worst_error: difference to the reference, in output units, where it is largest beyond
            (or closest to) its tolerance; for bitpacked outputs the largest reference value
            whose bit is wrong.
        worst_index: its ``(image, y, x, channel)``.
        tolerance: allowed difference at that place.
        violations: outputs outside their tolerance (float) or wrong bits (bitpacked); those
            where either side is NaN or infinite are among them.
        non_finite: outputs where the reference or the file's value is NaN or infinite.
        ties: bitpacked outputs that differ where the reference is within rounding of 0.
        num_outputs: outputs compared.
        problem: why nothing could be compared, or None.
    """

    layer: str
    op_index: int
    output: Literal["float32", "bitpacked"]
    wrong_weight_bits: int
    first_wrong_weight: tuple[int, int, int, int] | None = None
    worst_error: float = 0.0
    worst_index: tuple[int, ...] | None = None
    tolerance: float = 0.0
    violations: int = 0
    non_finite: int = 0
    ties: int = 0
    num_outputs: int = 0
    problem: str | None = None

    @property
    def passed(self) -> bool:
        """Weights right, outputs within tolerance."""
        return not (self.wrong_weight_bits or self.violations or self.problem)


class LeftoverReport(_Frozen):
    """One quantized float layer (or ``QUANTIZE``) on the input it really saw.

    Attributes:
        op_index: position in the file.
        op: kind of operator.
        tensor: name of what it writes.
        output: type of that.
        worst_error: difference to exact arithmetic on the file's numbers, as real numbers.
        worst_steps: the same in steps of the int8 output.
        tolerance: largest allowed difference.
        violations: outputs outside their tolerance, or not finite.
        num_outputs: outputs compared.
    """

    op_index: int
    op: str
    tensor: str
    output: Literal["int8", "float32"]
    worst_error: float
    worst_steps: float | None
    tolerance: float
    violations: int
    num_outputs: int


class FlipReport(_Frozen):
    """Packed input of one binary convolution, the file against the sign of Keras's activation.

    Attributes:
        layer: Keras name.
        num_bits: signs compared.
        flips: signs that differ.
        near_zero: of these, Keras's value and the one quantized (where the file has it) are
            within ``tolerance`` of 0.
        downstream: of the rest, an earlier layer has a flip in the same image.
        unexplained: of the rest, neither: the networks differ before this layer.
        tolerance: see :func:`converters.verify.flips.flip_tolerances`.
        worst_unexplained: largest absolute value (Keras's or the file's) at an unexplained flip.
        non_finite: inputs that are NaN or infinite in Keras or, where it has them, in the file.
        rms: root mean square difference of the inputs; None where the file has no numbers there.
        rms_limit: allowed where quantized layers come before, see
            :mod:`converters.verify.quantized`; None: not limited.
    """

    layer: str
    num_bits: int
    flips: int
    near_zero: int
    downstream: int
    unexplained: int
    tolerance: float
    worst_unexplained: float
    non_finite: int = 0
    rms: float | None = None
    rms_limit: float | None = None


class OutputReport(_Frozen):
    """Logits on all images.

    Attributes:
        num_images: images run.
        agreement: share of images with the same argmax; of image outputs, with a PSNR between the
            two of at least :data:`converters.verify.outputs.IMAGE_PSNR` dB.
        keras_accuracy: 0..1; None, as the next two, where the labels are not the model's.
        file_accuracy: 0..1.
        changed: images that are right in exactly one of the two.
        worst_logit_error: largest difference; for LCE files to Keras given the file's signs. None
            where logits cannot be close (int8, binary activations in a float file).
        logit_tolerance: allowed difference there; None where logits are not compared.
        keras_non_finite: logits that are NaN or infinite; their images have no answer.
        file_non_finite: the same of the file.
        reference_non_finite: the same of what ``worst_logit_error`` compares with.
        least_psnr: of image outputs: smallest PSNR of an image between Keras and the file, in dB,
            for a range of 0 to 1; at most 200. None of other outputs, as the next.
        worst_difference: of image outputs: largest difference.
    """

    num_images: int
    agreement: float
    keras_accuracy: float | None
    file_accuracy: float | None
    changed: int | None
    worst_logit_error: float | None
    logit_tolerance: float | None
    keras_non_finite: int = 0
    file_non_finite: int = 0
    reference_non_finite: int = 0
    least_psnr: float | None = None
    worst_difference: float | None = None


class OracleLayer(_Frozen):
    """One operator in the delegate and in LCE's interpreter, both on the same values.

    Attributes:
        op_index: position in the file.
        name: Keras layer, or operator and tensor.
        num_values: outputs compared.
        differing: those that differ although what the operator reads does not.
        downstream: those that differ where an input does already.
        merged_differing: those that differ where the operator runs merged with others.
        first_difference: place (image, then the tensor's own) and values of the first.
    """

    op_index: int
    name: str
    num_values: int
    differing: int
    downstream: int
    merged_differing: int
    first_difference: str | None


class OracleReport(_Frozen):
    """The delegate against LCE's own interpreter, bit for bit.

    Attributes:
        engines: what LCE ran, empty if it could run nothing.
        num_images: images run with operators merged as always, compared at the ends of the
            binary parts.
        per_layer_images: images on which every operator was compared.
        num_values: values compared.
        not_compared: why operators were not compared.
        layers: one entry per operator.
    """

    engines: tuple[str, ...]
    num_images: int
    per_layer_images: int
    num_values: int
    not_compared: tuple[str, ...]
    layers: tuple[OracleLayer, ...]


class VerifyReport(_Frozen):
    """Everything :func:`converters.verify.verify` found.

    Attributes:
        kind: what the file is; only ``"lce"`` files have per-layer parts.
        reasons: why it failed, empty when it passed.
        notes: what was not compared.
        flips: both networks on their own.
        flips_given_bits: Keras convolves the file's bits, so each layer stands alone.
        runtime: what ran the file; None in reports of versions that did not say.
        leftovers: float layers that were quantized.
        oracle: comparison of the delegate with LCE's interpreter, None where it did not run.
    """

    schema_id: Literal["irnet/verify-report"] = "irnet/verify-report"
    schema_version: int = SCHEMA_VERSION
    kind: Kind
    model: str
    file_sha256: str
    seed: int
    num_images: int
    per_layer_images: int
    limits: Limits
    passed: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    quantize: tuple[QuantizeReport, ...] = ()
    layers: tuple[LayerReport, ...] = ()
    leftovers: tuple[LeftoverReport, ...] = ()
    flips: tuple[FlipReport, ...] = ()
    flips_given_bits: tuple[FlipReport, ...] = ()
    outputs: OutputReport | None = None
    runtime: str | None = None
    oracle: OracleReport | None = None

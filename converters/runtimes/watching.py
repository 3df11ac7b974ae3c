"""Run edited copies of a file on images, to see tensors that are no outputs."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from converters.graph import Graph, with_outputs
from converters.runtimes.delegate import AUTO_KERNEL
from converters.runtimes.process import TFLiteProcess
from irnet_keras.data.preprocessing import Inputs
from irnet_keras.errors import IrnetError

EDITED = "edited.tflite"
BATCH = 50  # images at a time: bounds the memory of the recorded activations
Values = dict[int, NDArray[Any]]  # by tensor index, batch first


@contextlib.contextmanager
def opened(data: bytes, *, name: str | None = None, **options: Any) -> Iterator[TFLiteProcess]:
    """A process with the content of a file.

    Args:
        data: the content.
        name: what messages call the file; None leaves its name out.
        options: of :class:`TFLiteProcess`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / EDITED
        path.write_bytes(data)
        try:
            with TFLiteProcess(path, **options) as process:
                yield process
        except IrnetError as error:
            message = str(error)
            if name is None:
                message = message.removeprefix(f"{path}: ")
            error.args = (message.replace(str(path), name or "the file"),)
            raise


class Watched:
    """An interpreter whose outputs are the tensors asked for.

    Attributes:
        engine: what runs.
    """

    def __init__(self, graph: Graph, tensors: Sequence[int], process: TFLiteProcess) -> None:
        self._tensors = tensors
        shapes = [graph.tensors[i].shape for i in tensors]
        # what was reshaped may have no batch
        self._shapes = [shape[1:] if shape[:1] == (1,) else shape for shape in shapes]
        self._process = process
        self.engine = process.engine

    def values(self, inputs: Inputs) -> Values:
        """What these tensors hold for each image, in their own types."""
        arrays = self._process.run_all(inputs)
        shaped = [a.reshape(len(inputs), *s) for a, s in zip(arrays, self._shapes, strict=True)]
        return dict(zip(self._tensors, shaped, strict=True))


Runner = Callable[[Sequence[int]], contextlib.AbstractContextManager[Watched]]


def runner(graph: Graph, engine: str, kernel: str = AUTO_KERNEL, **options: Any) -> Runner:
    """Opens interpreters of one engine that show chosen tensors; ``options`` as :func:`opened`."""

    @contextlib.contextmanager
    def watch(tensors: Sequence[int]) -> Iterator[Watched]:
        data = with_outputs(graph, tensors)
        with opened(data, threads=1, engine=engine, kernel=kernel, **options) as process:
            yield Watched(graph, tensors, process)

    return watch

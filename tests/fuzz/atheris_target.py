"""Coverage-guided fuzzing of the check with atheris (not among our dependencies).

    pip install atheris
    python -m tests.fuzz.atheris_target CORPUS_DIR -runs=100000 -timeout=5

Start ``CORPUS_DIR`` with ``tests/fuzz/seeds``. Anything but a graph or a :class:`UsageError` is a
crash of libFuzzer, more than 5 seconds a hang; accepted files are loaded and run in a child.
"""

import os
import sys

import atheris

with atheris.instrument_imports(include=["converters.graph", "converters.untrusted"]):
    from converters.untrusted import read_untrusted

from irnet_keras.errors import UsageError
from tests.fuzz.child import FuzzChild
from tests.fuzz.run import LIMIT_S, POLICY, engines

_CHILD = FuzzChild(LIMIT_S)


def check_one(data: bytes) -> None:
    """Refuse or run one file."""
    try:
        graph = read_untrusted(data, POLICY)
    except UsageError:
        return
    for engine in engines(graph, len(data)):
        answer = _CHILD.run(data, engine)
        if answer.partition(":")[0] not in ("ok", "refused"):
            raise RuntimeError(f"{engine}: {answer}")


def main() -> None:
    """Run libFuzzer with its own arguments."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    atheris.Setup(sys.argv, check_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

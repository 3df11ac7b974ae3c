"""One library serves old and new TensorFlow Lite runtimes."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.native.cache import UnavailableError, install
from tests.native.cases import CATEGORIES, make_case
from tests.native.children import ROOT, python, run_supervised
from tests.native.conformance import export
from tests.native.oracle import judge

SEED = 20261124
LITERT, TFLITE, TENSORFLOW = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tests.native.tensorflow_lite",
)
# requirement (an empty one is what is installed here) and module
RUNTIMES = {
    "tflite-runtime==2.14.0": TFLITE,
    "ai-edge-litert==1.0.1": LITERT,
    "ai-edge-litert": LITERT,
    "installed LiteRT": LITERT,
    "installed TensorFlow": TENSORFLOW,
}

pytestmark = [pytest.mark.native, pytest.mark.slow]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases of every category."""
    print(f"seed: {SEED}")
    cases = [make_case(SEED, index) for index in range(2 * len(CATEGORIES))]
    path = tmp_path_factory.mktemp("runtimes") / "cases.npz"
    export(path, cases, judge(cases))
    return path


@pytest.mark.parametrize("requirement", list(RUNTIMES))
def test_layers_match_lce(requirement: str, stored: Path, library: Path) -> None:
    module = RUNTIMES[requirement]
    paths = [str(ROOT)]
    if not requirement.startswith("installed"):
        try:
            paths.insert(0, str(install(requirement)))
        except UnavailableError as error:
            pytest.skip(str(error))
    path = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    code = f"import {module} as m; print(m.Interpreter)" + (
        "" if module == TENSORFLOW else "; print(m.__file__)"
    )
    done = subprocess.run(
        python("-c", code),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if len(paths) > 1:
        assert paths[0] in done.stdout, "another copy of the runtime was imported"
    script = ROOT / "tests" / "native" / "replay.py"
    command = python(script, stored, "--library", library, "--runtime", module)
    events = run_supervised(
        [*command, "--threads", "1,2", "--fusion", "1,0"], 600, {"PYTHONPATH": path}
    )
    assert [e for e in events if e["event"] != "summary"] == []
    assert events[-1]["runs"] == 4 * 2 * len(CATEGORIES)

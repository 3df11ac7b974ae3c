"""The command line in processes of its own that need not import TensorFlow each time.

They are forked from a server that has imported it once, whose only other threads are OpenBLAS's,
which OpenBLAS ends before a fork. What they do after the imports, and how they end, is as in a
process started by a shell.
"""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PRELOADED = ["irnet_cli.app", "tensorflow", "larq_compute_engine", "irnet_keras.models"]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOADED)


def irnet(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``irnet`` with these words in this folder, with nothing on stdin."""
    with TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _context.Process(target=_run, args=(words, cwd, *streams))
        process.start()
        process.join(300)
        process.kill()  # no effect if it has ended
        process.join()
        out, err = (path.read_text() for path in streams)
    return subprocess.CompletedProcess(words, process.exitcode or 0, out, err)


def _run(words: tuple[str, ...], cwd: Path, stdout: Path, stderr: Path) -> None:
    for number, path in enumerate((Path(os.devnull), stdout, stderr)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode)  # noqa: SIM115
        for number, mode in enumerate(("r", "w", "w"))
    )
    os.chdir(cwd)
    sys.argv = ["irnet", *words]
    from irnet_cli.__main__ import main

    main()

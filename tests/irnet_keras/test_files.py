"""Atomic writing and the weights format."""

import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_path, atomic_write, make_folder
from irnet_keras.models.weights import load_arrays, save_arrays


def test_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path):
    target = tmp_path / "a.txt"
    atomic_write(target, "old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_missing_folder_and_folder_as_target_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot write .*No such file or directory"):
        atomic_write(tmp_path / "no" / "a", b"")
    with pytest.raises(UsageError, match="it is a folder"):
        atomic_write(tmp_path, b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot create folder"):
        make_folder(tmp_path / "file" / "sub")


def test_arrays_round_trip_with_shapes_and_metadata(tmp_path, rng):
    arrays = {
        "scalar": np.float32(3.5).reshape(()),
        "empty": np.zeros((0, 4), np.int64),
        "strided": rng.normal(size=(6, 8))[::2, ::-1],
    }
    save_arrays(tmp_path / "a.safetensors", arrays, {"note": "ü"})
    loaded, metadata = load_arrays(tmp_path / "a.safetensors")
    assert metadata["note"] == "ü"
    assert loaded.keys() == arrays.keys()
    for name, value in arrays.items():
        assert loaded[name].shape == value.shape
        assert loaded[name].dtype == value.dtype
        np.testing.assert_array_equal(loaded[name], value)


@pytest.mark.parametrize("position", [0, 9, 200, -1])
def test_any_changed_byte_is_noticed(tmp_path, rng, position):
    path = tmp_path / "a.safetensors"
    save_arrays(path, {"w": rng.normal(size=(50,))}, {})
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"corrupted|not a readable safetensors file"):
        load_arrays(path)


def test_a_link_is_followed_and_a_pipe_written_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    atomic_write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR)  # so that neither side waits
    atomic_write(tmp_path / "pipe", "new")
    assert (tmp_path / "pipe").is_fifo()
    assert os.read(end, 10) == b"new"
    os.close(end)


def test_a_full_disk_is_a_usage_error(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match=r"cannot write .*/a: No space left on device"):
        atomic_write(tmp_path / "a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_do_not_fit_on_the_disk_are_one_line_and_keep_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_arrays(path, {"a": np.zeros(1)}, {})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UsageError, match=r"cannot write .*a\.safetensors.*File too large"):
            save_arrays(path, {"a": np.zeros(100_000)}, {}, previous=tmp_path / "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

"""One line where a run folder cannot be written to any more."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from irnet_keras.errors import UsageError

_REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def naming_full_disks(folder: Path) -> Iterator[None]:
    """Say which folder is full; Keras' callbacks write to it, too, and TensorFlow names no file.

    Raises:
        UsageError: in place of an error of the disk. All other errors pass.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        for reason in map(os.strerror, _REASONS):
            if reason in str(error):
                raise UsageError(
                    f"cannot write to {folder}: {reason}; the last checkpoint is kept: continue "
                    "with --resume when that is mended"
                ) from error
        raise

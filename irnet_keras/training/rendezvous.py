"""Workers wait for each other before TensorFlow does, which has no limit of time and no way out."""

import contextlib
import socket
import time

from irnet_keras.errors import UsageError

_RETRY_SECONDS = 0.2
_GO = b"go\n"


def meet(addresses: list[str], worker: int, seconds: float) -> None:
    """Return when all workers have called this.

    Worker 0 listens on its own address for a moment, which is free again afterwards.

    Args:
        addresses: ``host:port`` of every worker.
        worker: this one.
        seconds: how long to wait for the last one.

    Raises:
        UsageError: naming the workers that did not come, or why this one cannot listen.
    """
    if len(addresses) == 1:
        return
    deadline = time.monotonic() + seconds
    host, _, port = addresses[0].rpartition(":")
    try:
        target = (host.strip("[]"), int(port))
    except ValueError as error:
        raise UsageError(f"TF_CONFIG: addresses are host:port, got {addresses[0]!r}") from error
    if worker == 0:
        _listen(addresses, target[1], deadline, seconds)
    else:
        _call(addresses, worker, target, deadline, seconds)


def _left(deadline: float) -> float:
    return max(0.01, deadline - time.monotonic())


def _listen(addresses: list[str], port: int, deadline: float, seconds: float) -> None:
    came: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(socket.create_server(("", port)))
        except (OSError, OverflowError) as error:
            raise UsageError(f"worker 0 cannot listen on {addresses[0]}: {error}") from error
        while len(came) < len(addresses) - 1:
            server.settimeout(_left(deadline))
            try:
                peer, _ = server.accept()
                stack.callback(peer.close)
                peer.settimeout(min(5.0, _left(deadline)))
                came[int(peer.recv(16))] = peer
            except (OSError, ValueError) as error:  # nobody, or somebody else
                if time.monotonic() < deadline:
                    continue
                missing = [f"{i} ({a})" for i, a in enumerate(addresses) if i > 0 and i not in came]
                raise UsageError(
                    f"worker {', '.join(missing)} did not start within {seconds:g} s"
                ) from error
        for peer in came.values():
            with contextlib.suppress(OSError):
                peer.sendall(_GO)
                peer.settimeout(5.0)
                peer.recv(1)  # the other side closes first, which frees the port at once


def _call(
    addresses: list[str], worker: int, target: tuple[str, int], deadline: float, seconds: float
) -> None:
    while True:
        with (
            contextlib.suppress(OSError, OverflowError),
            socket.create_connection(target, timeout=_left(deadline)) as peer,
        ):
            peer.sendall(b"%d\n" % worker)
            peer.settimeout(_left(deadline))
            if peer.recv(len(_GO)) == _GO:
                return
        if time.monotonic() > deadline:
            raise UsageError(
                f"the workers did not all start within {seconds:g} s; worker {worker} waited for "
                f"worker 0 ({addresses[0]})"
            )
        time.sleep(_RETRY_SECONDS)

"""Workers that wait for each other."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from irnet_keras.errors import UsageError
from irnet_keras.training.rendezvous import meet


def addresses(count: int) -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return [f"127.0.0.1:{s.getsockname()[1]}"] + ["127.0.0.1:1"] * (count - 1)


def test_all_come_in_any_order_and_the_port_is_free_again():
    workers = addresses(3)
    for order in ((0, 1, 2), (2, 1, 0)):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda w: meet(workers, w, 20), order))
    with socket.create_server(("127.0.0.1", int(workers[0].rpartition(":")[2]))):
        pass


def test_the_missing_are_named():
    workers = addresses(3)
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(meet, workers, w, 0.5) for w in (0, 1))
        with pytest.raises(UsageError, match=r"^worker 2 \(127.0.0.1:1\) did not start within 0.5"):
            first.result()
        with pytest.raises(UsageError, match=r"worker 1 waited for worker 0"):
            second.result()


def test_one_worker_waits_for_nobody():
    meet(["127.0.0.1:1"], 0, 0)


def test_addresses_that_are_none_are_refused():
    with pytest.raises(UsageError, match="addresses are host:port, got 'here'"):
        meet(["here", "there"], 0, 1)
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"worker 0 cannot listen on a:{port}: "):
            meet([f"a:{port}", "b:1"], 0, 1)

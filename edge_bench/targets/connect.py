"""From an address to a target."""

from collections.abc import Callable

from edge_bench.targets.address import Address
from edge_bench.targets.link import Link
from edge_bench.targets.target import Target


def connect(address: Address, *, log: Callable[[str], None] = lambda line: None) -> Target:
    """A target that is not opened yet: use it in a ``with`` statement.

    Args:
        address: of :func:`parse_address`.
        log: receives warnings.
    """

    def make_link() -> Link:
        if address.kind == "ssh":
            from edge_bench.targets.ssh import SshLink

            return SshLink(address)
        if address.kind == "adb":
            from edge_bench.targets.adb import AdbLink

            return AdbLink(address)
        from edge_bench.targets.local import LocalLink

        return LocalLink()

    return Target(address, make_link, log=log)

"""What ``--on`` takes: ``local``, ``ssh://[user@]host[:port]``, ``adb[:SERIAL]``."""

import re
from dataclasses import dataclass
from typing import Literal

from irnet_keras.errors import UsageError

ACCEPTED = "local, ssh://[user@]host[:port] or adb[:SERIAL]"
# No leading "-" (an option to some program), nothing a shell or a URL gives a meaning to.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]")
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_SSH = "ssh://"


@dataclass(frozen=True)
class Address:
    """One target as asked for.

    Attributes:
        kind: how it is reached.
        host: of SSH, IPv6 without brackets.
        user: of SSH, None for the one that SSH's configuration or system names.
        port: of SSH, None likewise.
        serial: of adb, None for the only device there is.
    """

    kind: Literal["local", "ssh", "adb"]
    host: str | None = None
    user: str | None = None
    port: int | None = None
    serial: str | None = None

    @property
    def text(self) -> str:
        """As in messages to the user, who wrote it."""
        if self.kind == "ssh":
            host = f"[{self.host}]" if ":" in (self.host or "") else self.host
            user = f"{self.user}@" if self.user else ""
            port = f":{self.port}" if self.port else ""
            return f"{_SSH}{user}{host}{port}"
        return f"adb:{self.serial}" if self.serial else self.kind


def parse_address(text: str) -> Address:
    """Read one value of ``--on``.

    Raises:
        UsageError: not of the accepted form. A password is refused without being repeated.
    """
    if text == "local":
        return Address("local")
    if text == "adb":
        return Address("adb")
    if text.startswith("adb:"):
        serial = text.removeprefix("adb:")
        if not _SERIAL.fullmatch(serial):
            raise UsageError(
                "--on: a serial must begin with a letter or digit and hold only those and ._:-, "
                f"as `adb devices` lists it, got {serial!r}"
            )
        return Address("adb", serial=serial)
    if text.startswith(_SSH):
        return _ssh(text.removeprefix(_SSH))
    raise UsageError(f"--on must be {ACCEPTED}, got {text!r}")


def _ssh(rest: str) -> Address:
    user, at, place = rest.rpartition("@")
    if ":" in user:
        raise UsageError(
            "--on: passwords are not taken, use a key or an agent: ssh://[user@]host[:port]"
        )
    if at and not _USER.fullmatch(user):
        raise UsageError(
            "--on: a user must begin with a letter or _ and hold only letters, digits and ._-, "
            f"got {user!r}"
        )
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", place, re.DOTALL)
    host, port = (found[1], found[2]) if found else (place, None)
    if not _HOST.fullmatch(host):
        raise UsageError(
            "--on: a host must begin with a letter or digit and hold only those and ._-, or be an "
            f"IPv6 address in brackets, got {host!r}"
        )
    number = None
    if port is not None:
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
            raise UsageError(f"--on: a port must be a number from 1 to 65535, got {port!r}")
        number = int(port)
    return Address("ssh", host=host.strip("[]"), user=user or None, port=number)

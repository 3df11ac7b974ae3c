"""What ``--on`` takes, and what it refuses."""

import pytest

from edge_bench.targets import Address, parse_address
from irnet_keras.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local", Address("local")),
        ("ssh://pi", Address("ssh", host="pi")),
        ("ssh://pi@raspberrypi.local:2222", Address("ssh", "raspberrypi.local", "pi", 2222)),
        ("ssh://10.0.0.7", Address("ssh", "10.0.0.7")),
        ("ssh://me@[fe80::1]:22", Address("ssh", "fe80::1", "me", 22)),
        ("adb", Address("adb")),
        ("adb:R58M123ABC", Address("adb", serial="R58M123ABC")),
        ("adb:192.168.0.5:5555", Address("adb", serial="192.168.0.5:5555")),
        ("adb:emulator-5554", Address("adb", serial="emulator-5554")),
    ],
)
def test_addresses_are_read_and_written_back(text: str, expected: Address) -> None:
    address = parse_address(text)
    assert address == expected
    assert address.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pi",
        "ssh:pi",
        "ssh://",
        "ssh://-oProxyCommand=id",
        "ssh://-l@pi",
        "ssh://pi@-F/etc/passwd",
        "ssh://a;id",
        "ssh://$(id)",
        "ssh://a`id`",
        "ssh://a b",
        "ssh://a\nb",
        "ssh://a|b",
        "ssh://a/path",
        "ssh://a:",
        "ssh://a:0",
        "ssh://a:65536",
        "ssh://a:22;id",
        "ssh://a:٢٢",
        "ssh://@a",
        "ssh://u;id@a",
        "ssh://[::1",
        "ssh://[$(id)]",
        "ssh://äpfel",
        "adb:",
        "adb:-s",
        "adb:-e other",
        "adb:a;reboot",
        "adb:$(id)",
        "adb:a\n",
        "adb:a b",
        "adb:../x",
        "adb://x",
        "LOCAL",
    ],
)
def test_options_and_shell_text_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--on"):
        parse_address(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="passwords are not taken") as caught:
        parse_address("ssh://pi:hunter2@board")
    assert "hunter2" not in str(caught.value)

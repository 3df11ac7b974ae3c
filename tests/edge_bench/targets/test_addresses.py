"""What ``--on`` takes, and what it refuses; what targets say of themselves."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_bench.targets import Address, parse_address
from edge_bench.targets.facts import parse_conditions, parse_facts
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


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("throttled=0x10001\n", ["under-voltage now", "under-voltage since the start"]),
        ("1\n", ["under-voltage now"]),
        ("throttled=0x0\n", []),
        ("0\n", []),
        ("", None),
        ("VCHI initialization failed\n", None),
    ],
)
def test_a_pis_flags_are_read_from_either_place(text: str, flags: list[str] | None) -> None:
    assert parse_conditions(f"== throttled\n{text}").throttling == flags


@given(st.text(st.sampled_from("= 0129.xaé\n:kBMTotalCPUimplementer_")))
def test_any_answer_of_a_target_is_read_or_refused(text: str) -> None:
    """Nothing but a ValueError, which becomes a message with the target's name."""
    parts = ("load", "frequency", "temperature", "throttled", "memory", "cores", "bits", "cpuinfo")
    said = "".join(f"== {name}\n{text}\n" for name in parts)
    with contextlib.suppress(ValueError):
        parse_facts(said)
    state = parse_conditions(said)
    assert state.temperature_c is None or 0 < state.temperature_c < 200

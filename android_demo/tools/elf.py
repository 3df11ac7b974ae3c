"""The few facts of a 64-bit little-endian ELF library that Android's loader cares about."""

import struct
from dataclasses import dataclass

MACHINES = {62: "x86_64", 183: "arm64-v8a"}
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 1, 5, 6, 10
DT_TEXTREL, DT_GNU_HASH, DT_HASH = 22, 0x6FFFFEF5, 4
SHN_UNDEF, STB_WEAK, STT_TLS = 0, 2, 6


@dataclass(frozen=True)
class Library:
    """What a library is and needs.

    Attributes:
        abi: Android's name of its instruction set.
        needed: libraries.
        imports: names it takes from them, weak ones left out.
        page: smallest alignment of its segments in bytes.
        text_relocations: whether its code must be changed to load.
        thread_local: whether it has thread-local variables of the linker's kind.
    """

    abi: str
    needed: tuple[str, ...]
    imports: frozenset[str]
    page: int
    text_relocations: bool
    thread_local: bool


def read_library(data: bytes) -> Library:
    """Read a library.

    Raises:
        ValueError: not a 64-bit little-endian ELF file of a known machine.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (machine,) = struct.unpack_from("<H", data, 18)
    if machine not in MACHINES:
        raise ValueError(f"machine {machine} is none of {sorted(MACHINES)}")
    (start,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    segments = [struct.unpack_from("<IIQQQQQQ", data, start + 56 * i) for i in range(count)]
    loads = [s for s in segments if s[0] == PT_LOAD]
    dynamic: dict[int, list[int]] = {}
    for kind, _, offset, _, _, size, _, _ in segments:
        if kind == PT_DYNAMIC:
            for place in range(offset, offset + size, 16):
                tag, value = struct.unpack_from("<QQ", data, place)
                dynamic.setdefault(tag, []).append(value)

    def at(address: int) -> int:
        for _, _, offset, virtual, _, size, _, _ in loads:
            if virtual <= address < virtual + size:
                return int(address - virtual + offset)
        raise ValueError(f"address {address:#x} is in no segment")

    strings = at(dynamic[DT_STRTAB][0])

    def text(offset: int) -> str:
        return data[strings + offset : data.index(b"\0", strings + offset)].decode()

    symbols = at(dynamic[DT_SYMTAB][0])
    (total,) = struct.unpack_from("<I", data, at(dynamic[DT_HASH][0]) + 4)
    imports, local = set(), False
    for place in range(symbols + 24, symbols + 24 * total, 24):
        name, info, _, section = struct.unpack_from("<IBBH", data, place)
        local = local or info & 15 == STT_TLS
        if section == SHN_UNDEF and info >> 4 != STB_WEAK:
            imports.add(text(name))
    return Library(
        MACHINES[machine],
        tuple(text(value) for value in dynamic.get(DT_NEEDED, [])),
        frozenset(imports),
        min(segment[7] for segment in loads),
        DT_TEXTREL in dynamic,
        local,
    )

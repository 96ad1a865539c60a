"""Plans spoiled in every way that hands, editors and networks spoil files; seeded."""

from __future__ import annotations

import random
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

HUGE = (b"1e400", b"-1e400", b"9" * 400, b"0x" + b"f" * 200, b"99999999999999999999999", b".inf")
WORDS = (
    b"null", b"true", b"[]", b"{}", b"''", b"-1", b"0", b"0.1", b"10%", b"0.5pp", b"1e3", b"12:30",
    b"[a, b]", b"{a: b}", b"&a [*a]", b"*none", b"!!int x", b"!x y", b"|", b">-", b"? x", b"- x",
    b"${var.x}", b"${env.X:-5}", b"${env.NOT_SET_ANYWHERE}", b"$${", b"${", b"${git.sha}", b"<<: 1",
    b'"\\ud800"', b'"\\0"', b'"\\UFFFFFFFF"', b"\xef\xbb\xbf", b"%YAML 9.9", b"---", b"...", b"#",
    b"candidate", b"baseline", b"shift", b"secret", b"../../../etc", b"/dev/zero", b"x" * 5000,
)  # fmt: skip
CHARACTERS = (
    b"\t", b"\0", b"\r", b"\n", b"\x1b[31m", b"\x85", b"\xe2\x80\xa8", b"\xff", b"\xc3", b"\x07",
    "é".encode(), "😀".encode(), "\ufeff".encode(), b"\xef\xbc\x91\xef\xbc\x90", b":", b"-", b"[", b"}", b'"',
)  # fmt: skip


def mutations(text: bytes, seed: int) -> bytes:
    """``text`` after one to four mutations; the same seed gives the same bytes."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        text = chance.choice(MUTATIONS)(text, chance)
    return text


def _lines(change: Callable[[list[bytes], int, random.Random], None]) -> Mutation:
    """A mutation of the text's lines; ``change`` gets them, one index, and the chance."""

    def mutate(text: bytes, chance: random.Random) -> bytes:
        lines = text.split(b"\n")
        change(lines, chance.randrange(len(lines)), chance)
        return b"\n".join(lines)

    return mutate


def _delete_line(lines: list[bytes], at: int, chance: random.Random) -> None:
    del lines[at]


def _double_line(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines.insert(chance.randrange(len(lines) + 1), lines[at])


def _swap_lines(lines: list[bytes], at: int, chance: random.Random) -> None:
    other = chance.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def _indent(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines[at] = chance.choice((b" ", b"  ", b"\t", b"    ")) + lines[at]


def _outdent(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines[at] = lines[at].lstrip()


def _rename_key(lines: list[bytes], at: int, chance: random.Random) -> None:
    key, colon, value = lines[at].partition(b":")
    place = chance.randrange(len(key) + 1)
    lines[at] = key[:place] + bytes([chance.randrange(97, 123)]) + key[place + 1 :] + colon + value


def _change_value(lines: list[bytes], at: int, chance: random.Random) -> None:
    key, _, _ = lines[at].partition(b":")
    lines[at] = key + b": " + chance.choice(WORDS + HUGE)


def _change_inside(lines: list[bytes], at: int, chance: random.Random) -> None:
    """Another value after one of the line's colons, in a flow mapping for instance."""
    parts = lines[at].split(b": ")
    part = chance.randrange(len(parts))
    end = min((parts[part].find(each) % (len(parts[part]) + 1) for each in b",}]"), default=0)
    parts[part] = chance.choice(WORDS + HUGE) + parts[part][end:]
    lines[at] = b": ".join(parts)


def _nest(lines: list[bytes], at: int, chance: random.Random) -> None:
    depth = chance.choice((1, 5, 70, 1100))
    key, _, value = lines[at].partition(b":")
    opening, closing = chance.choice(((b"[", b"]"), (b"{a: ", b"}")))
    lines[at] = key + b": " + opening * depth + value + closing * depth


def _truncate(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text) + 1)]


def _insert(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(CHARACTERS + WORDS) + text[at:]


def _random_bytes(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.randbytes(chance.randrange(1, 9)) + text[at:]


def _flip_bit(text: bytes, chance: random.Random) -> bytes:
    if not text:
        return text
    at = chance.randrange(len(text))
    return text[:at] + bytes([text[at] ^ (1 << chance.randrange(8))]) + text[at + 1 :]


def _drop_slice(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at + chance.randrange(1, 40) :]


def _repeat_slice(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at : at + chance.randrange(1, 200)] * 3 + text[at:]


def _carriage_returns(text: bytes, chance: random.Random) -> bytes:
    return text.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\r")))


def _byte_order_mark(text: bytes, chance: random.Random) -> bytes:
    return chance.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) + text


def _bomb(text: bytes, chance: random.Random) -> bytes:
    rows = [b"x-0: &b0 [x, x, x, x, x, x, x, x, x]"]
    rows += [
        b"x-%d: &b%d [%s]" % (row, row, b", ".join([b"*b%d" % (row - 1)] * 9))
        for row in range(1, chance.choice((3, 9, 60)))
    ]
    return b"\n".join([*rows, text])


MUTATIONS: tuple[Mutation, ...] = (
    *map(
        _lines,
        (
            _delete_line, _double_line, _swap_lines, _indent, _outdent, _rename_key, _rename_key,
            _change_value, _change_value, _change_inside, _change_inside, _change_inside, _nest,
        ),
    ),
    _truncate, _insert, _insert, _random_bytes, _flip_bit, _flip_bit, _drop_slice, _repeat_slice,
    _carriage_returns, _byte_order_mark, _bomb,
)  # fmt: skip

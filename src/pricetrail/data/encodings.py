"""Bytes to UTF-8 text: the encoding is told by the file, or by ``data.encoding``, and never guessed in silence."""

import codecs
from contextlib import suppress
from typing import Final

from pricetrail.base.errors import SourceError

_MARKS: Final = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CONTROLS: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r")
_LIKELY: Final = [  # what programs of shops write, the commonest first
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "mac_roman", "cp850", "cp437"),
    *("iso8859_2", "iso8859_15", "koi8_r", "cp866", "shift_jis", "gb18030", "big5", "euc_kr", "euc_jp"),
]


def to_utf8(place: str, content: bytes, encoding: str) -> bytes:
    """Text as UTF-8. A byte-order mark tells its encoding; without one, ``auto`` means UTF-8.

    Raises:
        SourceError: binary content, or an encoding that cannot be told or does not fit.
    """
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if not marked and encoding == "auto":
        content = content.removesuffix(b"\x1a")  # DOS's end of a file
        _require_text(place, content)
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise _untold(place, content, error.start) from None
        return content
    name = marked or encoding
    try:
        text = content.decode(name)
    except LookupError:
        raise SourceError("params.yaml", "data.encoding must be auto or a known encoding", encoding) from None
    except UnicodeDecodeError as error:
        rule = f"must be {name} text {'as its first bytes say' if marked else 'by data.encoding'}"
        row = content.count(b"\n", 0, error.start) + 1
        raise SourceError(place, f"{rule}: byte {error.start} is not, in line {row} ({error.reason})") from None
    if not (marked or text.isascii()) and len({*bytes(range(0xA0, 0x100)).decode(name, "replace")}) > 0x40:
        with suppress(UnicodeDecodeError):  # every file is text in an encoding of one byte a letter
            shown = _example(content.decode().encode(), "utf-8")
            raise SourceError(place, f"is UTF-8 text ({shown}): set data.encoding: auto, or data.files", encoding)
        if any(0x80 <= ord(letter) < 0xA0 for letter in set(text)):
            raise SourceError(place, "must be text by data.encoding, and holds control letters", encoding)
    content = text.encode()
    _require_text(place, content)
    return content


def _require_text(place: str, content: bytes) -> None:
    head, at = content[:65536], content.find(b"\0")
    if at >= 0 or len(head.translate(None, _CONTROLS)) < len(head):
        row = content.count(b"\n", 0, at) + 1
        place += f": row {row}" if at >= 0 else ""
        rule = "must be a text file, and holds control bytes (another kind of file, or UTF-16 without a mark)"
        raise SourceError(place, rule)


def _untold(place: str, content: bytes, start: int) -> SourceError:
    """The refusal of what is no UTF-8: how a text of it reads in the encodings that it may be in."""
    from charset_normalizer import from_bytes  # it takes a while to load, and most files are UTF-8

    lines = [line for line in content.splitlines() if not line.isascii()][:200]
    found = [match.encoding for match in from_bytes(b"\n".join(lines)[:100_000], cp_isolation=_LIKELY)][:4]
    readings: dict[str, str] = {}  # of encodings that give the same text, the commonest
    for name in sorted({*found, "cp1252"}, key=_LIKELY.index):
        try:
            readings.setdefault(_example(lines[0], name), name)
        except UnicodeDecodeError:
            continue
    told = ", ".join(f"{name}: {text}" for text, name in readings.items())
    rule = f"encoding cannot be told (byte {start} is no UTF-8): set data.encoding, or data.files for this file"
    return SourceError(place, f"{rule}; it reads in {told}" if told else rule)


def _example(line: bytes, encoding: str) -> str:
    """The first word with letters that are not ASCII, and what stands about it."""
    text = next(line for line in line.decode(encoding).splitlines() if not line.isascii())
    at = next(i for i, letter in enumerate(text) if not letter.isascii())
    return repr(text[max(0, at - 15) : at + 15])

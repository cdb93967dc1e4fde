"""The format of an object and its content, unpacked: gzip, zstd, lz4, bzip2, xz and ZIP; the others are named.

A damaged object gives what could be read, and then why it ends there.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any, Literal

import pyarrow as pa

from workbench.errors import RecordRefused

Format = Literal[
    "json", "gzip", "zstd", "lz4", "bzip2", "xz", "zip", "parquet", "orc", "avro", "ion", "snappy", "UTF-16", "binary"
]
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PAR1", "parquet"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"ORC", "orc"),
    (b"Obj\x01", "avro"),
    (b"\xe0\x01\x00\xea", "ion"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
UNREAD = {
    "parquet": "a Parquet file within: unpack it",
    "orc": "an ORC file within: unpack it",
    "avro": "an Avro file, which is not read: write the changes as JSON lines or Parquet",
    "ion": "Amazon Ion, which is not read: write DynamoDB JSON, also in exports",
    "snappy": "compressed by Snappy, which is not read: let Firehose compress by GZIP",
    "UTF-16": "text in UTF-16: write it as UTF-8 (in PowerShell: | Out-File -Encoding utf8)",
    "binary": "binary, of an unknown format and no JSON: if it is encrypted or compressed, undo that",
}
_CHUNK = 1 << 20
_LONGEST = 64 << 20  # bytes of a line: a record has up to some MB, an array of them more


def format_of(start: bytes) -> Format:
    """Return the format of an object by its first 16 bytes.

    >>> format_of(b'{"eventID":"1"'), format_of(b"PAR1"), format_of(bytes([31, 139, 8]))
    ('json', 'parquet', 'gzip')
    """
    for magic, name in _MAGIC:
        if start.startswith(magic):
            return name
    if re.match(rb"[\x50-\x5f]\x2a\x4d\x18", start):  # a frame of zstd that is to be skipped
        return "zstd"
    return "binary" if re.search(rb"[\x00-\x08\x0e-\x1d\x1f]", start) else "json"


def lines_of(path: str, kind: Format) -> Iterator[bytes | RecordRefused]:
    """Yield the lines of an object; where it is damaged, what could be read and then why it ends there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with open(f"{folder}/a.json", "w") as file:
    ...         _ = file.write('{"a":1}\\n{"a":2}')
    ...     list(lines_of(f"{folder}/a.json", "json"))
    [b'{"a":1}', b'{"a":2}']
    """
    parts, length = list[bytes](), 0  # of a line, put together once: a line may be long
    for chunk in _unpacked_chunks(path, kind):
        if isinstance(chunk, RecordRefused):
            if length:
                yield _line(parts, length)
            yield chunk
            return
        *ended, rest = chunk.split(b"\n")
        for end in ended:
            yield _line([*parts, end], length + len(end))
            parts, length = [], 0
        length += len(rest)
        parts = [*parts, rest] if length <= _LONGEST else []
    if length:
        yield _line(parts, length)


def _line(parts: list[bytes], length: int) -> bytes | RecordRefused:
    if length > _LONGEST:
        return RecordRefused(f"a line of {length:,} bytes, of which {_LONGEST:,} are read: put a record a line")
    return b"".join(parts)


def _unpacked_chunks(path: str, kind: Format) -> Iterator[bytes | RecordRefused]:
    """Yield the content of an object in chunks, unpacked, or say what it is."""
    with open(path, "rb") as file:
        if kind == "json":
            yield from iter(lambda: file.read(_CHUNK), b"")
        elif kind == "zip":
            yield from _unzip(file)
        else:
            pieces: Iterator[bytes | RecordRefused] = iter(lambda: file.read(_CHUNK), b"")
            yield from _unpacked(pieces, kind, path, "")


def _unpacked(
    pieces: Iterator[bytes | RecordRefused], kind: Format, path: str, within: str
) -> Iterator[bytes | RecordRefused]:
    """Undo a compression, and another one within."""
    if kind == "gzip":
        chunks = _gunzip(pieces)
    elif not within and kind in ("zstd", "lz4", "bzip2", "xz"):
        chunks = _read_through(path, kind)
    else:
        hadoop = kind == "binary" and path.endswith("snappy")  # whose form begins with lengths
        what = UNREAD.get("snappy" if hadoop else kind, f"compressed by {kind} within: unpack it")
        yield RecordRefused(f"{within}{what}")
        return
    first = next((chunk for chunk in chunks if chunk), b"")
    inner: Format = "json" if isinstance(first, RecordRefused) else format_of(first[:16])
    rest = chain([first], chunks)
    yield from rest if inner == "json" else _unpacked(rest, inner, path, f"{within}{kind} of ")


def _gunzip(pieces: Iterable[bytes | RecordRefused]) -> Iterator[bytes | RecordRefused]:
    inflate, read = zlib.decompressobj(wbits=31), 0
    for compressed in pieces:
        if isinstance(compressed, RecordRefused):
            yield compressed
            return
        while compressed:
            if inflate.eof:  # gzip members may follow each other
                inflate = zlib.decompressobj(wbits=31)
            try:
                chunk = inflate.decompress(compressed, _CHUNK)
            except zlib.error as error:
                yield RecordRefused(f"gzip object is damaged after {read:,} bytes of content: {error}")
                return
            read += len(chunk)
            yield chunk
            compressed = inflate.unconsumed_tail or inflate.unused_data
    if not inflate.eof:
        rest = inflate.flush()
        yield rest
        if not inflate.eof:
            yield RecordRefused(f"gzip object is truncated after {read + len(rest):,} bytes of content")


def _opened(path: str, kind: Format) -> Any:
    if kind in ("bzip2", "xz"):
        return (bz2.open if kind == "bzip2" else lzma.open)(path)
    return pa.input_stream(path, compression=kind)


def _read_through(path: str, kind: Format) -> Iterator[bytes | RecordRefused]:
    """Read a compressed object; of a damaged one, all that comes before the damage."""
    read, step = 0, _CHUNK
    while step:
        with _opened(path, kind) as stream:
            try:
                for skipped in range(0, read, _CHUNK):
                    stream.read(min(_CHUNK, read - skipped))
                while chunk := stream.read(step):
                    read += len(chunk)
                    yield chunk
                return
            except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
                why, step = str(error).splitlines()[0], step // 1024
    yield RecordRefused(f"{kind} object is truncated or damaged after {read:,} bytes of content: {why}")


def _unzip(file: IO[bytes]) -> Iterator[bytes | RecordRefused]:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                with archive.open(member) as content:
                    start = content.read(16)
                    inner = format_of(start)
                    pieces: Iterator[bytes] = chain([start], iter(lambda: content.read(_CHUNK), b""))
                    if inner == "json":
                        yield from pieces
                    else:
                        yield from _unpacked(pieces, inner, member.filename, "ZIP of ")
                    yield b"\n"
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, lzma.LZMAError) as error:
        yield RecordRefused(f"a ZIP file that cannot be read: {error}; unpack it")

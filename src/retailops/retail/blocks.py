"""Input files turned into blocks of raw text columns, each row with the line it stands on; nothing is judged here."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from retailops.errors import DataError
from retailops.retail.columns import COLUMNS
from retailops.retail.sources import LONGEST_LINE, SourceFile, damaged_error, not_utf8_error

BLOCK = 4 << 20  # bytes of text, about 28,000 rows: small enough to stay in a processor's cache
PARQUET_ROWS = 60_000
# Text as codes into its distinct values: everything later looks at a distinct value once, not at each row.
TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Block:
    """Consecutive rows of one file: every canonical column as dictionary-encoded text, and `line`, 1-based."""

    file: int
    table: pa.Table
    malformed: list[int] = field(default_factory=list)  # lines that don't have the header's number of fields


@dataclass
class Tally:
    """What has been read of one file so far."""

    sha256: Any = field(default_factory=hashlib.sha256)
    bytes: int = 0
    rows: int = 0


def read(files: list[SourceFile], tallies: list[Tally]) -> Iterator[Block]:
    """All rows of all files in order; `tallies`, one a file, is kept up to date. DataError for what can't be read."""
    for number, (file, tally) in enumerate(zip(files, tallies, strict=True)):
        reader = _parquet if file.kind == "parquet" else _csv
        for block in reader(number, file, tally):
            tally.rows += block.table.num_rows + len(block.malformed)
            yield block


def digest(file: SourceFile) -> str:
    """sha256 of the file's bytes as they lie on the disk."""
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Hashed:
    """A file that hashes what is read from it; gzip reads through it, so that one pass over the disk serves both."""

    def __init__(self, stream: IO[bytes], tally: Tally) -> None:
        self._stream = stream
        self._tally = tally

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._tally.sha256.update(data)
        self._tally.bytes += len(data)
        return data


def _csv(number: int, file: SourceFile, tally: Tally) -> Iterator[Block]:
    line = 2
    with file.path.open("rb") as stream:
        hashed = _Hashed(stream, tally)
        text: Any = gzip.GzipFile(fileobj=hashed, mode="rb") if file.kind == "csv.gz" else hashed  # type: ignore[call-overload]
        try:
            text.read(file.header_bytes)
            for data in _whole_lines(text, file):
                block, lines = _parse(number, file, data, line)
                line += lines
                yield block
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise damaged_error(file.name, error) from error


def _whole_lines(text: Any, file: SourceFile) -> Iterator[bytes]:
    """Pieces of about BLOCK bytes that end at a line's end."""
    line = 2
    rest = b""
    while True:
        data = text.read(BLOCK)
        if not data:
            break
        cut = data.rfind(b"\n") + 1
        if cut == 0:
            rest += data
            if len(rest) > BLOCK + LONGEST_LINE:
                raise _too_long(file, line)
            continue
        yield rest + data[:cut]
        line += data.count(b"\n")
        rest = data[cut:]
    if rest:
        yield rest


def _too_long(file: SourceFile, line: int) -> DataError:
    what = f"{file.name}: a line from line {line} on is longer than {BLOCK >> 20} MB."
    return DataError(what, "Check that the lines end with a line feed and that quotes are closed.")


def _parse(number: int, file: SourceFile, data: bytes, line: int) -> tuple[Block, int]:
    """The block of `data`, whose first line is `line`, and how many lines it holds."""
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    malformed: list[int] = []  # rows within the data, from 1

    def note(row: Any) -> str:
        malformed.append(row.number)
        return "skip"

    quoted = b'"' in data
    try:
        table = pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(column_names=list(file.headers), use_threads=False, block_size=len(data) + 1),
            parse_options=pc.ParseOptions(
                delimiter=file.delimiter,
                quote_char='"' if quoted else False,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(file.headers, TEXT),
                include_columns=list(file.columns),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        for offset, each in enumerate(data.split(b"\n")):
            _decoded(each, file, line + offset)
        raise DataError(f"{file.name}, from line {line}: can't be read as CSV ({error}).", "Check the file.") from error
    week = next(header for header, name in file.columns.items() if name == "SHOP_WEEK")
    blank = (malformed or table.column(week).null_count) and re.search(rb"^\s*$", data, re.MULTILINE) is not None
    if blank or table.num_rows + len(malformed) != lines:  # or quotes that run over the end of a line
        return _parse_line_by_line(number, file, data, line), lines
    kept = np.delete(np.arange(lines, dtype=np.int32), np.array(malformed, dtype=np.int64) - 1) + np.int32(line)
    return Block(number, _canonical(table, file, kept), [line + row - 1 for row in malformed]), lines


def _parse_line_by_line(number: int, file: SourceFile, data: bytes, line: int) -> Block:
    """The slow way, where a stray quote can't swallow more than its own line."""
    rows: list[list[str]] = []
    kept: list[int] = []
    malformed: list[int] = []
    for offset, raw in enumerate(data.split(b"\n")):
        text = _decoded(raw, file, line + offset).rstrip("\r")
        values = fields(text, file)
        if values is not None:
            rows.append(values)
            kept.append(line + offset)
        elif text.strip():
            malformed.append(line + offset)
    columns = list(zip(*rows, strict=True)) or [()] * len(file.headers)
    table = pa.table(
        {
            header: pa.array([value or None for value in column], pa.string()).dictionary_encode()
            for header, column in zip(file.headers, columns, strict=True)
            if header in file.columns
        }
    )
    return Block(number, _canonical(table, file, np.array(kept, dtype=np.int32)), malformed)


def fields(text: str, file: SourceFile) -> list[str] | None:
    """The fields of one line; None when their number isn't the header's or a quote is left open."""
    try:
        values = next(csv.reader([text], delimiter=file.delimiter, strict=True), [])
    except csv.Error:
        return None
    return values if len(values) == len(file.headers) else None


def _decoded(raw: bytes, file: SourceFile, line: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise not_utf8_error(file.name, line) from error


def _canonical(table: pa.Table, file: SourceFile, lines: np.ndarray[Any, Any]) -> pa.Table:
    """Canonical names in canonical order; a column that may be absent (the label of rows to predict) is all null."""
    by_name = {canonical: table.column(header) for header, canonical in file.columns.items()}
    absent = pa.nulls(table.num_rows, TEXT)
    columns = {name: by_name.get(name, absent) for name in COLUMNS}
    return pa.table({**columns, "line": pa.array(lines)})


def _parquet(number: int, file: SourceFile, tally: Tally) -> Iterator[Block]:
    import pyarrow.parquet as pq

    tally.sha256, line = _digest_object(file), 1
    with pq.ParquetFile(file.path) as parquet:
        for batch in parquet.iter_batches(PARQUET_ROWS, columns=list(file.columns)):
            text = {name: _text(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
            lines = np.arange(line, line + batch.num_rows, dtype=np.int32)
            line += batch.num_rows
            tally.bytes = file.bytes * (line - 1) // parquet.metadata.num_rows
            yield Block(number, _canonical(pa.table(text), file, lines))


def _digest_object(file: SourceFile) -> Any:
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256")


def _text(column: pa.Array) -> pa.Array:
    """Any type as the text that a CSV would hold."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()).dictionary_encode().cast(TEXT)

"""The files a user hands over: found, told apart, their headers matched to the canonical columns, before any work."""

from __future__ import annotations

import csv
import difflib
import gzip
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast

from retailops.errors import DataError
from retailops.progress import Progress, Silent
from retailops.retail.columns import ALIASES, COLUMNS, LABEL

Kind = Literal["csv", "csv.gz", "parquet"]

SUFFIXES: dict[str, Kind] = {".csv": "csv", ".csv.gz": "csv.gz", ".parquet": "parquet"}
DELIMITERS = (",", ";", "\t", "|")
LONGEST_LINE = 1 << 20  # bytes; a longer one means unbalanced quotes or a file that isn't CSV at all
SCIENTIFIC = r"\s*\d+([.,]\d+)?[eE]\+?\d+\s*"
FORMATS = "one CSV, a folder of weekly CSVs (plain or .gz), or parquet"


@dataclass(frozen=True)
class SourceFile:
    """One input file that can be read. `columns` maps header → canonical name, in the order of the file."""

    path: Path
    name: str
    kind: Kind
    bytes: int
    columns: dict[str, str]
    headers: tuple[str, ...]  # every column of the file, the ones we don't know too
    delimiter: str = ","
    header_bytes: int = 0  # where the first data line begins, in the uncompressed text
    first_week: str = ""  # of the first data row, a hint for the order of files
    notes: tuple[str, ...] = field(default=(), compare=False)


def discover(path: Path, *, labelled: bool = True, progress: Progress | None = None) -> list[SourceFile]:
    """The readable files of `path`, ordered by their first week. DataError names what is wrong, all columns at once.

    Lock files of office programs and empty files are passed over with a note as long as others remain.
    """
    progress = progress or Silent()
    found, skipped = _candidates(path)
    files = [_inspect(each, _name(each, path), labelled) for each in found]
    if not files:
        seen = f" It holds only {'; '.join(skipped)}." if skipped else ""
        what = f"{path} is empty." if path.is_file() else f"{path} holds no data file.{seen}"
        raise DataError(what, f"Give --input {FORMATS}.")
    for note in [*skipped, *(note for file in files for note in file.notes)]:
        progress.note(note)
    return sorted(files, key=lambda file: (file.first_week, file.name))


def open_text(file: SourceFile) -> IO[bytes]:
    """The bytes of a CSV from its beginning, decompressed."""
    return cast("IO[bytes]", gzip.open(file.path, "rb")) if file.kind == "csv.gz" else file.path.open("rb")


def scientific(value: str) -> bool:
    """Whether a BASKET_ID has been through a spreadsheet: 9.94E+14."""
    return re.fullmatch(SCIENTIFIC, value) is not None


def scientific_error(name: str, line: int, value: str) -> DataError:
    """Digits are lost for good in such a file, so no row of it can be trusted."""
    return DataError(
        f"{name}, line {line}: BASKET_ID is {value.strip()!r}. A spreadsheet such as Excel has rounded the 15-digit "
        "numbers to scientific notation, so different baskets now carry the same id.",
        "The digits can't be recovered: download the file again, and if you must open it in a spreadsheet, "
        "import the BASKET_ID column as text.",
    )


def not_utf8_error(name: str, line: int) -> DataError:
    return DataError(
        f"{name}, line {line}: the bytes are not UTF-8 text.",
        "Save the file as UTF-8, for instance: iconv -f LATIN1 -t UTF-8 OLD > NEW",
    )


def damaged_error(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: the compressed file is damaged or cut off ({error}).", "Download the file again.")


def _name(path: Path, root: Path) -> str:
    return path.name if path == root else path.relative_to(root).as_posix()


def _kind(path: Path) -> Kind | None:
    name = path.name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)


def _candidates(path: Path) -> tuple[list[Path], list[str]]:
    """Files worth opening, and a note for each one passed over."""
    if not path.exists():
        raise DataError(f"{path} doesn't exist.", f"Give --input {FORMATS}.")
    if path.is_file():
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes).", "Download the file again.")
        return [path], []
    found: list[Path] = []
    notes: list[str] = []
    for each in sorted(path.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in each.relative_to(path).parts)
        if each.name.startswith(".~lock."):
            notes.append(f"{each.name} is a lock file of a spreadsheet program: passed over")
        elif each.is_file() and not hidden and _kind(each):
            if each.stat().st_size == 0:
                notes.append(f"{each.name} is empty (0 bytes): passed over")
            else:
                found.append(each)
    return found, notes


def _inspect(path: Path, name: str, labelled: bool) -> SourceFile:
    kind = _kind(path) or "csv"
    if kind == "parquet":
        return _inspect_parquet(path, name, labelled)
    bare = SourceFile(path, name, kind, path.stat().st_size, {}, ())
    try:
        with open_text(bare) as stream:
            head = stream.readline(LONGEST_LINE)
            second = stream.readline(LONGEST_LINE)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged_error(name, error) from error
    except OSError as error:
        raise DataError(
            f"{name}: can't be read ({error}).", "Check its permissions and that it is complete."
        ) from error
    if b"\0" in head:
        raise DataError(f"{name}, line 1: this is a binary file, not CSV text.", f"Give --input {FORMATS}.")
    if len(head) >= LONGEST_LINE:
        raise DataError(f"{name}, line 1: longer than a megabyte.", "Check that lines end with a line feed.")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8_error(name, 1) from error
    delimiter, headers = _split_header(text)
    columns = _match(name, headers, labelled, text)
    first = _first_row(second, delimiter, headers, columns)
    if not second.strip():
        raise DataError(f"{name} holds a header and no rows.", "Download the file again, or take it out of the folder.")
    if scientific(first.get("BASKET_ID", "")):
        raise scientific_error(name, 2, first["BASKET_ID"])
    return SourceFile(
        path=path,
        name=name,
        kind=kind,
        bytes=path.stat().st_size,
        columns=columns,
        headers=headers,
        delimiter=delimiter,
        header_bytes=len(head),
        first_week=first.get("SHOP_WEEK", ""),
        notes=_extra(name, headers, columns),
    )


def _inspect_parquet(path: Path, name: str, labelled: bool) -> SourceFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as parquet:
            headers = tuple(parquet.schema_arrow.names)
            rows = parquet.metadata.num_rows
            columns = _match(name, headers, labelled, "")
            if rows == 0:
                raise DataError(f"{name} holds no rows.", "Download the file again, or take it out of the folder.")
            week = next(header for header, canonical in columns.items() if canonical == "SHOP_WEEK")
            first = str(next(parquet.iter_batches(1, columns=[week])).column(0)[0].as_py() or "")
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{name}: not a readable parquet file ({reason}).", "Download or write it again.") from error
    size = path.stat().st_size
    extra = _extra(name, headers, columns)
    return SourceFile(path, name, "parquet", size, columns, headers, first_week=first, notes=extra)


def _split_header(text: str) -> tuple[str, tuple[str, ...]]:
    """The delimiter under which most headers are known, and the headers."""
    best: tuple[int, str, tuple[str, ...]] = (-1, ",", ())
    for delimiter in DELIMITERS:
        headers = tuple(next(csv.reader([text.strip("\r\n")], delimiter=delimiter, skipinitialspace=True), []))
        known = sum(canonical(header) in COLUMNS for header in headers)
        if known > best[0]:
            best = (known, delimiter, headers)
    return best[1], best[2]


def canonical(header: str) -> str:
    """A header as our columns spell it, whatever its case, quotes and spaces."""
    bare = re.sub(r"\s+", "_", header.strip().strip("\"'").strip().upper())
    return ALIASES.get(bare, bare)


def _match(name: str, headers: Iterable[str], labelled: bool, line: str) -> dict[str, str]:
    """Header → canonical for the columns we know; DataError for all that are missing or given twice, at once."""
    columns = {header: canonical(header) for header in headers if canonical(header) in COLUMNS}
    counted = [canonical(header) for header in headers if canonical(header) in COLUMNS]
    twice = sorted({each for each in counted if counted.count(each) > 1})
    if twice:
        raise DataError(f"{name}, line 1: more than one column for {', '.join(twice)}.", "Keep one of each.")
    missing = [each for each in COLUMNS if each not in counted and (labelled or each != LABEL)]
    if not missing:
        return columns
    if not counted:
        what = f"{name}, line 1: there is no header with the column names (found: {line.strip()[:80]!r})."
        raise DataError(what, f"The first line must name the columns: {', '.join(COLUMNS)}.")
    strangers = [header.strip() for header in headers if header not in columns]
    hints = []
    for each in missing:
        close = difflib.get_close_matches(each, [canonical(stranger) for stranger in strangers], 1, 0.7)
        hints.append(f"{each} (is it {close[0]!r}?)" if close else each)
    what = f"{name}, line 1: missing column{'s' if len(missing) > 1 else ''} {', '.join(hints)}."
    raise DataError(what, "Rename or add the columns in the header; any case and the published aliases are understood.")


def _extra(name: str, headers: tuple[str, ...], columns: dict[str, str]) -> tuple[str, ...]:
    strangers = [header for header in headers if header not in columns]
    return (f"{name}: columns not used: {', '.join(strangers)}",) if strangers else ()


def _first_row(line: bytes, delimiter: str, headers: tuple[str, ...], columns: dict[str, str]) -> dict[str, str]:
    values = next(csv.reader([line.decode("utf-8", "replace").strip("\r\n")], delimiter=delimiter), [])
    return {columns[header]: value.strip() for header, value in zip(headers, values, strict=False) if header in columns}

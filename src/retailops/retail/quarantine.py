"""The quarantine: refused rows as a CSV that a person can mend and hand in again, each with file, line and reason."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from retailops.errors import GateFailed
from retailops.retail.blocks import fields
from retailops.retail.columns import COLUMNS
from retailops.retail.contract import RULES
from retailops.retail.sources import SourceFile, open_text

ROWS = "rows.csv"
HEADER = ("file", "line", "reason", *COLUMNS, "text")
Refused = tuple[int, int, str]  # file, line, reason


def write(folder: Path, files: list[SourceFile], refused: list[Refused]) -> None:
    """rows.csv with the raw values as they stand in the files; `text` holds a line that couldn't be split into columns.

    The loader ignores file, line, reason and text, so a mended rows.csv is an input like any other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_file: dict[int, dict[int, str]] = {}
    for position, line, reason in refused:
        by_file.setdefault(position, {})[line] = reason
    with (folder / ROWS).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(HEADER)
        for number, reasons in sorted(by_file.items()):
            name = files[number].name
            for line, values, text in _raw(files[number], reasons):
                rows.writerow((name, line, reasons[line], *(values.get(column, "") for column in COLUMNS), text))


def gate(rows: Path | str, refused: Mapping[str, int], raw: int, limit: float) -> None:
    """GateFailed when more than the share `limit` of the raw rows was refused; says how many for which reason.

    rows: where they are; refused: reason → rows.
    """
    count = sum(refused.values())
    if count <= limit * raw:
        return
    sentences = {rule.code: rule.sentence for rule in RULES}
    ranked = sorted(refused.items(), key=lambda each: (-each[1], each[0]))
    told = "\n".join(f"  {count:>9,} {reason}: {sentences[reason]}" for reason, count in ranked)
    share = f"{count:,} of {raw:,} rows ({count / raw:.2%})"
    counts = {"raw": raw, "quarantined": count, "limit": limit, "reasons": dict(refused)}
    raise GateFailed(
        f"{share} break the data contract, at most {limit:.2%} may:\n{told}",
        f"They are in {rows}, with file, line and reason. Mend them, or raise the share that is tolerated.",
        details={**counts, "folder": str(rows).removesuffix(f"/{ROWS}")},
    )


def _raw(file: SourceFile, lines: dict[int, str]) -> Iterator[tuple[int, dict[str, str], str]]:
    """(line, canonical name → raw value, text) of the wanted lines."""
    if file.kind == "parquet":
        yield from _raw_parquet(file, lines)
        return
    with open_text(file) as stream:
        for number, raw in enumerate(stream, 1):
            if number in lines:
                text = raw.decode("utf-8", "replace").rstrip("\r\n")
                values = fields(text, file)
                if values is None:
                    yield number, {}, text
                else:
                    named = dict(zip(file.headers, values, strict=True))
                    yield number, {canonical: named[header] for header, canonical in file.columns.items()}, ""


def _raw_parquet(file: SourceFile, lines: dict[int, str]) -> Iterator[tuple[int, dict[str, str], str]]:
    import pyarrow.parquet as pq

    number = 0
    with pq.ParquetFile(file.path) as parquet:
        for batch in parquet.iter_batches(columns=list(file.columns)):
            wanted = [line for line in range(number + 1, number + batch.num_rows + 1) if line in lines]
            for line in wanted:
                row = batch.slice(line - number - 1, 1).to_pylist()[0]
                values = {file.columns[header]: "" if value is None else str(value) for header, value in row.items()}
                yield line, values, ""
            number += batch.num_rows

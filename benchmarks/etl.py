"""What the ETL costs beside plain pandas doing the same work, and whether memory and time per row hold at tenfold size.

    python -m benchmarks.etl [--repetitions 3] [--tenfold | --no-tenfold] [--json]

Rows: the real weekly files that RETAILOPS_REAL_DATA names, else synthetic ones of the same size. Each run is a process
of its own; the two programs take turns. The tenfold input is the same rows moved ahead in time nine times.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from benchmarks.measuring import REAL_DATA, Bar, Ran, checked, report, run, worker

from retailops.progress import Silent
from retailops.retail import contract, synth

FASTER, PEAK_MB, SLOWER_TENFOLD = 4.0, 1000, 1.3
OPTIONS = {"threads": 2, "memory_mb": 700}
PANDAS = Path(__file__).with_name("pandas_etl.py")
# Plain pandas reads with its own parser, which is the bar; with the faster one of pyarrow it is shown beside it.
PANDAS_READERS = {"pandas": "c", "pandas reading by pyarrow": "pyarrow"}
SIZE = synth.SynthOptions(baskets=393_000, weeks=94)
YEARS = 2  # that a copy moves ahead: 104 weeks, so the weekday stays


def main() -> None:
    parser = argparse.ArgumentParser(description="What the ETL costs.")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--tenfold", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weekly = rows(folder)
        single = joined(weekly, folder / "single" / "transactions.csv")
        runs: dict[str, list[Ran]] = {}
        made: dict[str, Any] = {}
        for _ in range(given.repetitions):
            for shape, source in (("one file", single), ("weekly files", weekly)):
                for name, reader in PANDAS_READERS.items():
                    runs.setdefault(f"{name}, {shape}", []).append(pandas(source, folder / "pandas", reader))
                ran, made[shape] = ours(source, folder / "ours")
                runs.setdefault(f"retailops, {shape}", []).append(ran)
        if given.tenfold:
            shutil.rmtree(folder / "single")
            ran, made["tenfold"] = ours(tenfold(weekly, folder / "tenfold"), folder / "ours-tenfold")
            runs["retailops, ten times the rows"] = [ran]
        # Last: a child's peak memory begins at what its parent holds, and the comparison takes gigabytes.
        different = differences(folder / "ours", folder / "pandas")
    counts = {name: result["rows"] for name, result in made.items()}
    report(bars(runs, counts, different), {"rows": counts, "runs": table(runs)}, as_json=given.json)


def rows(folder: Path) -> Path:
    """A folder of weekly files: the real ones, or synthetic ones of the same size."""
    if named := os.environ.get(REAL_DATA):
        return Path(named)
    synth.write(folder / "weekly", SIZE, Silent())
    return folder / "weekly"


def joined(weekly: Path, path: Path) -> Path:
    """All weekly files in one, under one header."""
    path.parent.mkdir()
    with path.open("wb") as whole:
        for number, each in enumerate(sorted(weekly.glob("*.csv"))):
            with each.open("rb") as stream:
                header = stream.readline()
                whole.write(header if number == 0 else b"")
                shutil.copyfileobj(stream, whole)
    return path


def tenfold(weekly: Path, folder: Path) -> Path:
    """Ten times the rows: each copy two fiscal years later, with basket ids of its own."""
    folder.mkdir()
    connection = duckdb.connect(config={"threads": 2})
    for each in sorted(path for path in weekly.glob("*.csv") if path.stat().st_size):
        for copy in range(10):
            connection.execute(
                f"""COPY (
                    SELECT * REPLACE (
                        CAST(SHOP_WEEK AS BIGINT) + {100 * YEARS * copy} AS SHOP_WEEK,
                        strftime(strptime(SHOP_DATE, '%Y%m%d') + INTERVAL {52 * YEARS * copy} WEEK, '%Y%m%d')
                        AS SHOP_DATE,
                        CAST(BASKET_ID AS BIGINT) + {copy * 10**15} AS BASKET_ID
                    ) FROM read_csv('{each}', all_varchar = true)
                ) TO '{folder / f"{each.stem}_{copy}.csv"}' (HEADER)"""
            )
    return folder


def ours(source: Path, output: Path) -> tuple[Ran, Any]:
    shutil.rmtree(output, ignore_errors=True)
    return worker("etl", {"source": source}, output, OPTIONS)


def pandas(source: Path, output: Path, reader: str) -> Ran:
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    return checked(run([sys.executable, PANDAS, source, output, reader], output), "the pandas ETL", output)


def differences(mine: Path, other: Path) -> int:
    """Rows of silver and of gold that one program has and the other hasn't."""
    silver = ", ".join(field.name for field in contract.fields())
    connection = duckdb.connect(config={"memory_limit": "4GB", "threads": 2})
    features = [found[0] for found in connection.sql(f"DESCRIBE FROM '{mine}/gold/*.parquet'").fetchall()]
    pairs = (
        (silver, f"{mine}/silver/**/*.parquet", f"{other}/silver/**/*.parquet"),
        (", ".join(features), f"{mine}/gold/*.parquet", f"{other}/gold.parquet"),
    )
    total = 0
    for names, one, two in pairs:
        columns = names.lower().replace("shop_date", "cast(shop_date as date) as shop_date")
        sides = [f"SELECT {columns} FROM read_parquet('{path}', hive_partitioning = true)" for path in (one, two)]
        for left, right in (sides, reversed(sides)):
            ((found,),) = connection.sql(f"SELECT count(*) FROM ({left} EXCEPT ALL {right})").fetchall()
            total += found
    return total


def bars(runs: Mapping[str, list[Ran]], counts: Mapping[str, Mapping[str, int]], different: int) -> list[Bar]:
    def wall(name: str) -> float:
        return statistics.median(ran.seconds for ran in runs[name])

    found = [
        Bar(
            f"ETL against plain pandas, {shape}",
            wall(f"pandas, {shape}") / wall(f"retailops, {shape}"),
            FASTER,
            "at least",
            "×",
        )
        for shape in ("one file", "weekly files")
    ]
    found.append(Bar("rows that differ from those of pandas", different, 0, "at most"))
    peak = max(ran.peak_mb for name in ("one file", "weekly files") for ran in runs[f"retailops, {name}"])
    found.append(Bar("peak memory of the ETL", peak, PEAK_MB, "at most", "MB"))
    if "tenfold" in counts:
        (ten,) = runs["retailops, ten times the rows"]
        slower = (ten.seconds / counts["tenfold"]["raw"]) / (
            wall("retailops, weekly files") / counts["weekly files"]["raw"]
        )
        found.append(Bar("peak memory of the ETL at ten times the rows", ten.peak_mb, PEAK_MB, "at most", "MB"))
        found.append(Bar("time per row at ten times the rows", slower, SLOWER_TENFOLD, "at most", "×"))
    return found


def table(runs: Mapping[str, list[Ran]]) -> dict[str, dict[str, float]]:
    """Medians over the repetitions; the peak is the largest."""
    return {
        name: {
            "wall_s": round(statistics.median(ran.seconds for ran in each), 2),
            "cpu_s": round(statistics.median(ran.cpu_s for ran in each), 2),
            "peak_mb": round(max(ran.peak_mb for ran in each)),
        }
        for name, each in runs.items()
    }


if __name__ == "__main__":
    main()

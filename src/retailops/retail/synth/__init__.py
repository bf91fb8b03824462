"""Synthetic data: weekly files in the published layout, whose labels come about as they do in the real rows.

Each product has a hidden leaning to one class (or no say), related to its category and to how cheap it is there; a
basket's label follows the mean leaning of its lines against two thresholds. The leanings are never written: a model has
to find them, as it has to in the real rows. Nothing here is taken from a real product, price, store or customer.

Size: products (4,997), stores (761) and the demand for them stay as they are whatever the size; the number of known
customers grows with the baskets a week (5,000 customers ↔ 4,186 baskets), so a customer comes as often as a real one.
With `baskets` small, the rare products of the long tail are then seen a few times or never, as in a real small sample.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailops.errors import UsageError
from retailops.progress import Progress
from retailops.retail.columns import LABEL
from retailops.retail.synth.options import SynthOptions

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["VERSION", "SynthOptions", "generate", "write"]

# Of the generator itself: who keeps its output knows by this whether it would come out the same today.
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()

# Share of a usual week's baskets in the fiscal weeks of Christmas and New Year.
_SEASON = {44: 0.69, 45: 0.89}


def generate(options: SynthOptions) -> Iterator[pa.Table]:
    """One table a week, ascending, sorted by BASKET_ID and PROD_CODE; memory holds one week at a time.

    Columns and types are those of the published CSV (integers, SPEND in pounds as float64, the rest strings, null where
    the file is empty). Every week has its own random stream.
    """
    import numpy as np

    from retailops.retail.synth import week, world

    shop = world.build(options)
    shelf = week.Shelf(shop)
    for yyyyww, count in zip(options.fiscal_weeks, _counts(options), strict=True):
        rng = np.random.default_rng([options.seed, 3, yyyyww])
        yield week.week(shop, shelf, yyyyww, count, options.noise, rng)


def _counts(options: SynthOptions) -> list[int]:
    """Baskets of each week: `baskets` together, fewer at Christmas, a little up and down otherwise."""
    import numpy as np

    rng = np.random.default_rng([options.seed, 4])
    season = np.array([_SEASON.get(week % 100, 1.0) for week in options.fiscal_weeks])
    share = season * rng.normal(1.0, 0.02, options.weeks).clip(0.9, 1.1)
    ends = np.rint(np.cumsum(share) / share.sum() * (options.baskets - options.weeks)).astype(int)
    return [int(each) + 1 for each in np.diff(ends, prepend=0)]


def write(
    out: Path,
    options: SynthOptions,
    progress: Progress,
    *,
    format: str = "csv",
) -> dict[str, Any]:
    """Write `transactions_YYYYWW.csv` (or .parquet) for every week into `out`, each complete or not there at all.

    Run again it replaces its own files by the same bytes. UsageError when `out` holds transactions of other weeks,
    which would be read together with these. Returns counts: weeks, baskets, rows, bytes, labels (baskets), files.
    """
    if format not in _SINKS:
        raise UsageError(f"Synthetic data can't be written as {format!r}.", f"Formats: {', '.join(_SINKS)}.")
    names = [f"transactions_{week}.{format}" for week in options.fiscal_weeks]
    _refuse_strangers(out, names)
    out.mkdir(parents=True, exist_ok=True)
    progress.stage("Synthetic data", total=options.weeks, unit="weeks")
    rows = size = 0
    labels: Counter[str] = Counter()
    for done, (name, table) in enumerate(zip(names, generate(options), strict=True), start=1):
        part = out / f".{name}.part"
        try:
            _SINKS[format](table, part)
            size += part.stat().st_size
            part.replace(out / name)
        finally:
            part.unlink(missing_ok=True)
        rows += table.num_rows
        labels.update(_basket_labels(table))
        progress.advance(done)
    return {
        "weeks": options.weeks,
        "baskets": labels.total(),
        "rows": rows,
        "bytes": size,
        "labels": dict(sorted(labels.items())),
        "files": names,
    }


def _refuse_strangers(out: Path, names: list[str]) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; synthetic data needs a folder.", "Name another output folder.")
    strangers = sorted({path.name for path in out.glob("transactions*")} - set(names))
    if strangers:
        raise UsageError(
            f"{out} holds {strangers[0]}{' and more' if len(strangers) > 1 else ''}, which these options wouldn't "
            "replace: it would be read together with the new files.",
            "Name an empty folder, or remove those files first.",
        )


def _basket_labels(table: pa.Table) -> dict[str, int]:
    pairs = table.select(["BASKET_ID", LABEL]).group_by("BASKET_ID").aggregate([(LABEL, "min")])
    return {each["values"]: each["counts"] for each in pairs.column(f"{LABEL}_min").value_counts().to_pylist()}


def _write_csv(table: pa.Table, path: Path) -> None:
    from pyarrow import csv

    with path.open("wb") as sink:
        # pyarrow quotes every header; the published files have none.
        sink.write((",".join(table.column_names) + "\n").encode())
        csv.write_csv(table, sink, csv.WriteOptions(include_header=False, quoting_style="none"))


def _write_parquet(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table, path, compression="zstd")


_SINKS = {"csv": _write_csv, "parquet": _write_parquet}

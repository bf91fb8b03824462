"""Feature records: computed from the zones of a dataset, or read from what a bundle has learned; one file a group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import TargetFailed
from retailops.progress import Progress
from retailops.retail import bundle as bundles
from retailops.retail.bundle import Bundle
from retailops.retail.feature_groups import EVENT_TIME, OF_DATASETS, PRODUCT, SQL_TYPES, Group


def job(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The worker's entry: the records of inputs["dataset"], each group of datasets in output/<group>.parquet.

    Returns {"records": {group: how many}}.
    """
    progress.stage("feature records")
    return {"records": of_zones(inputs["dataset"], output, int(parameters["threads"]), int(parameters["memory_mb"]))}


def of_zones(dataset: Path, output: Path, threads: int, memory_mb: int) -> dict[str, int]:
    """Group → number of records, written to `output` from the zones gold and silver of a dataset's folder."""
    import duckdb

    limits: dict[str, Any] = {"threads": threads, "memory_limit": f"{memory_mb}MB"}
    spill = output / ".spilled"
    try:
        with duckdb.connect(config=limits | {"temp_directory": str(spill)}) as connection:
            for zone in ("gold", "silver"):
                # Behind a job's links, which a pattern with ** wouldn't follow.
                place = (dataset / zone).resolve()
                connection.read_parquet(f"{place}/**/*.parquet", hive_partitioning=False).create_view(zone)
            return {group.name: _write(connection, group, output / f"{group.name}.parquet") for group in OF_DATASETS}
    except duckdb.OutOfMemoryException as error:
        raise TargetFailed(
            f"{memory_mb} MB is too little memory for the feature records.", "Raise etl.memory_mb in retail.yaml."
        ) from error
    finally:
        files.remove(spill)


def _write(connection: Any, group: Group, path: Path) -> int:
    typed = [f"CAST({name} AS {SQL_TYPES[type_]}) AS {name}" for name, type_ in group.features.items()]
    columns = ", ".join([group.key, EVENT_TIME, *typed])
    query = f"COPY (SELECT {columns} FROM ({group.sql}) AS records) TO $1 (FORMAT parquet, COMPRESSION zstd)"
    ((count,),) = connection.execute(query, [str(path)]).fetchall()
    return int(count)


def of_bundle(bundle: Bundle, path: Path) -> int | None:
    """The product records of a bundle, written to `path`; their number, None when the model has no leanings.

    Their event time is the end of the last day that was learned from: a basket of the training weeks must not be given
    what was learned from its own label.
    """
    if not bundle.has(bundles.PRODUCTS):
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    products = bundle.json(bundles.PRODUCTS)
    learned = bundle.json(bundles.LEANINGS)["products"]
    codes = sorted(learned)
    known = datetime.fromisoformat(products["learned_until"]).replace(hour=23, minute=59, second=59)
    columns: dict[str, list[Any]] = {PRODUCT.key: codes, EVENT_TIME: [known] * len(codes)}
    for position, name in enumerate(("category", "department")):
        columns[name] = [products["attributes"][code][position] or None for code in codes]
    for position, name in enumerate(("leaning_la", "leaning_mm", "leaning_um", "leaning_none")):
        columns[name] = [learned[code][position] for code in codes]
    types = {"String": pa.string(), "Integral": pa.int64(), "Fractional": pa.float64()}
    fields = [(PRODUCT.key, pa.string()), (EVENT_TIME, pa.timestamp("us"))]
    fields += [(name, types[type_]) for name, type_ in PRODUCT.features.items()]
    with files.replacing(path) as temporary:
        pq.write_table(pa.table(columns, schema=pa.schema(fields)), temporary)
    return len(codes)

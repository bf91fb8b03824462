"""What a Spark job is to do, as one JSON object: SQL, files with their columns, folders, the manifest begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

from retailops.errors import Unsupported
from retailops.retail import contract, etl, quarantine
from retailops.retail.columns import COLUMNS, LABEL, UNCLASSIFIED
from retailops.retail.etl import EtlOptions
from retailops.retail.sources import SCIENTIFIC, SourceFile

FOLDERS = ("silver", "gold", "quarantine", "output", "staging")
SCRIPT = "job.py"


def script() -> bytes:
    """The job itself."""
    return resources.files("retailops.retail.spark").joinpath(SCRIPT).read_bytes()


def check(names: Sequence[str]) -> None:
    """Unsupported for files that only DuckDB reads here."""
    other = [name for name in names if name.lower().endswith(".parquet")]
    if other:
        raise Unsupported(
            f"The ETL on Spark reads CSV files, plain or .gz; {other[0]} is parquet.",
            "Set etl.engine: container in retail.yaml, or give it the CSV files.",
        )


def order(
    files: Sequence[SourceFile],
    places: Mapping[str, str],
    digests: Mapping[str, str],
    folders: Mapping[str, str],
    options: EtlOptions,
    *,
    labelled: bool,
) -> dict[str, Any]:
    """The order for these files.

    places and digests: name of a file → where Spark finds it, SHA-256 of its bytes; folders: a URI for each of FOLDERS.
    """
    check([file.name for file in files])
    silver = {each.name: each.type for each in contract.fields(labelled=labelled)}
    typed = "typed" if labelled else "typed_unlabelled"
    return {
        "columns": list(COLUMNS),
        "files": [
            {
                "columns": file.columns,
                "delimiter": file.delimiter,
                "headers": list(file.headers),
                "name": file.name,
                "path": places[file.name],
            }
            for file in files
        ],
        "folders": {name: folders[name] for name in FOLDERS},
        "manifest": {
            "version": etl.version_of(digests.values(), options, labelled),
            "labelled": labelled,
            "options": {**asdict(options), "label": LABEL},
            "schema": {"silver": silver},
            "inputs": [{"name": file.name, "bytes": file.bytes, "sha256": digests[file.name]} for file in files],
        },
        "max_quarantined": options.max_quarantined,
        "names": {
            "basket": "basket_id",
            "basket_column": "BASKET_ID",
            "duplicate": contract.DUPLICATE,
            "malformed": contract.MALFORMED,
            "scientific": SCIENTIFIC,
            "unclassified": UNCLASSIFIED,
        },
        "partitions": list(contract.PARTITIONS),
        "quarantine": list(quarantine.HEADER),
        "silver": list(silver),
        "sql": {"typed": _sql(typed), **{name: _sql(name) for name in ("weekdays", "verdicts", "gold")}},
    }


def _sql(name: str) -> str:
    return resources.files("retailops.retail").joinpath("sql", "spark", f"{name}.sql").read_text(encoding="utf-8")

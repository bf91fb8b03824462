"""Floor 4, aws: the tables silver and gold in Glue's catalog, which always show the newest dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retailops.progress import Progress
from retailops.retail import contract
from retailops.retail.dataset import Dataset
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.session import Session, code_of, translated

_TYPES = {  # as a manifest tells them → as Hive does; all else is text
    "INTEGER": "int",
    "TINYINT": "tinyint",
    "BIGINT": "bigint",
    "DATE": "date",
    "int8": "tinyint",
    "int32": "int",
    "int64": "bigint",
    "date32[day]": "date",
    "double": "double",
}
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_DATASET = "retailops.dataset"  # a table's parameter that says what it shows


class Catalog:
    """Two tables in the database `<prefix>` with underscores. Silver's partitions are projected, never listed."""

    def __init__(self, session: Session, mirror: Mirror) -> None:
        self._session = session
        self._mirror = mirror

    @property
    def database(self) -> str:
        return self._session.names.prefix.replace("-", "_")

    def show(self, dataset: Dataset, progress: Progress) -> None:
        """Have both tables show this dataset, each from one moment to the next. Shown already: nothing is done.

        A project whose database isn't built yet does without.
        """
        wanted = {"silver": self._silver(dataset), "gold": self._gold(dataset)}
        from botocore.exceptions import ClientError

        glue = self._session.client("glue")
        with translated("Keeping Glue's catalog current"):
            for name, table in wanted.items():
                call = {"DatabaseName": self.database, "TableInput": {"Name": name, **table}}
                try:
                    glue.update_table(**call)
                except ClientError as problem:
                    if code_of(problem) != "EntityNotFoundException":
                        raise
                    if not self._created(glue, call):
                        progress.note(f"There is no database {self.database}, so Athena can't ask: retailops infra up")
                        return

    def shown(self) -> str:
        """Version of the dataset that the tables show; nothing when there are none."""
        from botocore.exceptions import ClientError

        with translated("Asking Glue's catalog for the table gold"):
            try:
                found = self._session.client("glue").get_table(DatabaseName=self.database, Name="gold")["Table"]
            except ClientError as problem:
                if code_of(problem) != "EntityNotFoundException":
                    raise
                return ""
        return str(found.get("Parameters", {}).get(_DATASET, ""))

    def _created(self, glue: Any, call: Mapping[str, Any]) -> bool:
        """Make a table that isn't there. False when there is no database to make it in."""
        from botocore.exceptions import ClientError

        try:
            glue.create_table(**call)
        except ClientError as problem:
            if code_of(problem) == "AlreadyExistsException":  # another command was quicker
                glue.update_table(**call)
            elif code_of(problem) == "EntityNotFoundException":
                return False
            else:
                raise
        return True

    def _gold(self, dataset: Dataset) -> dict[str, Any]:
        columns = dataset.manifest["schema"]["gold"]
        return _table(columns, self._place(dataset.gold), {_DATASET: dataset.version})

    def _silver(self, dataset: Dataset) -> dict[str, Any]:
        columns = dict(dataset.manifest["schema"]["silver"])
        place = self._place(dataset.silver)
        parts = {name.lower(): values for name, values in self._partitions(dataset.silver).items()}
        keys = [{"Name": name, "Type": "string"} for name in parts]
        projected = {
            "projection.enabled": "true",
            "storage.location.template": "/".join(
                [place, *(f"{name}=${{{name.lower()}}}" for name in contract.PARTITIONS)]
            ),
        }
        for name, values in parts.items():
            projected |= {f"projection.{name}.type": "enum", f"projection.{name}.values": ",".join(values)}
        for name in contract.PARTITIONS:
            columns.pop(name)
        table = _table(columns, place, {_DATASET: dataset.version, **projected})
        return {**table, "PartitionKeys": keys}

    def _partitions(self, silver: Path) -> dict[str, Sequence[str]]:
        """Partition column → the values that occur, as they stand in the names of folders."""
        found: dict[str, set[str]] = {name: set() for name in contract.PARTITIONS}
        for path in self._mirror.listing(silver):
            for part in path.relative_to(silver).parts[:-1]:
                name, _, value = part.partition("=")
                found[name].add(value)
        return {name: sorted(values) for name, values in found.items()}

    def _place(self, zone: Path) -> str:
        ((_, uri),) = self._mirror.places(zone)
        return uri


def _table(columns: Mapping[str, str], place: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The description of a table of parquet files."""
    return {
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", **parameters},
        "StorageDescriptor": {
            "Columns": [{"Name": name.lower(), "Type": _TYPES.get(kind, "string")} for name, kind in columns.items()],
            "Location": f"{place}/",
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
        },
    }

"""Questions to a dataset: one SELECT over the views silver and gold, by an engine that can reach nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb

from retailops.errors import TargetFailed, UsageError
from retailops.retail.dataset import Dataset

_SHOWN = (str, int, float, bool, list, dict, type(None))


def ask(dataset: Dataset, sql: str, limit: int, *, memory_mb: int, threads: int) -> tuple[list[str], list[list[Any]]]:
    """Columns, and at most `limit` rows. UsageError for what isn't one SELECT, is wrong, or reaches for other files."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "threads": threads,
        "temp_directory": "",
    }
    connection = duckdb.connect(config=settings)
    try:
        _views(connection, dataset)
        found = connection.sql(f"SELECT * FROM ({one_select(sql)}\n) LIMIT {int(limit)}")  # noqa: S608 - see below
        # What is asked is the user's own SQL; it meets a connection that can read two folders and write nowhere.
        return found.columns, [[_plain(value) for value in row] for row in found.fetchall()]
    except duckdb.OutOfMemoryException as problem:
        raise TargetFailed(
            f"{memory_mb} MB is too little memory for this question.", "Raise etl.memory_mb in retail.yaml."
        ) from problem
    except duckdb.PermissionException as problem:
        raise UsageError(
            f"The question reaches for more than the dataset: {_first(problem)}", "Ask the views silver and gold."
        ) from problem
    except duckdb.Error as problem:
        raise UsageError(f"The question can't be answered: {_first(problem)}", fix(dataset)) from problem
    finally:
        connection.close()


def one_select(sql: str) -> str:
    """The statement without its semicolon. UsageError when it is another kind, or several, or can't be read."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as problem:
        raise UsageError(f"The question can't be read: {_first(problem)}", _EXAMPLE) from problem
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError("A question is one SELECT, and nothing else.", _EXAMPLE)
    return statements[0].query.strip().rstrip(";")


_EXAMPLE = 'For instance: retailops data query "SELECT label, count(*) FROM gold GROUP BY label"'


def fix(dataset: Dataset) -> str:
    """What there is to ask for."""
    columns = {zone: ", ".join(names) for zone, names in dataset.manifest["schema"].items()}
    return "\n".join(f"{zone} has: {names}" for zone, names in sorted(columns.items()))


def _views(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """silver and gold, and then the door is closed: no other file, no network, no change of settings."""
    folders = {"silver": dataset.silver.resolve(), "gold": dataset.gold.resolve()}
    for name, folder in folders.items():
        hive = f"hive_partitioning = {name == 'silver'}, hive_types_autocast = false"
        files = f"read_parquet({_text(f'{folder}/**/*.parquet')}, {hive})"
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {files}")  # noqa: S608 - our own folder, quoted
    allowed = ", ".join(_text(str(folder)) for folder in folders.values())
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, _SHOWN) or hasattr(value, "isoformat") else str(value)


def _first(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]

"""Floor 4, aws: questions to the lake, asked of Athena in the project's workgroup, which ends what scans too much."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from retailops.errors import ConfigError, NotReady, RetailOpsError, TargetFailed, UsageError
from retailops.ports import Table
from retailops.progress import Progress
from retailops.targets.aws import prices
from retailops.targets.aws.catalog import Catalog
from retailops.targets.aws.session import Session, translated

LOOK_S = 0.5
LEAST_BYTES = 10_000_000  # a query is billed for 10 MB at least
_ASKING = re.compile(
    r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*(SELECT|WITH|DESCRIBE|SHOW|EXPLAIN|VALUES)\b", re.IGNORECASE | re.DOTALL
)
_NUMBERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double", "decimal"), float),
    "boolean": lambda text: text == "true",
}


class Athena:
    """One question at a time; Ctrl-C stops it."""

    def __init__(self, session: Session, catalog: Catalog, look_s: float = LOOK_S) -> None:
        self._session = session
        self._catalog = catalog
        self._look_s = look_s

    def ask(self, sql: str, limit: int, progress: Progress) -> Table:
        """The answer, with the bytes that Athena scanned and what it asks for them."""
        if not _ASKING.match(sql):
            raise UsageError(
                "A question is one SELECT, and nothing else.",
                'For instance: retailops data query "SELECT label, count(*) FROM gold GROUP BY label"',
            )
        dataset = self._catalog.shown()
        if not dataset:
            raise NotReady("There is no dataset to ask.", "Run: retailops infra up, then: retailops etl")
        progress.stage("Asking Athena")
        with translated("Asking Athena"):
            execution = self._executed(sql)
            columns, rows = self._rows(execution["QueryExecutionId"], limit + 1)
        scanned = int(execution.get("Statistics", {}).get("DataScannedInBytes", 0))
        return Table(columns, rows[:limit], len(rows) > limit, dataset, scanned, self._usd(scanned))

    def _executed(self, sql: str) -> dict[str, Any]:
        """The query, once it has succeeded."""
        athena = self._session.client("athena")
        started = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self._catalog.database},
            WorkGroup=self._session.names.prefix,
        )
        name = started["QueryExecutionId"]
        try:
            while True:
                found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=name)["QueryExecution"]
                if found["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                    break
                time.sleep(self._look_s)
        except KeyboardInterrupt:
            athena.stop_query_execution(QueryExecutionId=name)
            raise
        if found["Status"]["State"] != "SUCCEEDED":
            raise self._failure(str(found["Status"].get("StateChangeReason", "no reason given")))
        return found

    def _failure(self, reason: str) -> RetailOpsError:
        if "scanned limit" in reason.lower():
            return UsageError(
                f"The question would scan more than {self._session.settings.query_limit_gb:g} GB: it was ended.",
                "Ask for fewer columns or one region, or raise aws.query_limit_gb and run: retailops infra up",
            )
        if re.search(
            r"SYNTAX_ERROR|COLUMN_NOT_FOUND|TABLE_NOT_FOUND|FUNCTION_NOT_FOUND|TYPE_MISMATCH|line \d+:", reason
        ):
            return UsageError(
                f"The question can't be answered: {reason}", "Correct it; the tables are silver and gold."
            )
        if re.search(r"(?i)access denied|not authorized|permission", reason):
            return TargetFailed(f"Athena may not read the lake: {reason}", "See: retailops doctor")
        return TargetFailed(f"Athena couldn't answer: {reason}", "Run the same command again.")

    def _rows(self, name: str, most: int) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
        pages = self._session.client("athena").get_paginator("get_query_results").paginate(QueryExecutionId=name)
        columns: list[dict[str, Any]] = []
        rows: list[tuple[Any, ...]] = []
        for number, page in enumerate(pages):
            columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            told = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
            header = number == 0 and told[:1] == [[column["Name"] for column in columns]]
            rows += [_typed(row, columns) for row in told[1 if header else 0 :]]
            if len(rows) >= most:
                break
        return tuple(column["Name"] for column in columns), tuple(rows[:most])

    def _usd(self, scanned: int) -> float | None:
        try:
            price = prices.load(self._session.names.region).of("athena.scanned")
        except ConfigError:
            return None
        return round(max(scanned, LEAST_BYTES) / 1e12 * price.usd, 8)


def _typed(row: list[str | None], columns: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Athena tells everything as text."""
    return tuple(
        None if value is None else _NUMBERS.get(str(column["Type"]).partition("(")[0], str)(value)
        for value, column in zip(row, columns, strict=True)
    )

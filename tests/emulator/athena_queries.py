"""Athena's answers: a query is really run, by DuckDB over the tables of the emulated catalog and what S3 has for them.

Projected partitions are read as Athena reads them: every combination of the enumerated values is a place, whether
something is there or not, and the values are columns. `scanned` counts the files of the tables that the query names.
"""

from __future__ import annotations

import itertools
import json
import re
import tempfile
import uuid
from pathlib import Path
from typing import Any

import duckdb
from moto.athena.models import athena_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.glue.models import glue_backends
from moto.s3.models import s3_backends

from emulator.server import Hook, Request, Response

_EXECUTIONS: dict[str, dict[str, Any]] = {}
_TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "TINYINT": "tinyint", "DOUBLE": "double", "DATE": "date"}


def queries(request: Request) -> Response | None:
    service, _, operation = request.target.partition(".")
    if service != "AmazonAthena" or operation not in _OPERATIONS:
        return None
    return _OPERATIONS[operation](request, json.loads(request.body))


def _start(request: Request, wanted: dict[str, Any]) -> Response:
    group = athena_backends[DEFAULT_ACCOUNT_ID][request.region].work_groups.get(wanted["WorkGroup"])
    if group is None:
        return _refusal(f"WorkGroup {wanted['WorkGroup']} is not found.")
    name = str(uuid.uuid4())
    found: dict[str, Any] = {"QueryExecutionId": name, "Query": wanted["QueryString"], "Status": {"State": "SUCCEEDED"}}
    _EXECUTIONS[name] = found
    limit = (group.configuration or {}).get("BytesScannedCutoffPerQuery")
    try:
        scanned, answer = _run(request.region, wanted["QueryExecutionContext"]["Database"], wanted["QueryString"])
        found |= {"Statistics": {"DataScannedInBytes": scanned}, "answer": answer}
        if limit and scanned > limit:
            reason = f"Query exhausted resources: Bytes scanned limit was exceeded ({limit})"
            found["Status"] = {"State": "CANCELLED", "StateChangeReason": reason}
    except duckdb.Error as problem:
        found["Status"] = {"State": "FAILED", "StateChangeReason": f"SYNTAX_ERROR: line 1:1: {problem}"}
    return _told({"QueryExecutionId": name})


def _one(request: Request, wanted: dict[str, Any]) -> Response:
    found = _EXECUTIONS[wanted["QueryExecutionId"]]
    return _told({"QueryExecution": {name: value for name, value in found.items() if name != "answer"}})


def _results(request: Request, wanted: dict[str, Any]) -> Response:
    columns, rows = _EXECUTIONS[wanted["QueryExecutionId"]]["answer"]
    start, size = int(wanted.get("NextToken", 0)), int(wanted.get("MaxResults", 1000))
    whole = [[name for name, _ in columns], *rows]
    told = whole[start : start + size]
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in told]
    more = {"NextToken": str(start + size)} if start + size < len(whole) else {}
    info = [{"Name": name, "Type": kind} for name, kind in columns]
    return _told({"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": info}}, **more})


def _run(region: str, database: str, sql: str) -> tuple[int, tuple[list[tuple[str, str]], list[list[str | None]]]]:
    """Bytes scanned; columns with their types, and rows as text."""
    connection, scanned = duckdb.connect(), 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, table in glue_backends[DEFAULT_ACCOUNT_ID][region].databases[database].tables.items():
            if re.search(rf"\b{name}\b", sql, re.IGNORECASE):
                scanned += _view(connection, name, table.as_dict(), Path(scratch) / name)
        found = connection.sql(sql)
        columns = [
            (name, _TYPES.get(str(kind), "bigint" if str(kind) == "HUGEINT" else "varchar"))
            for name, kind in zip(found.columns, found.types, strict=True)
        ]
        rows = [[None if value is None else str(value) for value in row] for row in found.fetchall()]
    return scanned, (columns, rows)


def _view(connection: duckdb.DuckDBPyConnection, name: str, table: dict[str, Any], folder: Path) -> int:
    """Make what the table shows; bytes of its files."""
    parameters, scanned, selects = table["Parameters"], 0, []
    keys = [key["Name"] for key in table.get("PartitionKeys", [])]
    names = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
    enumerated = [parameters[f"projection.{key}.values"].split(",") for key in keys]
    template = parameters.get("storage.location.template", table["StorageDescriptor"]["Location"])
    for number, values in enumerate(itertools.product(*enumerated)):
        given = dict(zip(keys, values, strict=True))
        place = re.sub(r"\$\{(\w+)\}", lambda each, given=given: given[each[1]], template)  # type: ignore[misc]
        scanned += (size := _download(place, folder / str(number)))
        if size:
            parts = "".join(f", '{value}' AS {key}" for key, value in given.items())
            files = f"read_parquet('{folder}/{number}/*.parquet', hive_partitioning = false)"
            selects.append(f"SELECT {', '.join(names)}{parts} FROM {files}")
    connection.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(selects)}")
    return scanned


def _download(place: str, folder: Path) -> int:
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    folder.mkdir(parents=True)
    size = 0
    for key, stored in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys.items():
        if key.startswith(prefix.rstrip("/") + "/") and key.endswith(".parquet"):
            (folder / f"{size}.parquet").write_bytes(stored.value)
            size += len(stored.value)
    return size


_OPERATIONS = {"StartQueryExecution": _start, "GetQueryExecution": _one, "GetQueryResults": _results}


def _told(what: dict[str, Any]) -> Response:
    return Response(json.dumps(what).encode())


def _refusal(message: str) -> Response:
    says = {"__type": "InvalidRequestException", "Message": message}
    return Response(json.dumps(says).encode(), 400)


HOOKS: list[Hook] = [queries]

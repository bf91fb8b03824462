"""What a Spark job said that it couldn't do, in the words of the ETL that runs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retailops.errors import GateFailed, RetailOpsError
from retailops.retail import etl, quarantine, sources


def error(told: Mapping[str, Any], folder: str, limit: float) -> RetailOpsError:
    """The error for problem.json; `folder` is the quarantine, `limit` the share of rows that may be there."""
    problem = told["problem"]
    if problem == "scientific":
        return sources.scientific_error(told["name"], told["line"], told["value"])
    if problem == "not_utf8":
        return sources.not_utf8_error(told["name"], told["line"])
    if problem == "empty":
        return etl.empty_error(folder)
    try:
        quarantine.gate(f"{folder}/{quarantine.ROWS}", told["reasons"], told["raw"], limit)
    except GateFailed as gate:
        return gate
    raise ValueError(f"A Spark job told a problem that isn't known: {dict(told)}")

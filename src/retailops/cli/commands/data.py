"""data synth, data query and etl: from rows to a dataset, and questions to it."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group

if TYPE_CHECKING:
    from retailops.retail.synth import SynthOptions


class Format(StrEnum):
    """How the files are written."""

    csv = "csv"
    parquet = "parquet"


def register(app: typer.Typer) -> None:
    data = group(app, "data", "Make synthetic data, and ask what a dataset holds.")
    command(data, "synth", path="data synth")(synth)
    command(data, "query", path="data query")(query)
    command(app, "etl")(etl)


def synth(
    call: Call,
    output: Annotated[Path, Option("--output", metavar="DIR", help="The folder to write to.")] = Path("data"),
    baskets: Annotated[
        int | None, Option("--baskets", min=1, metavar="N", help="Baskets in all. Default: 40000.")
    ] = None,
    weeks: Annotated[
        int | None, Option("--weeks", min=1, metavar="N", help="Weeks, one file each. Default: 20.")
    ] = None,
    seed: Annotated[
        int | None, Option("--seed", metavar="N", help="The same seed writes the same bytes. Default: 7.")
    ] = None,
    noise: Annotated[
        float | None,
        Option("--noise", min=0.0, max=1.0, metavar="SHARE", help="Share of labels redrawn at random. Default: 0."),
    ] = None,
    format: Annotated[Format, Option("--format", help="csv or parquet.", metavar="FORMAT")] = Format.csv,
) -> Answer:
    """Write synthetic shopping baskets that resemble the real data."""
    from retailops.cli.views import data as views
    from retailops.lifecycle import data

    options = _options(baskets, weeks, seed, noise)
    outcome = data.synth(output, options, str(format), call.progress)
    return Answer(outcome, views.written, next=f"retailops etl --input {output}")


def _options(baskets: int | None, weeks: int | None, seed: int | None, noise: float | None) -> SynthOptions:
    """The generator's own defaults, but for what the flags say."""
    from retailops.retail.synth import SynthOptions

    given = {"baskets": baskets, "weeks": weeks, "seed": seed, "noise": noise}
    return replace(SynthOptions(), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def query(
    call: Call,
    sql: Annotated[str, Argument(metavar="SQL", help="One SELECT over the tables silver and gold.")],
    limit: Annotated[int, Option("--limit", min=1, max=100_000, metavar="N", help="Rows at most.")] = 100,
    csv: Annotated[bool, Option("--csv", help="Print the rows as CSV.")] = False,
) -> Answer:
    """Ask the newest dataset a question in SQL; nothing is changed."""
    from retailops.cli.views import data as views
    from retailops.lifecycle import data

    outcome = data.query(call.target, sql, limit, call.progress)
    return Answer(outcome, views.as_csv if csv else views.answer)


def etl(
    call: Call,
    input: Annotated[
        Path | None,
        Option(
            "--input", metavar="PATH", help="A CSV, a folder of CSVs, parquet; on aws s3:// too. Default: data.input."
        ),
    ] = None,
) -> Answer:
    """Check, clean and aggregate the rows: raw, silver, gold."""
    from retailops.cli.views import data as views
    from retailops.lifecycle import etl

    return Answer(etl.etl(call.target, input, call.progress), views.dataset, next="retailops train --algo all")

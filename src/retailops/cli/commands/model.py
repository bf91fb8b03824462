"""train, register, models, predict: from a dataset to a version, and to a file of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group


def register(app: typer.Typer) -> None:
    command(app, "train")(train)
    command(app, "register")(register_model)
    models = group(app, "models", "List runs and registered versions, show one of them.")
    command(models, "list", path="models list")(models_list)
    command(models, "show", path="models show")(models_show)
    command(models, "runs", path="models runs")(models_runs)
    command(app, "predict")(predict)


def train(
    call: Call,
    algo: Annotated[
        list[str] | None,
        Option(
            "--algo",
            metavar="NAME",
            help="An algorithm, or all; may be repeated. Default: train.algorithms of retail.yaml.",
        ),
    ] = None,
) -> Answer:
    """Train on the earlier weeks, score on the later ones."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import train

    return Answer(train.train(call.target, algo or None, call.progress), views.trained, next="retailops register")


def register_model(
    call: Call,
    run: Annotated[
        str | None, Option("--run", metavar="ID", help="The run to register. Default: the best of the newest dataset.")
    ] = None,
) -> Answer:
    """Hold a run against the gates and make it a version."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import register

    outcome = register.register(call.target, run, call.progress)
    return Answer(outcome, views.registered, next="retailops deploy")


def models_list(call: Call) -> Answer:
    """List the registered versions."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import models

    return Answer(models.versions(call.target), views.versions, next="retailops models show VERSION")


def models_show(
    call: Call,
    version: Annotated[int, Argument(metavar="VERSION", min=1, help="The version to show.")],
) -> Answer:
    """Show a version: its scorecard and the way back to its data."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import models

    return Answer(models.show(call.target, version), views.version, next=f"retailops deploy --version {version}")


def models_runs(call: Call) -> Answer:
    """List the training runs, side by side."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import models

    return Answer(models.runs(call.target), views.runs, next="retailops register --run ID")


def predict(
    call: Call,
    path: Annotated[Path, Argument(metavar="PATH", help="Rows to score: a CSV, a folder of CSVs, or parquet.")],
    output: Annotated[Path, Option("--output", metavar="FILE", help="Where to write the predictions, as CSV.")],
    version: Annotated[
        int | None, Option("--version", min=1, metavar="N", help="The version to use. Default: the live one.")
    ] = None,
) -> Answer:
    """Score a file of baskets."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import predict

    return Answer(predict.predict(call.target, path, output, version, call.progress), views.predicted)

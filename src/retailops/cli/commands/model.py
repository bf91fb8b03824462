"""train, tune, register, models, predict: from a dataset to a version, and to a file of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command, group


def register(app: typer.Typer) -> None:
    command(app, "train")(train)
    command(app, "tune")(tune)
    command(app, "register")(register_model)
    models = group(app, "models", "List and compare runs, show, approve and reject registered versions.")
    command(models, "list", path="models list")(models_list)
    command(models, "show", path="models show")(models_show)
    command(models, "runs", path="models runs")(models_runs)
    command(models, "compare", path="models compare")(models_compare)
    command(models, "approve", path="models approve")(models_approve)
    command(models, "reject", path="models reject")(models_reject)
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


def tune(
    call: Call,
    algo: Annotated[str, Option("--algo", metavar="NAME", help="The algorithm to tune.")],
    trials: Annotated[
        int | None,
        Option("--trials", min=2, max=10_000, metavar="N", help="Sets of parameters to try. Default: tune.trials."),
    ] = None,
) -> Answer:
    """Search an algorithm's parameters in the training weeks, then train it. Cut off, it goes on when run again."""
    from retailops.cli.views import tune as views
    from retailops.lifecycle import tune

    outcome = tune.tune(call.target, algo, trials, call.progress)
    return Answer(outcome, views.tuned, next=f"retailops register --run {outcome.result['run']}")


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


def models_compare(
    call: Call,
    runs: Annotated[
        list[str] | None, Argument(metavar="[RUN]...", help="The runs. Default: all of the newest dataset.")
    ] = None,
) -> Answer:
    """Set runs side by side: data, parameters that differ, figures, gates."""
    from retailops.cli.views import tune as views
    from retailops.lifecycle import compare

    return Answer(compare.compare(call.target, runs or []), views.compared, next="retailops register --run ID")


def models_approve(
    call: Call,
    version: Annotated[int, Argument(metavar="VERSION", min=1, help="The version to approve.")],
    reason: Annotated[str, Option("--reason", metavar="TEXT", help="Why.")] = "",
) -> Answer:
    """Approve a version: with gates.approval required, only such versions are deployed."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import approval

    outcome = approval.decide(call.target, version, "approved", reason)
    return Answer(outcome, views.decided, next=f"retailops deploy --version {version}")


def models_reject(
    call: Call,
    version: Annotated[int, Argument(metavar="VERSION", min=1, help="The version to reject.")],
    reason: Annotated[str, Option("--reason", metavar="TEXT", help="Why.")] = "",
) -> Answer:
    """Reject a version: it isn't deployed any more. One that is live stays live."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import approval

    return Answer(approval.decide(call.target, version, "rejected", reason), views.decided)


def predict(
    call: Call,
    path: Annotated[Path, Argument(metavar="PATH", help="CSV, a folder of CSVs, or parquet; on aws s3:// too.")],
    output: Annotated[Path, Option("--output", metavar="FILE", help="Where to write the predictions, as CSV.")],
    version: Annotated[
        int | None, Option("--version", min=1, metavar="N", help="The version to use. Default: the live one.")
    ] = None,
) -> Answer:
    """Score a file of baskets."""
    from retailops.cli.views import model as views
    from retailops.lifecycle import predict

    return Answer(predict.predict(call.target, path, output, version, call.progress), views.predicted)

"""deploy, rollback, serve, status, monitor, logs: the live API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from retailops.cli.call import Call
from retailops.cli.command import Answer, command
from retailops.errors import UsageError

if TYPE_CHECKING:
    from retailops.serving import Options


def register(app: typer.Typer) -> None:
    command(app, "deploy")(deploy)
    command(app, "rollback")(rollback)
    command(app, "serve")(serve)
    command(app, "status")(status)
    command(app, "monitor")(monitor)
    command(app, "logs")(logs)


def deploy(
    call: Call,
    version: Annotated[
        int | None, Option("--version", min=1, metavar="N", help="The version to serve. Default: the newest.")
    ] = None,
    render: Annotated[
        Path | None, Option("--render", metavar="DIR", help="Write the Kubernetes manifests there, and deploy nothing.")
    ] = None,
) -> Answer:
    """Put a version live, proved first; the old one serves until then."""
    from retailops.cli.views import live as views
    from retailops.lifecycle import deploy

    if render is not None:
        return Answer(deploy.render(call.target, version, render), views.rendered)
    call.confirm_paid(deploy.planned(call.target))
    return Answer(deploy.deploy(call.target, version, call.progress), views.deployed, next="retailops status")


def rollback(
    call: Call,
    to: Annotated[
        int | None,
        Option(
            "--to", min=1, metavar="N", help="A version that served before. Default: the one before the last deploy."
        ),
    ] = None,
) -> Answer:
    """Undo the last deploy: model, settings and features as they were, proved first. Twice undoes no more."""
    from retailops.cli.views import live as views
    from retailops.lifecycle import rollback

    outcome = rollback.rollback(call.target, to, call.progress)
    left, now = outcome.result["from"], outcome.result["to"]
    # What was left may go live again with the next `run`, unless somebody says no to it.
    ahead = "retailops status" if left == now else f"retailops models reject {left}"
    return Answer(outcome, views.rolled_back, next=ahead)


def serve(
    call: Call,
    version: Annotated[
        int | None, Option("--version", min=1, metavar="N", help="The version to serve. Default: the newest.")
    ] = None,
    port: Annotated[
        int | None, Option("--port", min=0, max=65535, metavar="PORT", help="Default: deploy.port of retail.yaml.")
    ] = None,
) -> Answer:
    """Serve a version in the foreground, until Ctrl-C."""
    from retailops.cli.views import live as views
    from retailops.lifecycle import serve
    from retailops.lifecycle.outcome import Outcome
    from retailops.serving import serve as foreground

    bundle, chosen = serve.bundle(call.target, version)
    addresses: list[str] = []

    def ready(url: str) -> None:
        addresses.append(url)
        call.progress.note(f"version {chosen} answers at {url}; Ctrl-C ends it")

    foreground(_options(call, bundle, chosen, port), ready)
    return Answer(Outcome({"version": chosen, "url": addresses[0]}), views.served)


def _options(call: Call, bundle: Path, version: int, port: int | None) -> Options:
    """The server's options as retail.yaml has them."""
    from retailops.serving import Limits, Options

    deploy = call.config.deploy
    limits = Limits(
        max_lines=deploy.max_lines,
        max_baskets=deploy.max_baskets,
        max_body=deploy.max_body_kb * 1024,
        body_timeout_s=deploy.body_timeout_s,
    )
    return Options(
        bundle,
        version,
        call.target.lake.scratch() / "serve",
        deploy.host,
        deploy.port if port is None else port,
        call.config.monitor.retention_days,
        limits,
    )


def status(call: Call) -> Answer:
    """Tell what stands: data, models, the live endpoint, and where it differs from the registry."""
    from retailops.cli.views import status as views
    from retailops.lifecycle import status

    return Answer(status.status(call.target), views.status)


def monitor(
    call: Call,
    hours: Annotated[
        float | None, Option("--hours", min=0.0, metavar="H", help="The window. Default: monitor.window_hours.")
    ] = None,
    output: Annotated[Path | None, Option("--output", metavar="FILE", help="Where to write the HTML page.")] = None,
) -> Answer:
    """Read what was served: latency, errors, mix, drift, against the gates."""
    from retailops.cli.views import live as views
    from retailops.lifecycle import monitor

    return Answer(monitor.monitor(call.target, hours, output, call.progress), views.monitored)


def logs(
    call: Call,
    lines: Annotated[int, Option("--lines", min=0, metavar="N", help="The last N lines.")] = 50,
    follow: Annotated[bool, Option("--follow", help="Go on with further lines as they come, until Ctrl-C.")] = False,
) -> Answer:
    """Print the server's log."""
    from retailops.cli.views import live as views
    from retailops.lifecycle import logs
    from retailops.lifecycle.outcome import Outcome

    if follow and call.flags.json:
        raise UsageError("--follow has no end, and --json prints one object at the end.", "Leave one of them out.")
    text = logs.logs(call.target, lines, follow)
    if not follow:
        return Answer(Outcome({"lines": list(text)}), views.lines)
    for line in text:
        print(line, flush=True)
    return Answer(Outcome({"lines": []}), views.lines)

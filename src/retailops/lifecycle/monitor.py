"""monitor: what the live model was asked and what it answered, held against its training and its gates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retailops import files
from retailops.errors import GateFailed, NotReady
from retailops.lifecycle.models import find
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Target
from retailops.progress import Progress
from retailops.retail import bundle as bundles
from retailops.retail import traffic
from retailops.retail.bundle import Bundle
from retailops.retail.drift import gated
from retailops.retail.gates import Gate


def monitor(target: Target, hours: float | None, output: Path | None, progress: Progress) -> Outcome:
    """Read the last `hours` (None: retail.yaml's) of logged predictions of the live version; a missed gate is exit 4.

    Writes an HTML page to `output` when given, else into the target's scratch folder.
    """
    from retailops.retail.pages import monitor_page

    predictions = target.watch.predictions  # first: where nothing is kept, nobody needs to be asked
    endpoint = target.serving.endpoint()
    if endpoint is None:
        raise NotReady("Nothing is deployed, so there is nothing to monitor.", "Run first: retailops deploy")
    window = hours or target.config.monitor.window_hours
    bundle = Bundle.open(find(target, endpoint.version).run.bundle)
    progress.stage("reading the prediction log")
    reading = traffic.summarise(
        predictions(window),
        endpoint.version,
        bundle.json(bundles.REFERENCE),
        bundle.json(bundles.CARD)["features"],
    )
    verdicts = _gates(reading, target.config.monitor, target.config.gates.p95_ms)
    shown: dict[str, Any] = {
        "project": target.config.project.name,
        "version": endpoint.version,
        "max_psi": target.config.monitor.max_psi,
        "url": endpoint.url,
        "window_hours": window,
        **reading,
        "gates": [gate.as_dict() for gate in verdicts],
    }
    page = output or target.lake.scratch() / "monitor.html"
    files.write_text(page.absolute(), monitor_page(shown))
    shown["report"] = str(page)
    missed = [gate for gate in verdicts if not gate.ok]
    return Outcome(shown, failed=_alarm(missed) if missed else None)


def _gates(reading: dict[str, Any], limits: Any, p95_ms: float) -> list[Gate]:
    """Latency and errors from the first request on; drift and coverage only with enough predictions to tell."""
    if not reading["latency_ms"]:
        return []
    found = [
        Gate("P95 ms", reading["latency_ms"]["p95"], p95_ms, "at most"),
        Gate("error rate", reading["error_rate"], limits.max_error_rate, "at most"),
    ]
    if reading["predictions"] < limits.min_predictions:
        return found
    judged = gated(reading["psi"])
    worst = max(judged, key=lambda name: judged[name])
    return [
        *found,
        Gate("coverage", reading["coverage"], limits.min_coverage),
        Gate(f"drift of {worst} (PSI)", judged[worst], limits.max_psi, "at most"),
    ]


def _alarm(missed: list[Gate]) -> GateFailed:
    return GateFailed(
        f"The live model misses {len(missed)} of its gates: {'; '.join(map(str, missed))}.",
        "Open the report; drift or low coverage: retailops run on newer weeks; latency or errors: retailops logs",
        details={"gates": [gate.as_dict() for gate in missed]},
    )

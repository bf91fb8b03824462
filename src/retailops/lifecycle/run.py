"""run: the whole life, stage by stage; a stage whose inputs didn't change is skipped, so a second run resumes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from retailops.lifecycle import deploy, etl, features, infra, models, register, train
from retailops.lifecycle.outcome import Outcome
from retailops.ports import Target
from retailops.progress import Progress

Found = dict[str, dict[str, Any]]  # stage → the result of it
Stage = Callable[[Target, Found, Progress], Outcome]
LAST = "deploy"

STAGES: dict[str, Stage] = {
    "infra": lambda target, found, progress: infra.up(target, progress),
    "etl": lambda target, found, progress: etl.etl(target, None, progress),
    "features": lambda target, found, progress: features.ingest(target, progress),
    "train": lambda target, found, progress: train.train(target, None, progress),
    "register": lambda target, found, progress: register.register(target, None, progress),
    # What was just registered, which needn't be the newest: a bundle that is known keeps its version.
    LAST: lambda target, found, progress: deploy.deploy(target, found["register"]["version"], progress),
}


# stage → what of the target it can't do without
NEEDS: dict[str, Callable[[Target], object]] = {
    "infra": lambda target: target.infra.apply,
    "etl": lambda target: (target.lake.put, target.jobs.run),
    "features": lambda target: target.features.publish,
    "train": lambda target: target.jobs.run,
    "register": lambda target: target.models.add,
    LAST: lambda target: target.serving.roll_out,
}


def run(target: Target, progress: Progress, until: str = LAST) -> Outcome:
    """Every stage in order, the last being `until`. Stops at the first gate that fails, with what was found before."""
    able(target, until)
    rows: list[dict[str, Any]] = []
    found: Found = {}
    for name in up_to(until):
        progress.note(f"{name} …")
        start = time.monotonic()
        outcome = STAGES[name](target, found, progress)
        found[name] = outcome.result
        skipped = bool(outcome.result.get("reused")) or (name == "infra" and not outcome.changes)
        rows.append(
            {
                "stage": name,
                "seconds": round(time.monotonic() - start, 2),
                "skipped": skipped,
                "ok": outcome.failed is None,
            }
        )
        if outcome.failed:
            return Outcome(_summary(rows, found), failed=outcome.failed)
    if LAST not in found:
        return Outcome(_summary(rows, found))
    request = sample_request(target, found[LAST]["endpoint"]["version"])
    return Outcome({**_summary(rows, found), "request": request})


def able(target: Target, until: str = LAST) -> None:
    """Unsupported where a port is missing: said before infrastructure is paid for that nothing can run on."""
    for name in up_to(until):
        NEEDS[name](target)


def up_to(last: str) -> list[str]:
    """The stages until `last`, which is among them."""
    names = [*STAGES]
    return names[: names.index(last) + 1]


def _summary(rows: list[dict[str, Any]], found: Found) -> dict[str, Any]:
    gates = [*found.get("register", {}).get("gates", []), *found.get("deploy", {}).get("gates", [])]
    return {"stages": rows, "seconds": round(sum(row["seconds"] for row in rows), 2), "gates": gates, **found}


def sample_request(target: Target, version: int) -> dict[str, Any]:
    """A basket that the version was judged on, to try the API with."""
    from retailops.retail import bundle as bundles
    from retailops.retail.bundle import Bundle

    rows = Bundle.open(models.find(target, version).run.bundle).json(bundles.GOLDEN)
    smallest = min(rows, key=lambda row: len(row["basket"]["lines"]))
    basket: dict[str, Any] = smallest["basket"]
    return basket

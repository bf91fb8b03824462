"""Floor 4: what runs inside a job: one entry point for a laptop's child process and a cloud's container.

    python -m retailops.worker KIND --job FILE
    python -m retailops.worker KIND --input NAME=PATH … --output DIR [--parameters FILE]
                               [--place NAME=DIR …] [--checkpoints DIR] [--hosts FILE] [--failure FILE]
    python -m retailops.worker --hyperparameters FILE train

A cloud mounts the parts of a folder wherever it likes: `--input NAME/PART=PATH` joins them to one folder NAME, and
`--place NAME=DIR` puts what the work left in OUTPUT/NAME into DIR, from where it is taken away. `--checkpoints`
outlives an interruption. `--hosts` says that several machines do this job at the same time, and which this one is: only
the first of them tells and writes anything. `--failure` is where a cloud reads the last words of a container.
A trial of SageMaker's tuner can't be given arguments: FILE is its hyperparameters, one of which, `worker`, is a JSON
list of them. The others are the trial's parameters. KIND is then the word that SageMaker starts any container with.

Standard output carries one JSON object a line: {"event": "stage", "text", "total", "unit"}, {"event": "advance",
"done"}, {"event": "note", "text"} and, at most once, {"event": "error", "code", "what", "fix", "details"}; the exit
code is the error's. Everything else that anyone prints goes to standard error. DIR/result.json is written last. A job
that can go on where it was cut off keeps what it has in DIR/../checkpoint.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from retailops import environment, files
from retailops.errors import DataError, GateFailed, RetailOpsError, TargetFailed, UsageError
from retailops.events import EventLines
from retailops.progress import SILENT, Progress

RESULT = "result.json"
ARGUMENTS = "worker"  # the hyperparameter that holds a trial's arguments
_LAST_WORDS = 600  # characters of what a cloud is told of a failure: it keeps 1024, names and quotes included

Work = Callable[[Mapping[str, Path], Path, Mapping[str, Any], Progress], dict[str, Any]]


def _etl(inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from retailops.retail import etl

    (source,) = inputs.values()
    options = {name: value for name, value in parameters.items() if name != "labelled"}
    labelled = bool(parameters.get("labelled", True))
    dataset = etl.run(source, output, etl.EtlOptions(**options), progress, labelled=labelled)
    return {
        "dataset": dataset.version,
        "labelled": dataset.labelled,
        "reasons": dataset.manifest.get("reasons", {}),
        "rows": dataset.rows,
        "weeks": list(dataset.weeks),
    }


def _train(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    from retailops.retail import training

    return training.job(inputs, output, parameters, progress)


def _tune(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    from retailops.retail import trials, tuning

    if trials.GROUND in inputs:
        return trials.trial(inputs, output, parameters, progress)
    if parameters.get(trials.GROUND):
        return trials.ground(inputs, output, parameters, progress)
    return tuning.job(inputs, output, parameters, progress)


def _predict(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    from retailops.retail import scoring

    return scoring.job(inputs, output, parameters, progress)


def _features(
    inputs: Mapping[str, Path], output: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    from retailops.retail import records

    return records.job(inputs, output, parameters, progress)


KINDS: dict[str, Work] = {
    "etl": _etl,
    "features": _features,
    "train": _train,
    "tune": _tune,
    "predict": _predict,
}


@dataclass(frozen=True)
class Order:
    """What this process is to do."""

    kind: str
    inputs: dict[str, Path]
    output: Path
    parameters: dict[str, Any]
    attached: bool  # end when standard input does: whoever started us is gone
    places: dict[str, Path] = field(default_factory=dict)
    failure: Path | None = None
    hosts: Path | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one job; the exit code is 0 or the error's. An error nobody foresaw leaves its traceback on standard error."""
    faulthandler.enable()
    events = EventLines(_own_stdout())
    failure: Path | None = None
    try:
        order = _order(arguments)
        failure = order.failure
        if order.attached:
            _end_with_parent()
        if threads := order.parameters.get("threads"):
            environment.limit_threads(int(threads))
        _do(order, events)
    except RetailOpsError as error:
        return _failed(error, events, failure)
    except MemoryError:
        what = f"The {order.kind} job ran out of memory."
        return _failed(TargetFailed(what, "Free memory, or let it work on less at a time."), events, failure)
    return 0


def _do(order: Order, events: EventLines) -> None:
    for name, path in order.inputs.items():
        if not path.exists():
            raise DataError(f"The job's input {name!r} isn't there: {path}", "Run the step that makes it again.")
    order.output.mkdir(parents=True, exist_ok=True)
    leads = _leads(order)
    with tempfile.TemporaryDirectory(prefix="retailops-") as scratch:
        inputs = _joined(order.inputs, Path(scratch))
        try:
            result = KINDS[order.kind](inputs, order.output, order.parameters, events if leads else SILENT)
        except GateFailed:
            _put_in_place(order)  # what was refused, for a look
            raise
    _put_in_place(order)
    if leads:
        files.write_json(order.output / RESULT, result)


def _leads(order: Order) -> bool:
    """Whether this is the one machine, or the first of several."""
    from retailops.retail.team import Team

    return order.hosts is None or Team.read(order.hosts).leads


def _put_in_place(order: Order) -> None:
    for name, place in order.places.items():
        place.mkdir(parents=True, exist_ok=True)
        left = order.output / name
        for entry in sorted(left.iterdir()) if left.is_dir() else ():
            shutil.move(entry, place / entry.name)


def _joined(inputs: Mapping[str, Path], scratch: Path) -> dict[str, Path]:
    """Inputs by their names: one that comes in parts is a folder of links to what its parts hold."""
    parted = {name.partition("/")[0] for name in inputs if "/" in name}
    found = {}
    for name, path in inputs.items():
        whole, _, part = name.partition("/")
        if whole not in parted:
            found[name] = path
            continue
        folder = found[whole] = scratch / whole
        folder.mkdir(exist_ok=True)
        links = {part: path} if part else {entry.name: entry for entry in path.iterdir()}
        for link, entry in links.items():
            (folder / link).symlink_to(entry.absolute())
    return found


def _failed(error: RetailOpsError, events: EventLines, failure: Path | None) -> int:
    """Tell the error as an event, and shortened as a container's last words. Returns the exit code."""
    events.error(error)
    if failure:
        words = {"code": error.code, "what": error.what[:_LAST_WORDS], "fix": error.fix[: _LAST_WORDS // 3]}
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    return error.code


def _order(arguments: Sequence[str] | None) -> Order:
    parser = argparse.ArgumentParser(prog="retailops.worker", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--job", type=Path, metavar="FILE", help="JSON with inputs, output and parameters")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--output", type=Path, metavar="DIR")
    parser.add_argument("--parameters", type=Path, metavar="FILE", help="JSON object")
    parser.add_argument("--place", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--checkpoints", metavar="DIR")
    parser.add_argument("--hosts", type=Path, metavar="FILE", help="JSON with hosts and current_host")
    parser.add_argument("--failure", type=Path, metavar="FILE")
    parser.add_argument("--hyperparameters", type=Path, metavar="FILE", help="JSON object of texts")
    parser.add_argument("--attached", action="store_true", help="end as soon as standard input is closed")
    given = parser.parse_args(arguments)
    if given.hyperparameters:
        texts = _object(given.hyperparameters)
        order = _order(json.loads(texts.pop(ARGUMENTS)))
        return replace(order, parameters={**order.parameters, "hyperparameters": texts})
    if given.job:
        job = _object(given.job)
        inputs = {name: Path(path) for name, path in job["inputs"].items()}
        return Order(given.kind, inputs, Path(job["output"]), job["parameters"], given.attached)
    if not given.output:
        raise UsageError("The worker needs --job FILE, or --output DIR.", "See python -m retailops.worker --help.")
    parameters = _object(given.parameters) if given.parameters else {}
    if given.checkpoints:
        parameters["checkpoints"] = given.checkpoints
    if given.hosts:
        parameters["hosts"] = str(given.hosts)
    inputs, places = _pairs(given.input), _pairs(given.place)
    return Order(given.kind, inputs, given.output, parameters, given.attached, places, given.failure, given.hosts)


def _pairs(texts: Sequence[str]) -> dict[str, Path]:
    return {name: Path(path) for name, _, path in (text.partition("=") for text in texts)}


def _object(path: Path) -> dict[str, Any]:
    value = files.read_json(path)
    if not isinstance(value, dict):
        raise UsageError(f"{path} isn't a file with one JSON object.", "Write it again.")
    return value


def _own_stdout() -> TextIO:
    """Keep the real standard output for events; what libraries print from C or Python joins standard error."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return events


def _end_with_parent() -> None:
    """Whoever started us holds the other end of standard input; when it dies, in whatever way, the system closes it."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        # Not sys.exit: only a kill stops native code at once. Our own process group, and only if it is ours.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())

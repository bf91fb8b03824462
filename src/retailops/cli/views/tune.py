"""Views of tune and of models compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from retailops.cli.views.layout import DASH, facts, number, share, show, signed_percent, table, title, verdict

Result = Mapping[str, Any]
_SHOWN = 10
_LABEL, _RUN = 18, 15  # widths in a terminal: of the names at the left, and of a run


def tuned(console: Console, result: Result) -> None:
    """The best trials, whether they are better than what is used anyway, and the run that came of it."""
    trials = result["trials"]
    pruned = sum(trial["pruned"] for trial in trials)
    ended = ", ended early" if result["stopped"] else ""
    title(console, f"Tuned {result['algorithm']}", f"{len(trials)} trials, {pruned} pruned{ended}")
    _trials(console, result)
    console.print()
    gain = f"{number(result['gain'])} ± {number(result['standard_error'])} over {len(result['folds'])} folds"
    if result["improved"]:
        console.print(verdict(True, f"trial {result['best']} is better than no tuning: {gain}"))
    else:
        console.print(f"As good without tuning, within the noise (gain {gain}): the parameters stay.")
    missed = [gate for gate in result["gates"] if not gate["ok"]]
    setting = f"train.params: {{{result['algorithm']}: {_yaml(result['tuned'])}}}" if result["improved"] else None
    facts(
        console,
        {
            "run": result["run"],
            "on the test weeks": f"macro F1 {share(result['scorecard']['macro_f1'])}, "
            f"{'every gate passed' if not missed else f'{len(missed)} gates missed'}",
            "to keep it": setting,
            "report": result["report"],
        },
    )


def _trials(console: Console, result: Result) -> None:
    """Trial 0 first, then the best ones; those that were pruned have fewer folds, so they come last."""
    first, *others = result["trials"]
    others.sort(key=lambda trial: (trial["pruned"], -trial["value"], trial["trial"]))
    made = table("trial", "macro F1", "", "parameters", numbers=["trial", "macro F1"])
    for trial in [first, *others[:_SHOWN]]:
        state = "usual" if trial["trial"] == 0 else "best" if trial["trial"] == result["best"] else ""
        text = ", ".join(f"{name} {number(value)}" for name, value in trial["parameters"].items())
        made.add_row(str(trial["trial"]), share(trial["value"]), "pruned" if trial["pruned"] else state, text)
    if len(others) > _SHOWN:
        made.add_row("", "", "", f"and {len(others) - _SHOWN} more in the report", style="dim")
    show(console, made)


def _yaml(parameters: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in parameters.items()) + "}"


def compared(console: Console, result: Result) -> None:
    """Runs as columns, as many beside each other as fit; below each other beyond that."""
    runs = result["runs"]
    if not result["same_data"]:
        console.print("These runs are of different data: their figures don't compare.", style="bold")
    beside = max(1, (console.width - 2 - _LABEL) // _RUN)
    for at in range(0, len(runs), beside):
        _block(console, runs[at : at + beside], result["differ"])


def _block(console: Console, runs: Sequence[Result], differ: Sequence[str]) -> None:
    headings = [run["run"][:6] for run in runs]
    made = table("run", *headings, numbers=headings)
    made.columns[0].max_width = _LABEL
    for column in made.columns[1:]:
        column.no_wrap = False
        column.max_width = _RUN - 1
    made.add_row("algorithm", *(run["algorithm"].replace("_", " ") for run in runs))
    made.add_row("data", *(run["dataset"][:7] for run in runs))
    made.add_row("tuned", *("yes" if run["tuned_by"] else "no" for run in runs))
    made.add_row("version", *(_version(run) for run in runs))
    made.add_section()
    for name in (name for name in differ if any(name in run["parameters"] for run in runs)):
        made.add_row(name, *(number(run["parameters"].get(name)) for run in runs))
    made.add_section()
    made.add_row("accuracy", *(share(run["metrics"]["accuracy"]) for run in runs))
    made.add_row("macro F1", *(share(run["metrics"]["macro_f1"]) for run in runs))
    made.add_row("lowest precision", *(share(min(run["metrics"]["precision"].values())) for run in runs))
    made.add_row("pricing error", *(signed_percent(run["metrics"]["pricing_error_change"]) for run in runs))
    made.add_row("gates", *(_gates(run["gates"]) for run in runs))
    show(console, made)


def _version(run: Result) -> str:
    return f"{run['version']}, {run['approval']}" if run["version"] else DASH


def _gates(gates: Sequence[Result]) -> Text:
    missed = sum(not gate["ok"] for gate in gates)
    return verdict(not missed, "pass", f"{missed} missed")

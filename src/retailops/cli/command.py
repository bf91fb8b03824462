"""How a function becomes a command: global flags added, errors told, one ending whatever happens."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from retailops.cli import flags as global_flags
from retailops.cli.call import Call
from retailops.cli.output import Ending, missing_library, print_error, print_json, screen, unexpected
from retailops.errors import Interrupted, RetailOpsError

if TYPE_CHECKING:
    from rich.console import Console

    from retailops.lifecycle.outcome import Outcome

View = Callable[["Console", Any], None]
BROKEN_PIPE = 128 + 13  # what a shell reports of a program whose reader went away


@dataclass(frozen=True)
class Answer:
    """What a command's body returns: the outcome, how a person sees it, and the command that comes next."""

    outcome: Outcome
    view: View
    next: str = ""


Body = Callable[..., Answer]


def command(app: typer.Typer, name: str, *, path: str = "") -> Callable[[Body], Body]:
    """Register a body `(call, its own arguments…) -> Answer` as the command `name` of `app`.

    `path` is the command's whole name where it differs ("models list"); the body's docstring is its help.
    """

    def register(body: Body) -> Body:
        own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

        def invoke(ctx: typer.Context, **arguments: Any) -> int:
            call = Call(path or name, global_flags.take(arguments, ctx.obj))
            return finish(call, functools.partial(body, call, **arguments))

        invoke.__doc__ = body.__doc__
        invoke.__module__ = body.__module__
        parameters = [context, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own)]
        sign(invoke, [*parameters, *global_flags.PARAMETERS])
        app.command(name, cls=Command)(invoke)
        return body

    return register


def group(app: typer.Typer, name: str, help: str) -> typer.Typer:
    """A command that only holds others ("models"), taking the global flags in its own place too."""
    inner = typer.Typer(name=name, help=help, cls=Group, rich_markup_mode=None, add_completion=False)

    def callback(ctx: typer.Context, **arguments: Any) -> None:
        ctx.obj = global_flags.take(arguments, ctx.obj)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    sign(callback, [context, *global_flags.PARAMETERS])
    inner.callback()(callback)
    app.add_typer(inner)
    return inner


def finish(call: Call, body: Callable[[], Answer]) -> int:
    """Run the body and print how it ended. Returns the exit code."""
    ending = Ending(call.command)
    answer: Answer | None = None
    try:
        with _terminable(), _clean_stdout(call.flags.json), call.progress:
            answer = body()
            if answer.outcome.failed is not None:
                call.progress.close(ok=False)
    except RetailOpsError as error:
        ending.error = error
    except KeyboardInterrupt:
        ending.error = Interrupted(
            "Interrupted.", f"Run `retailops {call.command}` again: it resumes where it stopped."
        )
    except BrokenPipeError:
        return quiet_exit()
    except Exception as problem:  # noqa: BLE001  the last line of defence: whatever it is, the user gets one line
        ending.error = missing_library(problem, call.target_name) or unexpected(problem, debug=call.flags.debug)
    ending.target = call.target_name
    try:
        return _tell(call, ending, answer)
    except BrokenPipeError:
        return quiet_exit()


def _tell(call: Call, ending: Ending, answer: Answer | None) -> int:
    if answer is not None:
        outcome = answer.outcome
        ending.result, ending.changes, ending.error = outcome.result, list(outcome.changes), outcome.failed
    if call.flags.json:
        print_json(ending.document())
        return ending.code
    if answer is not None:
        console = screen()
        answer.view(console, answer.outcome.result)
        if answer.next and ending.error is None and not call.flags.quiet and sys.stdout.isatty():
            console.print(f"\nnext: {answer.next}", style="dim", soft_wrap=True)
    if ending.error is not None:
        sys.stdout.flush()
        print_error(ending.error)
    sys.stdout.flush()
    return ending.code


def quiet_exit() -> int:
    """The reader of our output went away: no message, and no second one when Python closes stdout."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(devnull, stream.fileno())
    return BROKEN_PIPE


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM is Ctrl-C: what is running is stopped in order."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _clean_stdout(json: bool) -> Iterator[None]:
    """With --json, what a library prints on the way goes to stderr: stdout holds one object and nothing else."""
    if not json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def sign(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> None:
    """Give `function` the signature that typer reads."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in parameters}


def write_options(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    """The options section of a help page: a command's own options first, the global ones in a section below."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Global options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            sections["Arguments"].append(record)
        else:
            sections["Global options" if parameter.name in global_flags.NAMES else "Options"].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Command(TyperCommand):
    """A command with calm help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands with calm help, its commands before its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

"""The program: all commands in the order of their story, and how a line that can't be parsed is answered."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import retailops
from retailops.cli import flags as global_flags
from retailops.cli import usage
from retailops.cli.command import Group, quiet_exit, sign
from retailops.cli.commands import cost, data, doctor, features, image, infra, live, model, project, whole
from retailops.cli.output import Ending, print_error, print_json, unexpected
from retailops.errors import Interrupted, RetailOpsError, UsageError

SECTIONS: dict[str, tuple[str, ...]] = {
    "The whole life": ("run", "park", "wake", "teardown"),
    "Set up": ("init", "config", "doctor", "infra", "data"),
    "Step by step": ("etl", "train", "tune", "register", "models", "image", "deploy", "rollback"),
    "Use": ("predict", "serve"),
    "Watch": ("status", "monitor", "logs", "features", "cost"),
}
ORDER = tuple(name for names in SECTIONS.values() for name in names)


class Program(Group):
    """The first page of help: the commands in sections, as a person meets them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, ORDER))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), self.commands[name].get_short_help_str(66)) for name in names])

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands, key=ORDER.index)


def _first(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    **arguments: Any,
) -> None:
    """The whole life of a retail price-sensitivity model, from one file: retail.yaml.

    `retailops run` goes from data to a live API; each step is a command of its own too.
    """
    flags = ctx.obj = global_flags.take(arguments, None)
    if version:
        if flags.json:
            print_json(Ending("version", result={"version": retailops.__version__}).document())
        else:
            print(f"retailops {retailops.__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        if flags.json:
            raise UsageError("Missing command.", "See: retailops --help")
        print(ctx.get_help())


_CONTEXT, _VERSION, _ = inspect.signature(_first, eval_str=True).parameters.values()
sign(_first, [_CONTEXT, *global_flags.LEFTMOST, _VERSION.replace(kind=inspect.Parameter.KEYWORD_ONLY)])


def build() -> typer.Typer:
    """The app with all its commands."""
    app = typer.Typer(
        name="retailops",
        cls=Program,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(_first)
    for room in (project, doctor, infra, data, model, image, live, features, cost, whole):
        room.register(app)
    return app


def execute(words: list[str]) -> int:
    """Run one command line. Returns the exit code; raises nothing."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that knows no ✔ gets a ?
    flags = global_flags.guess(words)
    program = typer.main.get_command(build())
    try:
        code = program.main(args=words, prog_name="retailops", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except TyperException as problem:
        path, command = usage.understood(program, words)
        return _refuse(usage.explain(problem, path, command), path, flags)
    except RetailOpsError as error:
        return _refuse(error, "", flags)
    except (KeyboardInterrupt, typer.Abort):
        return _refuse(Interrupted("Interrupted.", "Nothing had begun."), "", flags)
    except BrokenPipeError:
        return quiet_exit()
    except Exception as problem:  # noqa: BLE001  before a command began: still one line, never a traceback
        return _refuse(unexpected(problem, debug=flags.debug), "", flags)


def _refuse(error: RetailOpsError, command: str, flags: global_flags.Flags) -> int:
    if flags.json:
        print_json(Ending(command, error=error).document())
    else:
        print_error(error)
    return error.code

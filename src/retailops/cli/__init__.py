"""Floor 5: the command line. Only here: typer, rich, print, questions and exit codes."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """The `retailops` program."""
    from retailops.cli.app import execute

    sys.exit(execute(sys.argv[1:]))

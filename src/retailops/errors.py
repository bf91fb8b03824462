"""Floor 0: the error tree. Every error says what happened and what to do next, and carries its exit code.

RetailOpsError                 1   our bug, or anything without a better name
├── UsageError                 2   a wrong flag, or a file that can't be read
│   ├── ConfigError            2   retail.yaml
│   └── DataError              2   an input file: which file, line, column, and what was expected
├── NotReady                   3   an earlier step is missing ("train first")
├── GateFailed                 4   a number is on the wrong side of its gate
├── TargetFailed               5   the outside world failed: a process, a port, a cloud
├── Unsupported                6   this target can't; the message says which can
└── Interrupted              130   Ctrl-C; running the command again resumes
"""

from __future__ import annotations

from typing import Any


class RetailOpsError(Exception):
    """What happened, and what to do next; both are whole sentences that a person reads."""

    code = 1

    def __init__(self, what: str, fix: str = "", *, details: dict[str, Any] | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.what}\n{self.fix}" if self.fix else self.what


class UsageError(RetailOpsError):
    code = 2


class ConfigError(UsageError):
    """retail.yaml is wrong. `what` holds one line per problem, `retail.yaml:LINE:COL: key: …`."""


class DataError(UsageError):
    """An input file is wrong."""


class NotReady(RetailOpsError):
    code = 3


class GateFailed(RetailOpsError):
    code = 4


class TargetFailed(RetailOpsError):
    code = 5


class Unsupported(RetailOpsError):
    code = 6


class Interrupted(RetailOpsError):
    code = 130


BY_CODE: dict[int, type[RetailOpsError]] = {
    cls.code: cls for cls in (RetailOpsError, UsageError, NotReady, GateFailed, TargetFailed, Unsupported, Interrupted)
}

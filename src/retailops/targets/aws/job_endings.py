"""Floor 4, aws: why a job on SageMaker ended without its result: in its own words, in SageMaker's, by its log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from retailops import events
from retailops.errors import RetailOpsError, TargetFailed
from retailops.targets.aws.diagnoses import JOBS, RULES
from retailops.targets.aws.job_logs import JobLogs
from retailops.targets.aws.orders import Api
from retailops.tools.diagnosis import fitting

_AGAIN = "Run the same command again; if it stays, the log has the whole story."


def failure(api: Api, description: Mapping[str, Any], logs: JobLogs) -> RetailOpsError:
    """The error to raise. What the job reported itself goes before what anybody else says of it."""
    return logs.error or _from_message(str(description.get(api.message, ""))) or _death(api, description, logs)


def _from_message(text: str) -> RetailOpsError | None:
    """The worker's last words, which SageMaker may wrap into its own; None when they aren't there, or not whole."""
    start = text.find('{"code"')
    if start < 0:
        return None
    try:
        told, _ = json.JSONDecoder().raw_decode(text[start:])
        return events.error(told)
    except (ValueError, KeyError):
        return None


def _death(api: Api, description: Mapping[str, Any], logs: JobLogs) -> TargetFailed:
    status, second = description[f"{api.camel}Status"], str(description.get("SecondaryStatus", ""))
    reason = str(description.get("FailureReason", "")).strip()
    section = "aws.training" if api.camel == "TrainingJob" else "aws.jobs"
    what, fix, cause = f"The {api.words} {logs.job} ended without its result.", _AGAIN, ""
    if status == "Stopped" and second in ("", "Stopped"):
        what, fix = f"The {api.words} {logs.job} was stopped.", "Run the same command again to start it anew."
    if rule := fitting(f"{second} {reason}".strip(), (*JOBS, *RULES)):
        what = f"{rule.what} ({api.words} {logs.job})" if rule.what else what
        fix, cause = rule.fix.replace("{section}", section), rule.cause
    says = f"\nSageMaker says: {reason}" if reason else ""
    words = logs.last_words()
    said = "".join(f"\n  {word}" for word in words)
    details = {
        "job": logs.job,
        "status": status,
        "cause": cause,
        "reason": reason,
        "log": str(logs.log),
        "last": words,
    }
    return TargetFailed(f"{what}{says}{said}\nIts log: {logs.log}", fix, details=details)

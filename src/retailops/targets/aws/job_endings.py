"""Floor 4, aws: why a job on SageMaker ended without its result: in its own words, in SageMaker's, by its log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from retailops import events
from retailops.errors import RetailOpsError, TargetFailed
from retailops.targets.aws.job_logs import JobLogs
from retailops.targets.aws.orders import Api

_AGAIN = "Run the same command again; if it stays, the log has the whole story."
# What SageMaker says, or the state it ended in → what that means, what to do. The first that fits.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"MaxRuntimeExceeded|exceeded max(imum)? (allowed )?run ?time",
        "The job took longer than it may.",
        "Raise {section}.max_minutes in retail.yaml, or choose a faster {section}.instance; then run it again.",
    ),
    (
        r"MaxWaitTimeExceeded|max wait time",
        "No spare capacity came free in the time that aws.training.max_wait_minutes allows.",
        "Set aws.training.spot: false, or allow more minutes; then run it again.",
    ),
    (
        r"CapacityError|[Ii]nsufficient ?(instance )?capacity",
        "AWS has no machine of this type free at this moment.",
        "Try again later, or choose another {section}.instance in retail.yaml.",
    ),
    (
        r"(?i)CannotPull|pull.*image|image.*(not exist|not found|no access)|repository.*not exist|"
        r"manifest.*unknown|ECR",
        "SageMaker can't load the image that jobs run in.",
        "Push it to the project's repository, or name another with aws.image in retail.yaml; then run it again.",
    ),
    (
        r"(?i)OutOfMemory|out of memory|exit code:? ?137|SIGKILL",
        "The job was killed, as happens when memory runs out.",
        "Choose a bigger {section}.instance, or lower etl.memory_mb or train.max_baskets; then run it again.",
    ),
    (
        r"(?i)no space left|disk (is )?full|ENOSPC",
        "The job's disk is full.",
        "Raise {section}.volume_gb in retail.yaml; then run it again.",
    ),
    (
        r"(?i)no S3 objects found|NoSuchKey|NoSuchBucket|404",
        "An input of the job isn't on S3 any more.",
        "Run the step that makes it again: retailops etl",
    ),
    (
        r"(?i)AccessDenied|access denied|not authorized|KMS",
        "The job's role may not do what the job needs.",
        "Bring the roles to what this version needs: retailops infra up; then run it again.",
    ),
    (r"InternalServerError", "SageMaker failed, not the job.", "Run the same command again."),
)


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
    what, fix = f"The {api.words} {logs.job} ended without its result.", _AGAIN
    if status == "Stopped" and second in ("", "Stopped"):
        what, fix = f"The {api.words} {logs.job} was stopped.", "Run the same command again to start it anew."
    for pattern, cause, way in _CAUSES:
        if re.search(pattern, f"{second} {reason}"):
            what, fix = f"{cause} ({api.words} {logs.job})", way.format(section=section)
            break
    says = f"\nSageMaker says: {reason}" if reason else ""
    words = logs.last_words()
    said = "".join(f"\n  {word}" for word in words)
    details = {"job": logs.job, "status": status, "reason": reason, "log": str(logs.log), "last": words}
    return TargetFailed(f"{what}{says}{said}\nIts log: {logs.log}", fix, details=details)

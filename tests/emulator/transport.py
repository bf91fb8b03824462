"""Traffic with the emulator counts as TLS: moto takes every Deny for met and knows no `aws:SecureTransport`."""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from emulator.server import Hook

HOOKS: list[Hook] = []  # nothing is answered here; moto's own judgement is put right

_judged_by_moto = IAMPolicyStatement.is_action_permitted


def _over_tls(statement: IAMPolicyStatement, *request: Any, **more: Any) -> PermissionResult:
    condition = statement._statement.get("Condition", {}).get("Bool", {})
    if str(condition.get("aws:SecureTransport")).lower() == "false":
        return PermissionResult.NEUTRAL
    return _judged_by_moto(statement, *request, **more)


IAMPolicyStatement.is_action_permitted = _over_tls  # type: ignore[method-assign]

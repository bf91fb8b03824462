"""Work that moto does for nobody: a second of it in every test that begins with an empty account."""

from __future__ import annotations

import copy
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import IAMBackend, ManagedPolicy
from moto.kms import models as kms
from moto.kms.utils import generate_private_key

_read_policies = IAMBackend._init_aws_policies
_KNOWN: list[ManagedPolicy] = []


def spare() -> None:
    """From now on; twice is harmless."""
    setattr(IAMBackend, "_init_aws_policies", _aws_policies)  # noqa: B010 - a method, to the type checker
    setattr(kms, "generate_private_key", _private_key)  # noqa: B010 - moto's own never returns None


def _aws_policies(backend: IAMBackend) -> list[ManagedPolicy]:
    """AWS's own policies, read once, and none for the parts of AWS's world where the account isn't."""
    ours = backend.region_name == "aws" and backend.account_id == DEFAULT_ACCOUNT_ID
    if ours and not _KNOWN:
        _KNOWN.extend(_read_policies(backend))
    return [copy.copy(policy) for policy in _KNOWN] if ours else []


def _private_key(key_spec: str) -> Any:
    """A symmetric key has no key pair; moto computes one all the same."""
    return None if key_spec == "SYMMETRIC_DEFAULT" else generate_private_key(key_spec)

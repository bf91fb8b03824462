"""Floor 4, aws: the check of the roles that service accounts ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retailops.manifests import Objects, Problem
from retailops.manifests.objects import dig, place_of

KEY = "eks.amazonaws.com/role-arn"
_ROLE = re.compile(r"arn:aws(-cn|-us-gov)?:iam::\d{12}:role/([\w+=,.@/-]{1,512}/)?[\w+=,.@-]{1,64}")


def role_arns(objects: Objects) -> Iterator[Problem]:
    """A wrong one is noticed by nobody until the pod's first call is refused."""
    for each in objects.of("ServiceAccount"):
        found = dig(each, "metadata", "annotations", KEY)
        if found is not None and not _ROLE.fullmatch(str(found)):
            fix = (
                "Write arn:aws:iam::<twelve digits>:role/<name>, as the output role_arns of the infrastructure has it."
            )
            yield Problem(place_of(each, f"metadata.annotations {KEY}"), f"{found!r} isn't a role", fix)

"""What a run that was cut off had begun is taken as it stands, once AWS has finished it."""

from __future__ import annotations

import pytest

from emulator import Emulator
from emulator.planting import PREFIX
from retailops.progress import Silent
from retailops.targets.aws import halves
from retailops.targets.aws.session import Session
from retailops.tools.terraform import ResourceChange

pytestmark = pytest.mark.slow


def change(address: str, name: str, *actions: str, half_made: bool = True) -> ResourceChange:
    return ResourceChange(address, address.partition(".")[0], name, actions, drifted=False, half_made=half_made)


def test_what_stands_is_kept_and_what_gave_up_is_made_anew(swift: Session, aws: Emulator) -> None:
    role, network = f"arn:aws:iam::{aws.account}:role/some", {"subnetIds": [], "securityGroupIds": []}
    aws.client("eks").create_cluster(name=PREFIX, roleArn=role, resourcesVpcConfig=network)
    told: list[str] = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            told.append(text)

    kept = halves.whole(
        swift,
        [
            change("aws_eks_cluster.main", PREFIX, "create", "delete"),
            change("aws_eks_node_group.base", f"{PREFIX}:none", "create", "delete"),
            change('aws_kms_key.main["data"]', "1234", "create", "delete"),
            change('aws_kms_key.main["platform"]', "1234", "delete"),  # replaced already: only its removal is left
            change("aws_sagemaker_feature_group.main", "product", "delete", "create"),
            change("aws_vpc.main", "vpc-1", "delete", "create", half_made=False),
        ],
        Notes(),
    )
    assert kept == ["aws_eks_cluster.main", 'aws_kms_key.main["data"]']
    (note,) = told
    assert note.startswith("aws_eks_node_group.base is made anew: ")

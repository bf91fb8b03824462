"""Floor 4, aws: what everything is called, so that the same project finds its own things again on any machine."""

from __future__ import annotations

from dataclasses import dataclass

MANAGED_BY = "retailops"
ZONES = ("raw", "silver", "gold", "models", "quarantine", "logs")


@dataclass(frozen=True)
class Names:
    """Names are `<project>-<environment>` and what follows; buckets, which share one namespace, end in the account."""

    project: str
    environment: str
    region: str
    account: str

    @property
    def prefix(self) -> str:
        """`retail-demo-dev`: every name begins with it; also the cluster's name."""
        return f"{self.project}-{self.environment}"

    def bucket(self, zone: str) -> str:
        """Bucket of a zone of the lake; at most 63 characters, S3's limit."""
        return f"{self.prefix}-{zone}-{self.account}"

    @property
    def state_bucket(self) -> str:
        """Bucket of Terraform's state and the ledger; one a project, environment, account and region."""
        return f"{self.prefix}-tfstate-{self.account}"

    @property
    def state_key(self) -> str:
        return "infra/terraform.tfstate"

    def tags(self, owner: str) -> dict[str, str]:
        """The tags of everything; `retailops:expires` is added where something expires."""
        return {
            "retailops:project": self.project,
            "retailops:environment": self.environment,
            "retailops:managed-by": MANAGED_BY,
            **({"retailops:owner": owner} if owner else {}),
        }

"""Floor 4, the target `aws`: the same life on Amazon's services. SDKs are imported here alone, at the last moment."""

from __future__ import annotations

from typing import NoReturn, cast

from retailops.config import Config
from retailops.errors import Unsupported
from retailops.ports import Jobs, Target, Watch


class NotYet:
    """A port that this version doesn't have on aws: whatever is asked of it, the answer says which target can."""

    def __init__(self, what: str, instead: str = "") -> None:
        self._what = what
        self._instead = instead

    def __getattr__(self, name: str) -> NoReturn:
        raise Unsupported(
            f"This version of retailops has no {self._what} on aws.",
            f"local has: add --target local to the command.{self._instead}",
        )


def open(config: Config) -> Target:  # noqa: A001 - what targets.open_target calls in every target
    """The ports over the account that the credentials belong to. No call is made before one is needed."""
    from retailops.targets.aws import serving
    from retailops.targets.aws.athena import Athena
    from retailops.targets.aws.catalog import Catalog
    from retailops.targets.aws.cluster_jobs import ClusterJobs
    from retailops.targets.aws.costs import AwsCosts
    from retailops.targets.aws.doctor import AwsDoctor
    from retailops.targets.aws.endpoint import SageMakerServing
    from retailops.targets.aws.features import AwsFeatures
    from retailops.targets.aws.images import AwsImages
    from retailops.targets.aws.infra import AwsInfra
    from retailops.targets.aws.jobs import AwsJobs
    from retailops.targets.aws.lake import AwsLake
    from retailops.targets.aws.mirror import Mirror
    from retailops.targets.aws.models import AwsModels
    from retailops.targets.aws.packages import Packages
    from retailops.targets.aws.removal import AwsRemoval
    from retailops.targets.aws.session import Session
    from retailops.targets.aws.spark_jobs import SparkJobs

    session = Session(config)
    infra = AwsInfra(session)
    mirror = Mirror(session)
    catalog = Catalog(session, mirror)
    models = AwsModels(mirror, Packages(session))
    images = AwsImages(session)
    jobs: Jobs = AwsJobs(session, mirror)
    if config.etl.engine == "spark":
        jobs = SparkJobs(session, mirror, jobs)
    elif config.etl.engine == "kubernetes":
        jobs = ClusterJobs(session, mirror, jobs, images)
    return Target(
        name="aws",
        config=config,
        lake=AwsLake(mirror, Athena(session, catalog), catalog),
        jobs=jobs,
        features=AwsFeatures(session, mirror, config.etl.threads, config.etl.memory_mb),
        models=models,
        images=images,
        serving=SageMakerServing(session, images, models)
        if config.deploy.engine == "sagemaker"
        else serving.serving(session, images, models),
        watch=cast(Watch, NotYet("monitoring")),
        infra=infra,
        removal=AwsRemoval(session, infra, elsewhere=serving.removal(session)),
        costs=AwsCosts(config),
        doctor=AwsDoctor(session),
    )

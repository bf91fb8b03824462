"""Floor 4, the target `local`: the whole life on this machine, with real components and no account."""

from __future__ import annotations

from retailops.config import Config
from retailops.ports import Target


def open(config: Config) -> Target:  # noqa: A001 - what targets.open_target calls in every target
    """The ports over the workspace that `config` names. Nothing is made until something is written."""
    # Here, and not at the top: reading retail.yaml imports this folder's settings, and needs nothing else of it.
    from retailops.images.registry import RegistryImages
    from retailops.targets.local import cluster
    from retailops.targets.local.cluster_jobs import ClusterJobs
    from retailops.targets.local.costs import LocalCosts
    from retailops.targets.local.doctor import LocalDoctor
    from retailops.targets.local.features import LocalFeatures
    from retailops.targets.local.infra import LocalInfra
    from retailops.targets.local.jobs import LocalJobs
    from retailops.targets.local.lake import LocalLake
    from retailops.targets.local.models import LocalModels
    from retailops.targets.local.serving import LocalServing
    from retailops.targets.local.watch import LocalWatch
    from retailops.targets.local.workspace import Workspace

    folder = config.settings("local").workspace.resolve()
    workspace = Workspace(folder, config.project.name, config.folder)
    images = RegistryImages(config, folder / "images" / "docker.log")
    jobs = ClusterJobs(workspace, config, images) if config.etl.engine == "kubernetes" else LocalJobs(workspace)
    models = LocalModels(workspace)
    process = LocalServing(folder, config.deploy, config.gates, config.monitor)
    on_cluster = config.deploy.engine == "kubernetes"
    serving = cluster.serving(config, images, models) if on_cluster else process
    infra = LocalInfra(workspace, jobs, process, cluster.removal(config))
    return Target(
        name="local",
        config=config,
        lake=LocalLake(workspace, config.etl.memory_mb, config.etl.threads),
        jobs=jobs,
        features=LocalFeatures(workspace, config.etl.threads, config.etl.memory_mb),
        models=models,
        images=images,
        serving=serving,
        watch=cluster.NoLog() if on_cluster else LocalWatch(folder / "serving" / "logs"),
        infra=infra,
        removal=infra,
        costs=LocalCosts(),
        doctor=LocalDoctor(workspace, config),
    )

"""Floor 4, local: the mirror of runs and versions in MLflow's own database, for the MLflow page and clients.

mlflow ui --backend-store-uri sqlite:///<workspace>/mlflow.db
"""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailops import environment
from retailops.errors import TargetFailed
from retailops.ports import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST = 6000  # characters of a parameter's value that MLflow keeps
RUN_TAG, VERSION_TAG = "retailops.run", "retailops.version"


class Mirror:
    """One experiment and one registered model, both named like the project."""

    def __init__(self, workspace: Path, project: str) -> None:
        self._database = workspace / "mlflow.db"
        self._bundles = workspace / "models"
        self._project = project

    def exists(self) -> bool:
        return self._database.exists()

    def add(self, runs: Sequence[Run], versions: Mapping[int, str]) -> None:
        """Add these runs, and versions (number → our run id). What is there already is left as it is.

        TargetFailed when the database can't be used; nothing is lost then, since it can be made again.
        """
        with self._client() as client:
            experiment = self._experiment(client)
            for run in runs:
                if not self._found(client, experiment, run.id):
                    self._add_run(client, experiment, run)
            for version, run_id in versions.items():
                self._add_version(client, version, self._found(client, experiment, run_id))

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        environment.no_telemetry()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own, about libraries it uses
            from alembic.util import CommandError
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
            from sqlalchemy.exc import SQLAlchemyError

            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.WARNING)
            address = f"sqlite:///{self._database}"
            try:
                yield MlflowClient(tracking_uri=address, registry_uri=address)
            except (CommandError, MlflowException, SQLAlchemyError) as error:
                reason = str(error).splitlines()[0][:300]
                raise TargetFailed(
                    f"MLflow's database {self._database} can't be used: {reason}",
                    "Close what else uses it and run this again; or remove it: it is made again from models/index.json.",
                ) from error

    def _experiment(self, client: MlflowClient) -> str:
        if known := client.get_experiment_by_name(self._project):
            return str(known.experiment_id)
        return str(client.create_experiment(self._project, (self._bundles / "artifacts").as_uri()))

    def _found(self, client: MlflowClient, experiment: str, run_id: str) -> Any:
        """MLflow's own record of our run, None when it has none."""
        return next(iter(client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run_id}'", max_results=1)), None)

    def _add_run(self, client: MlflowClient, experiment: str, run: Run) -> None:
        from mlflow.entities import Metric, Param

        at = round(datetime.fromisoformat(run.created).timestamp() * 1000)
        tags = {"algorithm": run.algorithm, "bundle": run.bundle_hash, "dataset": run.dataset}
        made = client.create_run(experiment, start_time=at, tags=tags, run_name=run.id)
        metrics = [Metric(name, value, at, 0) for name, value in numbers(run.scorecard).items()]
        client.log_batch(made.info.run_id, metrics, [Param(name, text) for name, text in texts(run.parameters).items()])
        self._show_bundle(made.info.artifact_uri, run)
        client.set_terminated(made.info.run_id, end_time=at)
        client.set_tag(made.info.run_id, RUN_TAG, run.id)  # last: without it, it was cut short

    def _show_bundle(self, address: str, run: Run) -> None:
        """A link, so that the MLflow page shows the bundle's files among the run's artifacts."""
        folder = self._bundles / "artifacts" / Path(address).parent.name / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bundle").symlink_to(os.path.relpath(run.bundle, folder), target_is_directory=True)

    def _add_version(self, client: MlflowClient, version: int, run: Any) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.get_registered_model(self._project)
        except MlflowException:
            client.create_registered_model(self._project)
        known = client.search_model_versions(f"name = '{self._project}'")
        if str(version) in {entry.tags.get(VERSION_TAG) for entry in known}:
            return
        source = f"{run.info.artifact_uri}/bundle"
        client.create_model_version(self._project, source, run.info.run_id, tags={VERSION_TAG: str(version)})


def numbers(scorecard: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Flat metrics of a scorecard: {"precision": {"LA": .9}} → {"precision_la": .9}; lists and texts are left out."""
    flat: dict[str, float] = {}
    for name, value in scorecard.items():
        key = f"{prefix}{name}".lower()
        if isinstance(value, Mapping):
            flat |= numbers(value, f"{key}_")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            flat[key] = float(value)
    return flat


def texts(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flat parameters: {"params": {"depth": 4}} → {"params.depth": "4"}."""
    flat: dict[str, str] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= texts(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = (value if isinstance(value, str) else json.dumps(value, default=str))[:_LONGEST]
    return flat

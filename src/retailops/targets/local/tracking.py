"""Floor 4, local: the mirror of runs and versions in MLflow's own database, for the MLflow page and clients.

To look at it: `mlflow ui --backend-store-uri sqlite:///<workspace>/mlflow.db`. The page needs the whole package mlflow;
what retailops installs is its skinny part, which writes the same tables.
"""

from __future__ import annotations

import json
import logging
import math
import os
import secrets
import shutil
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retailops import environment, files
from retailops.errors import TargetFailed
from retailops.ports import Approval, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST = 6000  # characters of a parameter's value that MLflow keeps
RUN_TAG, VERSION_TAG, TUNED_TAG = "retailops.run", "retailops.version", "retailops.tuned_by"
APPROVAL_TAG = "retailops.approval"  # and .by, .at, .reason of it


class Mirror:
    """One experiment and one registered model, both named like the project."""

    def __init__(self, workspace: Path, project: str) -> None:
        self._database = workspace / "mlflow.db"
        self._bundles = workspace / "models"
        self._project = project

    def exists(self) -> bool:
        return self._database.exists()

    def add(
        self, runs: Sequence[Run], versions: Mapping[int, str], approvals: Mapping[int, Approval] | None = None
    ) -> None:
        """Add these runs, and versions (number → our run id). What is there already is left as it is.

        approvals: number → what was decided about a version, as its tags; a later decision replaces an earlier one.
        TargetFailed when the database can't be used; nothing is lost then, since it can be made again.
        """
        with self._client() as client:
            experiment = self._experiment(client)
            for run in runs:
                if not self._found(client, experiment, run.id):
                    self._add_run(client, experiment, run)
            for version, run_id in versions.items():
                self._add_version(client, version, self._found(client, experiment, run_id))
            for version, approval in (approvals or {}).items():
                self._tag(client, version, approval)

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        environment.no_telemetry()
        self._require_readable()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own, about libraries it uses
            from alembic.util import CommandError
            from mlflow.exceptions import MlflowException
            from sqlalchemy.exc import SQLAlchemyError

            _skip_syncs()
            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.WARNING)
            try:
                if not self.exists():
                    self._make()
                yield _open(self._database)
            except (CommandError, MlflowException, SQLAlchemyError) as error:
                raise self._unusable(error) from error

    def _make(self) -> None:
        """MLflow's tables, under another name until all of them are there: a half-made database would never work."""
        for left in self._database.parent.glob("mlflow-*.unfinished*"):
            files.remove(left)
        unfinished = self._database.with_name(f"mlflow-{secrets.token_hex(4)}.unfinished")
        _open(unfinished).search_experiments(max_results=1)
        unfinished.rename(self._database)

    def _require_readable(self) -> None:
        """MLflow tries for two minutes to open what isn't a database; ask first."""
        if self.exists():
            with closing(sqlite3.connect(self._database)) as connection:
                try:
                    connection.execute("PRAGMA schema_version")
                except sqlite3.DatabaseError as error:
                    raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> TargetFailed:
        return TargetFailed(
            f"MLflow's database {self._database} can't be used: {str(error).splitlines()[0][:300]}",
            "Close what else uses it and run this again; or remove it: it is made again from models/index.json.",
        )

    def _experiment(self, client: MlflowClient) -> str:
        if known := client.get_experiment_by_name(self._project):
            return str(known.experiment_id)
        return str(client.create_experiment(self._project, (self._bundles / "artifacts").as_uri()))

    def _found(self, client: MlflowClient, experiment: str, run_id: str) -> Any:
        """MLflow's own record of our run, None when it has none. One that a killed command left by half is removed."""
        whole = None
        for run in client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run_id}'"):
            if run.info.status == "FINISHED":
                whole = run
            else:
                client.delete_run(run.info.run_id)
        return whole

    def _add_run(self, client: MlflowClient, experiment: str, run: Run) -> None:
        from mlflow.entities import Metric, Param

        at = round(datetime.fromisoformat(run.created).timestamp() * 1000)
        tags = {"algorithm": run.algorithm, "bundle": run.bundle_hash, "dataset": run.dataset, RUN_TAG: run.id}
        tags |= {TUNED_TAG: run.tuned_by} if run.tuned_by else {}
        made = client.create_run(experiment, start_time=at, tags=tags, run_name=run.id)
        metrics = [Metric(name, value, at, 0) for name, value in numbers(run.scorecard).items()]
        parameters = [Param(name, text) for name, text in texts(run.parameters).items()]
        client.log_batch(made.info.run_id, metrics, parameters)
        self._show_bundle(made.info.run_id, run)
        client.set_terminated(made.info.run_id, end_time=at)

    def _show_bundle(self, mlflow_id: str, run: Run) -> None:
        """Hard links, so that the MLflow page shows the bundle's files (it refuses symbolic links), at no cost."""
        folder = self._bundles / "artifacts" / mlflow_id / "artifacts" / "bundle"
        shutil.copytree(run.bundle, folder, copy_function=_link)

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

    def _tag(self, client: MlflowClient, version: int, approval: Approval) -> None:
        """MLflow counts versions by itself, so ours is found by its tag."""
        for entry in client.search_model_versions(f"name = '{self._project}'"):
            if entry.tags.get(VERSION_TAG) == str(version):
                client.set_model_version_tag(self._project, entry.version, APPROVAL_TAG, approval.status)
                for name in ("by", "at", "reason"):
                    client.set_model_version_tag(
                        self._project, entry.version, f"{APPROVAL_TAG}.{name}", getattr(approval, name)
                    )


def _open(database: Path) -> MlflowClient:
    """A client of the file that lies there now.

    MLflow keeps what it opened, by address, for the life of the process, and would go on writing into a file that was
    removed since. So the address tells files of one name apart: by the digits behind the point of a timeout's seconds.
    """
    from mlflow import MlflowClient

    number = database.stat().st_ino if database.exists() else 0
    address = f"sqlite:///{database}?timeout=30.{number}"
    return MlflowClient(tracking_uri=address, registry_uri=address)


def _skip_syncs() -> None:
    """Let the system write the database back in its own time: the fifty tables of a new one take 1 s instead of 6.

    A killed command loses nothing by that. A power cut may, and then the mirror is made again from the index.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _without_sync):
        event.listen(Engine, "connect", _without_sync)


def _without_sync(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _link(source: str, target: str) -> str:
    """A hard link, or a copy on a disk that has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


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

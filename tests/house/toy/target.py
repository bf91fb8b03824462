"""A target in one file: a folder, jobs in a child process, no server. What the suite adds to prove that it can be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from retailops.config import Config
from retailops.errors import NotReady, TargetFailed, Unsupported
from retailops.ports import (
    AS_IT_STANDS,
    NOTHING,
    Advice,
    Approval,
    Change,
    Endpoint,
    Estimate,
    Finding,
    Image,
    Job,
    JobResult,
    ModelVersion,
    Publication,
    Raw,
    Record,
    Rendering,
    Run,
    Spend,
    Standing,
    Target,
    Terms,
)
from retailops.progress import SILENT, Progress
from retailops.retail.dataset import Dataset
from retailops.retail.feature_groups import Group


class ToyLake:
    def __init__(self, shelf: Path) -> None:
        self.shelf = shelf

    def put(self, source: Path, progress: Progress) -> Raw:
        names = tuple(sorted(path.name for path in source.iterdir()))
        return Raw("-".join(names)[:16], source, names, 0)

    def scratch(self) -> Path:
        folder = self.shelf / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, folder: Path) -> Dataset:
        return Dataset.open(folder)

    def datasets(self) -> list[Dataset]:
        return [Dataset.open(path.parent) for path in self.shelf.glob("etl-*/manifest.json")]


class ToyJobs:
    def __init__(self, shelf: Path) -> None:
        self.shelf = shelf

    def run(self, job: Job, progress: Progress) -> JobResult:
        folder = self.shelf / f"{job.kind}-{job.key}"
        reused = (folder / "result.json").exists()
        if not reused:
            parameters = self.shelf / "parameters.json"
            parameters.write_text(json.dumps(dict(job.parameters)))
            inputs = [f"--input={name}={path}" for name, path in job.inputs.items()]
            command = [sys.executable, "-m", "retailops.worker", job.kind, *inputs]
            done = subprocess.run(
                [*command, "--output", str(folder), "--parameters", str(parameters)], capture_output=True, check=False
            )
            if done.returncode:
                raise TargetFailed(
                    f"The job ended with {done.returncode}: {done.stderr.decode()[-500:]}", "Run it again."
                )
        return JobResult(folder, json.loads((folder / "result.json").read_text()), reused)


class ToyFeatures:
    def publish(self, group: Group, version: str, records: Path, progress: Progress) -> Publication:
        raise Unsupported("The target toy has no feature store.", "local has: set `target: local`.")

    def published(self) -> list[Publication]:
        return []

    def online(self, group: Group, keys: Sequence[str]) -> dict[str, Record]:
        raise NotReady("Nothing is published.", "local can: set `target: local`.")

    def before(
        self, group: Group, wanted: Sequence[tuple[str, datetime]], version: str | None = None
    ) -> list[Record | None]:
        raise NotReady("Nothing is published.", "local can: set `target: local`.")


class ToyModels:
    def __init__(self) -> None:
        self.known: list[Run] = []
        self.added: list[ModelVersion] = []

    def record(self, run: Run) -> Run:
        self.known.append(replace(run))
        return run

    def runs(self) -> list[Run]:
        return self.known

    def add(self, run: Run) -> ModelVersion:
        self.added.append(ModelVersion(len(self.added) + 1, run))
        return self.added[-1]

    def versions(self) -> list[ModelVersion]:
        return self.added

    def decide(self, version: int, approval: Approval) -> ModelVersion:
        self.added[version - 1] = replace(self.added[version - 1], approval=approval)
        return self.added[version - 1]


class ToyServing:
    def changes(self) -> list[Change]:
        return []

    def rendering(self) -> Rendering:
        raise Unsupported("The target toy has no Kubernetes.", "aws has: set `target: aws`.")

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        raise Unsupported("The target toy can't serve.", "local can: set `target: local`.")

    def roll_back(self, to: int | None, progress: Progress) -> Endpoint:
        raise Unsupported("The target toy can't serve.", "local can: set `target: local`.")

    def endpoint(self) -> Endpoint | None:
        return None

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        raise Unsupported("The target toy has no server, so no logs.", "local has: set `target: local`.")


class ToyWatch:
    def predictions(self, hours: float) -> Iterator[dict[str, Any]]:
        return iter(())


class ToyInfra:
    def __init__(self, shelf: Path) -> None:
        self.shelf = shelf

    def changes(self, terms: Terms = AS_IT_STANDS, progress: Progress = SILENT) -> list[Change]:
        return [] if self.shelf.exists() else [Change("create", "folder", str(self.shelf))]

    def apply(self, progress: Progress, terms: Terms = AS_IT_STANDS) -> list[Change]:
        made = self.changes()
        self.shelf.mkdir(parents=True, exist_ok=True)
        return made

    def standing(self, progress: Progress = SILENT, *, drift: bool = True) -> Standing:
        return Standing(int(self.shelf.exists()))

    def unlock(self) -> list[Change]:
        return []

    def removals(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        return [Change("delete", "folder", str(self.shelf))] if self.shelf.exists() else []

    def remove(self, progress: Progress, keep: AbstractSet[str] = NOTHING) -> None:
        shutil.rmtree(self.shelf, ignore_errors=True)

    def left(self, keep: AbstractSet[str] = NOTHING, progress: Progress = SILENT) -> list[Change]:
        return self.removals()


class ToyCosts:
    def estimates(self) -> list[Estimate]:
        return [Estimate("always", ())]

    def advice(self) -> list[Advice]:
        return []

    def live(self) -> Spend:
        raise Unsupported("The target toy has no bill.", "aws has: set `target: aws`.")


class ToyDoctor:
    def findings(self, progress: Progress) -> Iterator[Finding]:
        return iter(())

    def policy(self) -> Mapping[str, Any]:
        return {}


class ToyImages:
    def build(self, model: ModelVersion | None, progress: Progress) -> Image:
        raise Unsupported("The target toy has no images.", "local has: set `target: local`.")

    def find(self, model: ModelVersion | None) -> Image | None:
        return None


def open(config: Config) -> Target:  # noqa: A001 - what targets.open_target calls
    shelf = config.settings("toy").shelf
    infra = ToyInfra(shelf)
    return Target(
        name="toy",
        config=config,
        lake=ToyLake(shelf),
        jobs=ToyJobs(shelf),
        features=ToyFeatures(),
        models=ToyModels(),
        images=ToyImages(),
        serving=ToyServing(),
        watch=ToyWatch(),
        infra=infra,
        removal=infra,
        costs=ToyCosts(),
        doctor=ToyDoctor(),
    )

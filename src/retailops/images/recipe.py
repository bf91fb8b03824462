"""Floor 3, images: everything that an image is made of, named by a key: the same key, the same contents."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import retailops
from retailops.errors import NotReady, TargetFailed
from retailops.images import pins, wheel
from retailops.ports import ModelVersion
from retailops.retail.bundle import Bundle
from retailops.tools.diagnosis import plain

SERVE = "serve"
_FETCH_S = 1800.0
_FILE = 0o644


@dataclass(frozen=True)
class Recipe:
    """`model` None: the worker's."""

    model: ModelVersion | None
    base: str  # as retail.yaml names it
    base_id: str  # what that is

    @property
    def name(self) -> str:
        """Of the Dockerfile and of the pins."""
        return "worker" if self.model is None else "serving"

    @property
    def key(self) -> str:
        """Hash of the Dockerfile, the wheels (by their own hashes), our own sources, the bundle and the base."""
        parts = [self.name, self.base_id, _template(f"{self.name}.Dockerfile").read_text(encoding="utf-8")]
        parts += [_template(SERVE).read_text(encoding="utf-8"), pins.file(self.name).read_text(encoding="utf-8")]
        if self.model is not None:
            parts += [str(self.model.version), self.model.run.bundle_hash]
        parts += [f"{place} {hashlib.sha256(file.read_bytes()).hexdigest()}" for place, file in wheel.sources()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def tag(self) -> str:
        """For people: which version, which bundle, and the key."""
        return f"{alias(self.model)}-{self.key}"

    @property
    def packages(self) -> int:
        """Python distributions in it, ours included."""
        return len(re.findall(r"^\S+==", pins.file(self.name).read_text(encoding="utf-8"), re.MULTILINE)) + 1

    @property
    def arguments(self) -> dict[str, str]:
        """Of the Dockerfile."""
        version = {} if self.model is None else {"MODEL_VERSION": str(self.model.version)}
        return {"BASE": self.base, **version}

    @property
    def labels(self) -> dict[str, str]:
        made_of: Mapping[str, str] = {}
        if self.model is not None:
            run = self.model.run
            made_of = {
                "retailops.model-version": str(self.model.version),
                "retailops.bundle": run.bundle_hash,
                "retailops.dataset": run.dataset,
                "retailops.run": run.id,
            }
        return {
            "org.opencontainers.image.title": f"retailops {self.name}",
            "org.opencontainers.image.version": retailops.__version__,
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.base.name": self.base,
            "org.opencontainers.image.source": f"retailops {retailops.__version__}, from its installed package",
            "retailops.key": self.key,
            **made_of,
        }

    def lay(self, folder: Path) -> None:
        """Write the build's context. Wheels come through pip, so with the user's own index, proxy and certificates."""
        wheels, own = folder / "wheels", folder / "own"
        wheels.mkdir()
        _fetch(self.name, wheels)
        own.mkdir()
        wheel.pack(own)
        shutil.copyfile(_template(f"{self.name}.Dockerfile"), folder / "Dockerfile")
        if self.model is not None:
            shutil.copyfile(_template(SERVE), own / SERVE)
            found = Bundle.open(self.model.run.bundle)
            if found.hash != self.model.run.bundle_hash:
                raise TargetFailed(
                    f"The bundle of version {self.model.version} isn't the one that was registered.",
                    "Register it again: retailops register",
                )
            shutil.copytree(found.folder, folder / "bundle", copy_function=shutil.copyfile)
        for entry in folder.rglob("*"):  # whatever this machine's umask is
            entry.chmod(0o755 if entry.is_dir() or entry.name == SERVE else _FILE)


def alias(model: ModelVersion | None) -> str:
    """How the tags of this version's images begin, whatever they were built with."""
    if model is None:
        return f"worker-{re.sub(r'[^A-Za-z0-9_.-]', '-', retailops.__version__)}"
    return f"v{model.version}-{model.run.bundle_hash[:8]}"


def _fetch(name: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            pins.download(name, folder), capture_output=True, text=True, timeout=_FETCH_S, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise TargetFailed(
            f"pip fetched nothing in {_FETCH_S / 60:.0f} minutes.", "Check the network, then run this again."
        ) from problem
    if "No module named pip" in done.stderr:
        raise NotReady(
            "There is no pip beside this Python, which fetches what goes into images.", "python -m ensurepip"
        )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-3:]
        raise TargetFailed(
            f"pip couldn't fetch what goes into the image: {plain(' '.join(said))}",
            "Its index must have exactly the files that templates/docker names; check the network and pip's settings.",
        )


def _template(name: str) -> Path:
    return Path(str(resources.files("retailops.templates").joinpath("docker", name)))

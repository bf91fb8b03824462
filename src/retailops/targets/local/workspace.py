"""Floor 4, local: the workspace folder, and the proof that it is ours before anything in it is made or removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from retailops import files
from retailops.errors import ConfigError

MARKER = "workspace.json"
FOLDERS = ("lake/raw", "lake/datasets", "lake/scratch", "features", "jobs", "models", "serving/logs")


@dataclass(frozen=True)
class Workspace:
    """`folder` is absolute, with links resolved; `project` is its owner; `home` is where retail.yaml lies."""

    folder: Path
    project: str
    home: Path

    def claim(self) -> None:
        """Make the folder ours and complete. Twice is harmless; ConfigError when it is someone else's."""
        if not self.owned():
            self.folder.mkdir(parents=True, exist_ok=True)
            record = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "project": self.project}
            files.write_json(self.folder / MARKER, record)
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        ignored = self.folder / ".gitignore"
        if not ignored.exists():
            files.write_text(ignored, "# rows, models and logs: never for a repository\n*\n")

    def owned(self) -> bool:
        """Whether our marker stands. ConfigError when the folder must not become ours, or is another project's."""
        self._refuse_precious()
        if not self.folder.exists():
            return False
        if not self.folder.is_dir():
            raise _refused(self.folder, "is a file, not a folder")
        record = files.read_json(self.folder / MARKER)
        if isinstance(record, dict) and record.get("project") == self.project:
            return True
        if isinstance(record, dict) and "project" in record:
            raise ConfigError(
                f"local.workspace: {self.folder} belongs to the project {record['project']!r}, not {self.project!r}.",
                f"Set project.name back to {record['project']!r}, or choose another local.workspace.",
            )
        foreign = sorted(entry.name for entry in self.folder.iterdir() if not _is_ours_unfinished(entry.name))
        if foreign:
            raise _refused(self.folder, f"holds files that retailops didn't make ({', '.join(foreign[:3])})")
        return False

    def _refuse_precious(self) -> None:
        home, project = Path.home().resolve(), self.home.resolve()
        if self.folder == Path(self.folder.anchor):
            raise _refused(self.folder, "is the whole disk")
        if self.folder == home or self.folder in home.parents:
            raise _refused(self.folder, "is or holds your home folder")
        if self.folder == project or self.folder in project.parents:
            raise _refused(self.folder, "is or holds the folder of retail.yaml")
        if (self.folder / ".git").exists():
            raise _refused(self.folder, "is a git repository")


def _is_ours_unfinished(name: str) -> bool:
    """What a claim that was killed half-way, or a removal at its last step, may leave without a marker."""
    return name == MARKER or (name.startswith(".workspace.") and name.endswith(".tmp.json"))


def _refused(folder: Path, why: str) -> ConfigError:
    return ConfigError(
        f"local.workspace: {folder} {why}; the workspace is a folder that teardown deletes whole.",
        "Set local.workspace to a new folder of its own, such as .retailops.",
    )

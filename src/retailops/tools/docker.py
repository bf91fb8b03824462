"""Floor 3: the docker command: builds, pushes, asks. Engine, context and credentials are those of whoever runs this."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retailops import environment
from retailops.errors import NotReady, TargetFailed
from retailops.progress import Progress
from retailops.tools.diagnosis import Rule, fitting, plain

_LAST = 12  # lines of what was said before it failed
_SHORT_S = 120.0  # patience with what only asks
_BORROWED = ("contexts", "cli-plugins", "certs.d")  # parts of docker's folder that hold no password
_EPOCH = 315_532_800  # 1980: BuildKit's dates, so that the same contents give the same digest

_ENGINE = (
    Rule(
        r"Cannot connect to the Docker daemon|Is the docker daemon running|failed to connect to the docker API",
        "Start docker. Another engine than the usual one is named by DOCKER_HOST, or by `docker context use`.",
        error=NotReady,
        cause="no engine",
    ),
    Rule(
        r"permission denied while trying to connect",
        "Give yourself the right to use docker (its group), or name an engine of your own with DOCKER_HOST.",
        error=NotReady,
        cause="no right to the engine",
    ),
    Rule(
        r"BuildKit is enabled but the buildx component is missing",
        "Install docker's buildx plugin, or unset DOCKER_BUILDKIT.",
        error=NotReady,
        cause="no buildx",
    ),
    Rule(r"no space left on device", "Free space on the engine's disk: docker system df", cause="disk full"),
)
_REGISTRY = (
    Rule(
        r"toomanyrequests|rate limit",
        "That registry counts what you pull: docker login, or wait and run this again.",
        cause="rate limit",
    ),
    Rule(
        r"tag .*immutable|ImageTagAlreadyExists",
        "That tag was pushed meanwhile, maybe by somebody else: run this again, it is found then.",
        cause="tag taken",
    ),
    Rule(
        r"unauthorized|authentication required|no basic auth|denied|insufficient_scope",
        "Log in where images are kept, with the right to push and pull: docker login REGISTRY",
        cause="refused",
    ),
    Rule(
        r"server gave HTTP response to HTTPS client",
        "That registry speaks HTTP: the engine takes it once it is in insecure-registries of /etc/docker/daemon.json.",
        cause="insecure",
    ),
    Rule(
        r"no such host|connection refused|i/o timeout|TLS handshake|network is unreachable|EOF",
        "That registry can't be reached by the engine: check its name and the network, then run this again.",
        cause="unreachable",
    ),
    Rule(
        r"manifest unknown|manifest for .* not found|repository does not exist|not found",
        "Check the name and tag of the image.",
        cause="unknown image",
    ),
)
RULES = (*_ENGINE, *_REGISTRY)


@dataclass(frozen=True)
class Local:
    """An image that the engine has. `id` is the hash of what it is, wherever it came from."""

    id: str
    bytes: int  # uncompressed
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Pushed:
    """An image as a registry has it."""

    digest: str
    bytes: int  # compressed, layers and configuration


class Docker:
    """`log` gets everything that builds and pushes say."""

    def __init__(self, log: Path, config: Path | None = None) -> None:
        self._log = log
        self._options = ["--config", str(config)] if config else []

    @contextmanager
    def logged_in(self, registry: str, user: str, password: str) -> Iterator[Docker]:
        """The same engine with credentials for one registry, in a folder that goes at the end of the block."""
        home = environment.docker_folder()
        with tempfile.TemporaryDirectory(prefix="retailops-docker-") as name:
            folder = Path(name)
            context = _setting(home / "config.json", "currentContext")
            (folder / "config.json").write_text(json.dumps({"currentContext": context} if context else {}))
            for part in _BORROWED:
                if (home / part).exists():
                    (folder / part).symlink_to(home / part)
            inside = Docker(self._log, folder)
            inside._ask(
                ["login", "--username", user, "--password-stdin", registry], f"Logging in at {registry}", password
            )
            yield inside

    def require(self) -> None:
        """NotReady when there is no docker command, or no engine behind it."""
        self._ask(["version", "--format", "{{.Server.Version}}"], "Asking docker for its version")

    def build(
        self, context: Path, tag: str, arguments: Mapping[str, str], labels: Mapping[str, str], progress: Progress
    ) -> None:
        """Build <context>/Dockerfile without a network. TargetFailed with the last words of the step that failed."""
        buildx = self._has_buildx()
        words = ["buildx", "build", "--progress=plain", "--load", "--provenance=false"] if buildx else ["build"]
        if buildx:
            words += ["--platform=linux/amd64", f"--build-arg=SOURCE_DATE_EPOCH={_EPOCH}"]
        words += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        words += [f"--label={name}={value}" for name, value in labels.items()]
        steps = _Steps(progress)
        if buildx:
            progress.stage("building")  # the other builder tells of how many steps
        self._follow([*words, "--network=none", f"--tag={tag}", str(context)], f"Building {tag}", steps.read, _ENGINE)

    def push(self, tag: str, progress: Progress) -> Pushed:
        """Push it; what the registry has then."""
        found: list[str] = []
        layers: dict[str, bool] = {}

        def read(line: str) -> None:
            if told := re.search(r"digest: (sha256:[0-9a-f]{64})", line):
                found.append(told.group(1))
            elif layer := re.match(r"([0-9a-f]{12}): (.+)", line):
                layers[layer.group(1)] = layer.group(2).startswith(("Pushed", "Layer already", "Mounted"))
                progress.advance(sum(layers.values()))

        self._follow(["push", tag], f"Pushing {tag}", read)
        if not found:
            raise TargetFailed(f"docker pushed {tag} and told no digest.", f"What it said: {self._log}")
        return self.pushed(tag) or Pushed(found[-1], 0)

    def pull(self, name: str) -> None:
        self._follow(["pull", name], f"Pulling {name}", lambda line: None)

    def tag(self, name: str, further: str) -> None:
        """Give an image another name."""
        self._ask(["tag", name, further], f"Naming {further}")

    def local(self, name: str) -> Local | None:
        """The engine's own image of this name or id; None when it has none."""
        told = self._ask(["image", "inspect", name], f"Looking for {name}", missing="No such image")
        if told is None:
            return None
        (found,) = json.loads(told)
        return Local(found["Id"], int(found["Size"]), (found.get("Config") or {}).get("Labels") or {})

    def has(self, name: str) -> Local:
        """The engine's own image of this name, which has to be there."""
        found = self.local(name)
        if found is None:
            raise TargetFailed(f"The engine doesn't have {name} any more.", "Run this again.")
        return found

    def pushed(self, name: str) -> Pushed | None:
        """What the registry has under this name; None for nothing. Needs no engine."""
        words = ["manifest", "inspect", "--verbose", *(["--insecure"] if _is_here(name) else []), name]
        told = self._ask(
            words, f"Asking the registry for {name}", missing=r"no such manifest|manifest unknown|not found"
        )
        if told is None:
            return None
        found = json.loads(told)
        if isinstance(found, list):  # an index: one entry a platform
            found = found[0]
        manifest = found.get("SchemaV2Manifest") or found.get("OCIManifest") or {}
        parts = [manifest.get("config", {}), *manifest.get("layers", [])]
        return Pushed(found["Descriptor"]["digest"], sum(int(part.get("size", 0)) for part in parts))

    def _has_buildx(self) -> bool:
        try:
            self._ask(["buildx", "version"], "Looking for buildx")
        except TargetFailed:
            return False
        return True

    def _command(self, words: Sequence[str]) -> list[str]:
        program = shutil.which("docker")
        if program is None:
            raise NotReady(
                "There is no docker on the PATH, which builds images.", "Install it: docs.docker.com/get-docker"
            )
        return [program, *self._options, *words]

    def _ask(self, words: Sequence[str], doing: str, given: str = "", missing: str = "") -> str | None:
        """What docker prints. None where it says that the thing is `missing`."""
        try:
            done = subprocess.run(
                self._command(words), input=given, capture_output=True, text=True, timeout=_SHORT_S, check=False
            )
        except subprocess.TimeoutExpired as problem:
            raise TargetFailed(
                f"{doing}: no answer in {_SHORT_S:.0f} s.", "See whether docker answers: docker info"
            ) from problem
        if done.returncode == 0:
            return done.stdout
        if missing and re.search(missing, done.stderr):
            return None
        raise _refusal(doing, done.stderr.splitlines())

    def _follow(
        self, words: Sequence[str], doing: str, read: Callable[[str], None], rules: Sequence[Rule] = RULES
    ) -> None:
        """Run it to its end, line by line. Ctrl-C reaches docker too, which is waited for."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        last: deque[str] = deque(maxlen=_LAST)
        command = self._command(words)
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"$ docker {' '.join(words)}\n")
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                for coloured in process.stdout or ():
                    line = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
                    log.write(line)
                    read(line)
                    if line.strip() and "legacy builder" not in line:
                        last.append(line.rstrip())
        if process.returncode:
            raise _refusal(doing, last, self._log, rules)


class _Steps:
    """How far a build is, from what either builder prints."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total = 0
        self._done = 0

    def read(self, line: str) -> None:
        if step := re.match(r"Step (\d+)/(\d+) : (\w+)", line):
            self._tell(int(step.group(1)) - 1, int(step.group(2)), step.group(3))
        elif step := re.match(r"#\d+ \[[^\]]*?(\d+)/(\d+)\] (\w+)", line):
            self._done += 1  # BuildKit counts in each stage apart
            self._tell(self._done, None, step.group(3))

    def _tell(self, done: int, total: int | None, doing: str) -> None:
        if total and not self._total:
            self._total = total
            self._progress.stage("building", total, "steps")
        self._progress.advance(done, doing)


def _is_here(name: str) -> bool:
    """Whether a registry is on this machine, where docker itself is content with HTTP."""
    host = name.partition("/")[0].partition(":")[0]
    return host in ("localhost", "127.0.0.1")


def _setting(path: Path, key: str) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get(key, ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _refusal(
    doing: str, lines: Sequence[str] | deque[str], log: Path | None = None, rules: Sequence[Rule] = RULES
) -> Exception:
    text = "\n".join(lines)
    rule = fitting(text, rules)
    if rule:
        said = next((line for line in reversed(lines) if re.search(rule.pattern, line)), text)
        what, fix = f"{doing}: {plain(said)}", rule.fix
    else:
        what = "\n".join([f"{doing} failed:", *(f"  {line}" for line in lines)])
        fix = f"All that docker said: {log}" if log else "See whether docker answers: docker info"
    error: type[Any] = rule.error if rule else TargetFailed
    found: Exception = error(what, fix, details={"cause": rule.cause if rule else "", "said": text[-2000:]})
    return found

"""One Job on a cluster: started once whoever asks, followed to its end from here, let go, explained when it fails.

The Job's name is the lock: of two commands one makes it, and both follow it. Whatever happens to a command, the Job
goes on; Kubernetes starts another pod for one that died, with back-off.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from retailops import files
from retailops.batch import reasons
from retailops.batch.agreed import VERDICTS
from retailops.batch.voice import Voice
from retailops.errors import Interrupted, TargetFailed
from retailops.ports import Manifest
from retailops.progress import Progress
from retailops.tools.kube import Refused, Space, Unreachable

Opened = Callable[[], AbstractContextManager[Space]]
_FRESH_S = 600.0  # a connection is made anew now and then: tokens of clouds are good for a quarter of an hour


@dataclass(frozen=True)
class Patience:
    """Seconds: between two looks, for a second Ctrl-C, for a pod that can't start, for a node that comes, for an API
    that is silent, for the last lines of a log, and for something that is being deleted."""

    look: float = 1.0
    grace: float = 5.0
    stuck: float = 20.0
    room: float = 300.0
    lost: float = 180.0
    late: float = 5.0
    going: float = 60.0


class Attendant(Protocol):
    """Who brings a running pod what it waits for."""

    taken: bool  # its result is here, so nothing has to be waited for

    def attend(self, space: Space, pod: str, progress: Progress) -> None: ...


class Unattended:
    """A pod that brings what it needs itself."""

    taken = False

    def attend(self, space: Space, pod: str, progress: Progress) -> None:
        return None


class Attempt:
    """`opened` connects to the Job's namespace; `log` is where the words of its pods are kept on this machine."""

    def __init__(self, opened: Opened, name: str, log: Path, patience: Patience) -> None:
        self._opened = opened
        self._name = name
        self._log = log
        self._patience = patience
        self._voices: dict[str, Voice] = {}
        self._told: set[str] = set()  # of what was noted once
        self._stage = ""
        self._hindered = ("", 0.0)

    # --- start ---

    def start(self, manifests: Iterable[Manifest], progress: Progress) -> None:
        """Have the Job be there: follow one that runs, replace one that ended."""
        progress.stage(f"Asking the cluster for {self._name}")
        objects = [each for manifest in manifests for each in manifest.objects]
        *others, job = sorted(objects, key=lambda each: each["kind"] == "Job")
        with self._opened() as space:
            self._clear_ended(space)
            for each in others:
                if each["kind"] in ("Namespace", "Secret"):
                    space.create(each)
                else:
                    space.apply(each)
            if space.create(job):
                files.remove(self._log)
            else:
                progress.note(f"{self._name} is running already: following it.")
            self._bind(space)

    def token(self) -> str:
        """What the pod knows its caller by, whichever command made it up."""
        with self._opened() as space:
            secret = space.read("Secret", self._name) or {}
        return base64.b64decode(secret.get("data", {}).get("token", "")).decode()

    def _clear_ended(self, space: Space) -> None:
        """Make room for a new Job. The Secret is read first: so it can't be the new one of another command."""
        secret, job = space.read("Secret", self._name), space.read("Job", self._name)
        if job and not (reasons.condition(job)[0] or job["metadata"].get("deletionTimestamp")):
            return
        for kind, found in (("Job", job), ("Secret", secret)):
            if found:
                space.delete(kind, self._name, found["metadata"]["uid"])
                self._gone(space, kind, found["metadata"]["uid"])

    def _gone(self, space: Space, kind: str, uid: str) -> None:
        deadline = time.monotonic() + self._patience.going
        while (found := space.read(kind, self._name)) and found["metadata"]["uid"] == uid:
            if time.monotonic() > deadline:
                raise TargetFailed(f"{kind} {self._name} doesn't go away.", "Look at it: kubectl describe job.")
            time.sleep(min(0.2, self._patience.look))

    def _bind(self, space: Space) -> None:
        """The Secret goes with its Job."""
        job = space.read("Job", self._name)
        if job:
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": self._name, "uid": job["metadata"]["uid"]}
            space.merge("Secret", self._name, {"metadata": {"ownerReferences": [owner]}})

    # --- follow ---

    def follow(self, attendant: Attendant, progress: Progress) -> None:
        """Return when the Job is complete or its result taken; else raise what it ended by."""
        since = time.monotonic()
        while True:
            try:
                with self._opened() as space:
                    began = time.monotonic()
                    while time.monotonic() < began + _FRESH_S:
                        if self._looked(space, attendant, progress):
                            return
                        since = time.monotonic()
                        time.sleep(self._patience.look)
            except KeyboardInterrupt:
                raise self._let_go(progress) from None
            except Unreachable as problem:
                if isinstance(problem, Refused) or time.monotonic() > since + self._patience.lost:
                    raise
                self._note_once("silent", f"{problem.what} Trying again.", progress)
                time.sleep(self._patience.look)

    def _looked(self, space: Space, attendant: Attendant, progress: Progress) -> bool:
        """One look at the Job and its pods. True when it is done."""
        job = space.read("Job", self._name)
        if job is None:
            raise TargetFailed(f"The Job {self._name} was deleted.", "Run the same command again to start it anew.")
        pods = space.listed("Pod", {"controller-uid": job["metadata"]["uid"]})
        for pod in pods:
            self._voice(pod).pass_on(space, pod["metadata"]["name"], progress)
        for pod in pods:  # Kubernetes may have been quicker than this look: the newest is another already
            self._judge(space, job, pod, progress)
        newest = pods[-1] if pods else None
        state, why, says = reasons.condition(job)
        if state == "Failed":
            raise self._problem(newest, f"{why}: {says}", len(pods))
        if state == "Complete":
            return True
        if newest and newest["status"].get("phase") == "Running" and not newest["metadata"].get("deletionTimestamp"):
            self._stage = ""
            attendant.attend(space, newest["metadata"]["name"], progress)
            return attendant.taken
        self._await(space, job, newest, progress)
        return False

    def _judge(self, space: Space, job: dict[str, Any], pod: dict[str, Any], progress: Progress) -> None:
        """Raise what no further attempt would change; the Job is ended then, so that none is made."""
        end, name = reasons.ending(pod), pod["metadata"]["name"]
        if end is None or end.code == 0:
            return
        if end.code in VERDICTS or end.reason == "OOMKilled":
            self._wait_for_words(space, pod, end, progress)
            problem = self._problem(pod, end.reason, 1)
            space.delete("Job", self._name, job["metadata"]["uid"])
            raise problem
        why = f"{end.reason}, exit code {end.code}" if end.code >= 0 else f"{end.reason}: {end.message}"
        self._note_once(name, f"The pod {name} died ({why}). Kubernetes starts another in a while.", progress)

    def _wait_for_words(self, space: Space, pod: dict[str, Any], end: reasons.Ending, progress: Progress) -> None:
        voice, deadline = self._voice(pod), time.monotonic() + self._patience.late
        wanted = end.code in VERDICTS and not reasons.from_message(end.message)
        while wanted and not voice.error and time.monotonic() < deadline:
            time.sleep(min(0.2, self._patience.look))
            voice.pass_on(space, pod["metadata"]["name"], progress)

    def _problem(self, pod: dict[str, Any] | None, why: str, pods: int) -> Exception:
        """What the job reported itself goes before what anybody else says of it."""
        if pod is None:
            return reasons.death(self._name, None, why, [], str(self._log), pods)
        end, voice = reasons.ending(pod), self._voice(pod)
        told = voice.error or (reasons.from_message(end.message) if end else None)
        ours = end is not None and end.code > 0 and end.reason != "OOMKilled"
        if told and ours:
            return told
        return reasons.death(self._name, end, why, voice.last_words(), str(self._log), pods)

    def _await(self, space: Space, job: dict[str, Any], pod: dict[str, Any] | None, progress: Progress) -> None:
        """Tell what a pod waits for, and raise when that doesn't pass by itself; the Job is ended then."""
        about = [] if pod else space.listed("Event", fields=f"involvedObject.uid={job['metadata']['uid']}")
        waiting = pod is None or reasons.ending(pod) is None
        what = reasons.hindrance(pod, about) if waiting else ""
        kind, since = what.partition(":")[0], self._hindered[1]
        if kind != self._hindered[0]:
            since = time.monotonic()
            self._hindered = (kind, since)
        limit = self._patience.room if reasons.is_about_room(what) else self._patience.stuck
        if what and time.monotonic() >= since + limit:
            space.delete("Job", self._name, job["metadata"]["uid"])
            raise reasons.stuck(self._name, what)
        stage = f"Waiting for a place on the cluster{f' ({what})' if what else ''}"[:160]
        if stage != self._stage:
            progress.stage(stage)
        self._stage = stage

    def _let_go(self, progress: Progress) -> Interrupted:
        """Ctrl-C leaves the Job running; a second one right after it ends it."""
        name, grace = self._name, self._patience.grace
        try:
            progress.note(f"{name} goes on without this command. Ctrl-C once more within {grace:.0f} s ends it.")
            time.sleep(grace)
        except KeyboardInterrupt:
            with self._opened() as space:
                space.delete("Job", name)
            return Interrupted(f"{name} was ended.", "Run the same command again to start it anew.")
        return Interrupted(f"{name} goes on on the cluster.", "Run the same command again to follow it.")

    def _voice(self, pod: dict[str, Any]) -> Voice:
        return self._voices.setdefault(pod["metadata"]["uid"], Voice(self._log))

    def _note_once(self, key: str, text: str, progress: Progress) -> None:
        if key not in self._told:
            progress.note(text)
        self._told.add(key)

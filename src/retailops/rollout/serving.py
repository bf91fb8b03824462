"""Floor 3, rollout: the API on Kubernetes, whatever cluster it is: a target brings the way there and the templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from retailops import ports
from retailops.config import Config
from retailops.errors import NotReady, UsageError
from retailops.ports import Endpoint, Images, Manifest, ModelVersion, Rendering
from retailops.progress import Progress
from retailops.retail import bundle as bundles
from retailops.retail.bundle import Bundle
from retailops.retail.predictor import Predictor
from retailops.rollout import settings, standing
from retailops.rollout.change import Change, Object, Steps, Wanted
from retailops.rollout.lock import Lock
from retailops.rollout.logs import pod_logs
from retailops.rollout.revisions import Revision, Revisions
from retailops.rollout.site import NoCluster, Site
from retailops.rollout.undoing import with_template
from retailops.tools.kube import Cluster, Ref, Unreachable

Rendered = Callable[[ModelVersion, str], tuple[Manifest, ...]]  # a version and its image → all of it
Versions = Callable[[], list[ModelVersion]]
Rewriting = Callable[[Sequence[Object]], Sequence[Object]]


def as_they_are(objects: Sequence[Object]) -> Sequence[Object]:
    return objects


class KubernetesServing:
    """ports.Serving over one namespace of a cluster. Nothing is remembered on this machine."""

    def __init__(
        self,
        config: Config,
        site: Site,
        rendered: Rendered,
        images: Images,
        versions: Versions,
        rewriting: Rewriting = as_they_are,  # tests suit objects to an older server
        steps: Steps | None = None,
    ) -> None:
        self._config = config
        self._site = site
        self._rendered = rendered
        self._images = images
        self._versions = versions
        self._rewriting = rewriting
        self._steps = steps or Steps()

    def rendering(self) -> Rendering:
        return self._written

    def roll_out(self, model: ModelVersion, progress: Progress) -> Endpoint:
        """Serve `model`; see ports.Serving. Whatever is raised says what became of it: what served before serves on."""
        progress.stage(f"checking the bundle of version {model.version}")
        predictor = Predictor.open(model.run.bundle, model.version)
        image = self._image(model) or self._images.build(model, progress).reference
        objects = self._rewriting([each for one in self._rendered(model, image) for each in one.objects])
        wanted = Wanted(predictor, _reference(model), objects)
        with self._changing(f"deploy of version {model.version}", progress, objects) as change:
            told = change.go(wanted)
            return self._told(change.cluster, told)

    def changes(self) -> list[ports.Change]:
        """What pods run on is the cluster's, which stands already."""
        return []

    def roll_back(self, to: int | None, progress: Progress) -> Endpoint:
        """Serve again what served before: image, bundle, limits and settings of its pods; see ports.Serving."""
        with self._changing("rollback", progress, ()) as change:
            deployment = change.cluster.read(self._site.deployment)
            if deployment is None:
                raise NotReady("Nothing is deployed, so there is nothing to go back to.", "Run: retailops deploy")
            revisions = Revisions.read(change.cluster, self._site, deployment)
            earlier = _earlier(revisions, to)
            progress.stage(f"checking the bundle of version {earlier.version}")
            model = self._registered(earlier)
            gone = settings.missing(change.cluster, self._site, earlier.template)
            if gone:
                raise NotReady(
                    f"Version {earlier.version} can't come back as it was: its ConfigMap {', '.join(gone)} is gone.",
                    f"Deploy it with today's settings: retailops deploy --version {earlier.version}",
                )
            predictor = Predictor.open(model.run.bundle, model.version)
            objects = [with_template(deployment, earlier.template)]
            told = change.go(Wanted(predictor, _reference(model), objects, returned=True))
            return self._told(change.cluster, told)

    def endpoint(self) -> Endpoint | None:
        """The live endpoint, asked at this moment; None when nothing is deployed.

        A cluster that doesn't answer has an endpoint of which nothing is known but why: version 0, unreachable.
        """
        try:
            with self._site.connect() as cluster:
                found = standing.endpoint(cluster, self._site)
                return found and replace(found, detail={**found.detail, "drift": self._drift(cluster, found)})
        except NoCluster:
            return None
        except Unreachable as problem:
            return Endpoint("", 0, "unreachable", "", {"engine": "kubernetes", "why": problem.what})

    def logs(self, lines: int, follow: bool) -> Iterator[str]:
        """The pods' last lines, each with its pod's name; NotReady before a deploy."""
        with self._site.connect() as cluster:
            if cluster.read(self._site.deployment) is None:
                raise NotReady("Nothing is deployed, so there is no log.", "Run: retailops deploy")
            yield from pod_logs(cluster, self._site, lines, follow=follow)

    def _written(self, model: ModelVersion) -> tuple[Manifest, ...]:
        image = self._image(model)
        if not image:
            raise NotReady(
                f"No image of version {model.version} was built.",
                f"Run: retailops image build --version {model.version}, or name one by its digest in retail.yaml: "
                "deploy.kubernetes.image.",
            )
        return self._rendered(model, image)

    def _image(self, model: ModelVersion) -> str:
        """What retail.yaml names, else what was built of the version; empty when neither is."""
        named = self._config.deploy.kubernetes.image
        found = None if named else self._images.find(model)
        return named or (found.reference if found else "")

    @contextmanager
    def _changing(self, doing: str, progress: Progress, objects: Sequence[Object]) -> Iterator[Change]:
        """Alone in the namespace, which is made where something is to be put into it."""
        with self._site.connect() as cluster:
            change = Change(cluster, self._site, self._config, self._steps, progress)
            if not self._site.claim(cluster):
                spaces = [each for each in objects if each["kind"] == "Namespace"]
                if not spaces:
                    raise NotReady("Nothing is deployed, so there is nothing to go back to.", "Run: retailops deploy")
                for each in spaces:
                    cluster.apply(each)
                    change.made.append(Ref.of(each))
            with Lock(cluster, self._site.namespace, doing, progress):
                yield change

    def _registered(self, revision: Revision) -> ModelVersion:
        """The registry's version of that number, when it holds the same bundle still."""
        for model in self._versions():
            if (model.version, model.run.bundle_hash) == (revision.version, revision.bundle_hash):
                return model
        raise NotReady(
            f"Version {revision.version} served before with the bundle {revision.bundle_hash}, which the registry "
            "doesn't have any more: it can't be proved, so it isn't brought back.",
            "See what there is: retailops models list",
        )

    def _told(self, cluster: Cluster, told: dict[str, Any]) -> Endpoint:
        found = standing.endpoint(cluster, self._site)
        if found is None:
            raise NotReady("The Deployment was removed just now.", "Deploy again: retailops deploy")
        return replace(found, detail={**found.detail, **told})

    def _drift(self, cluster: Cluster, found: Endpoint) -> list[dict[str, str]] | None:
        """None where it can't be told: the version isn't in the registry, or has no image."""
        bundle = found.detail["bundle_hash"]
        model = next((each for each in self._versions() if each.run.bundle_hash == bundle), None)
        if model is None or model.version != found.version:
            return None
        rendered = self._rendered(model, str(found.detail["image"]))
        return standing.drift(cluster, self._rewriting([each for one in rendered for each in one.objects]))


def _reference(model: ModelVersion) -> Any:
    return Bundle.open(model.run.bundle).json(bundles.REFERENCE)


def _earlier(revisions: Revisions, to: int | None) -> Revision:
    """What to go back to. Gone back already: the same once more, so repeating the command goes no further."""
    live = revisions.live
    before = revisions.before(live)
    if to is None:
        if live is not None and live.returned:
            return live
        if not before:
            raise NotReady("Nothing served before this version.", "Deploy another: retailops deploy --version N")
        return before[-1]
    chosen = [each for each in revisions.proven if each.version == to]
    if not chosen:
        known = sorted({each.version for each in revisions.proven})
        raise UsageError(
            f"The cluster doesn't remember version {to}.",
            f"It remembers: {', '.join(map(str, known)) or 'none'}. Or deploy it: retailops deploy --version {to}",
        )
    return chosen[-1]

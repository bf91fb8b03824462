"""The two ways to a cluster: an address with a token, as clouds give it, or a context of somebody's kubeconfig."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retailops import environment
from retailops.errors import ConfigError, NotReady
from retailops.tools.kube.cluster import Cluster
from retailops.tools.kube.wire import Wire

_FRESH_S = 300.0  # clouds take a token for a quarter of an hour at least


@contextmanager
def connect(endpoint: str, certificate: str, token: str | Callable[[], str]) -> Iterator[Cluster]:
    """The cluster behind `endpoint`; `certificate` is its CA in base64, as clouds hand it out. No call is made yet.

    A `token` that is a call is made when it is needed, and again before it is too old: a rollout may take an hour.
    """
    client = _library()
    with tempfile.TemporaryDirectory() as folder:
        configuration = client.Configuration()
        configuration.host = endpoint
        configuration.refresh_api_key_hook = _Renewing(token)
        configuration.api_key = {"authorization": ""}
        if certificate:
            authority = Path(folder) / "ca.crt"
            authority.write_bytes(base64.b64decode(certificate))
            configuration.ssl_ca_cert = str(authority)
        with _opened(client, configuration) as found:
            yield found


@contextmanager
def connect_context(context: str, kubeconfig: str | None = None) -> Iterator[Cluster]:
    """The cluster of a context of the kubeconfig (None: KUBECONFIG, or ~/.kube/config). No call is made yet.

    ConfigError when there is no such context, or its credentials can't be had.
    """
    client = _library()
    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    load: Any = config.load_kube_config
    try:
        load(
            kubeconfig or environment.kubeconfig(),
            context=context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (ConfigException, OSError) as problem:
        raise ConfigError(
            f"deploy.kubernetes.context: the context {context!r} can't be used: {problem}",
            "kubectl config get-contexts lists those that are there; KUBECONFIG names the file.",
        ) from problem
    with _opened(client, configuration) as found:
        yield found


class _Renewing:
    """What the client asks before each call."""

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token
        self._made: float | None = None

    def __call__(self, configuration: Any) -> None:
        if self._made is not None and time.monotonic() - self._made < _FRESH_S:
            return
        token = self._token if isinstance(self._token, str) else self._token()
        configuration.api_key = {"authorization": f"Bearer {token}"}
        self._made = time.monotonic()


@contextmanager
def _opened(client: Any, configuration: Any) -> Iterator[Cluster]:
    configuration.retries = False
    with client.ApiClient(configuration) as api:
        try:
            yield Cluster(Wire(api.rest_client.pool_manager, configuration))
        finally:
            api.rest_client.pool_manager.clear()


def _library() -> Any:
    try:
        from kubernetes import client
    except ImportError as problem:
        raise NotReady(
            "The library that speaks to Kubernetes isn't installed.", "Install it: pip install 'retailops[kubernetes]'"
        ) from problem
    return client

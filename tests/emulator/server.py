"""moto's own application on a free port of 127.0.0.1, with hooks in front that may answer in its place."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from socket import SHUT_RDWR
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict, BaseBackend, backend_lock
from moto.core.config import default_user_config
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from emulator import thrift

REGION = "ap-southeast-1"
_PATIENCE_S = 2.0  # until a client that has its answer hangs up
ADDITIONS: tuple[str, ...] = (  # modules of this package whose HOOKS complete moto
    "athena_queries",
    "budget_reads",
    "eks_addons",
    "eks_clusters",
    "eks_scaling_groups",
    "endings",
    "endpoint_scaling",
    "feature_groups",
    "feature_records",
    "glue_triggers",
    "iam_simulation",
    "memory",
    "quotas",
    "sagemaker_ends",
    "sagemaker_packages",
    "sagemaker_refusals",
    "sagemaker_tags",
    "transport",
)


@dataclass(frozen=True)
class Request:
    """What a hook sees. JSON protocols name the operation in `target`, `SageMaker.DeleteEndpoint`; others in `form`."""

    method: str
    path: str
    query: str
    service: str  # as signed: "iam", "s3", "sagemaker", …
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        return self.headers.get("X_AMZ_TARGET", "")

    @property
    def region(self) -> str:
        """As signed."""
        return self.headers.get("AUTHORIZATION", "").partition("Credential=")[2].split("/")[2]

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}


@dataclass(frozen=True)
class Response:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


HANG_UP = Response(status=0)  # the connection is cut instead of an answer
Hook = Callable[[Request], Response | None]


class Emulator:
    """A running emulator; `hooks` of a test come first, then the kit's additions, then moto."""

    account = DEFAULT_ACCOUNT_ID
    region = REGION

    def __init__(self) -> None:
        default_user_config["iam"]["load_aws_managed_policies"] = True  # roles of EKS have some of AWS's own
        thrift.spare()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._additions: list[Hook] = [hook for name in ADDITIONS for hook in import_module(f"emulator.{name}").HOOKS]
        self.hooks: list[Hook] = []
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Polite)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs on top of PATH and the like."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, region: str = REGION) -> Any:
        return _looker(region).client(service, endpoint_url=self.url)

    def reset(self) -> None:
        """Everything in the account goes, and a test's own hooks."""
        self.hooks.clear()
        # moto's own reset makes every backend anew, with all of AWS's own policies and images, only to forget it.
        with backend_lock:
            for service in BackendDict._instances:
                for backends in service.values():
                    for backend in backends.values():
                        if type(backend).reset is not BaseBackend.reset:  # it has files or threads to let go
                            backend.reset()
                service.clear()
            BackendDict._instances.clear()
            reset_model_data()

    def answer(self, hook: Hook) -> None:
        """Let `hook` answer from now on, until `reset`."""
        self.hooks.insert(0, hook)

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        hooks = [*self.hooks, *self._additions]
        if hooks and int(environ.get("CONTENT_LENGTH") or 0) < 10_000_000:
            request = _request(environ)
            for hook in hooks:
                response = hook(request)
                if response is HANG_UP:
                    environ["werkzeug.socket"].shutdown(SHUT_RDWR)
                    raise ConnectionAbortedError
                if response is not None:
                    headers = {"Content-Type": "application/json", **response.headers}
                    start_response(f"{response.status} Emulated", [*headers.items()])
                    return [response.body]
        return self._moto(environ, start_response)


class _Polite(MotoRequestHandler):
    """Leaves last: a connection that is closed before the answer was taken may be reset on a crowded machine, and then
    an SDK asks again for what it has already got."""

    def finish(self) -> None:
        super().finish()
        with contextlib.suppress(OSError):  # the client was quicker
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_PATIENCE_S)
            while self.connection.recv(65536):
                pass


@cache
def _looker(region: str) -> boto3.Session:
    """One a region: a session reads the descriptions of its services once, which takes a while."""
    return boto3.Session("testing", "testing", "testing", region_name=region)


def _request(environ: dict[str, Any]) -> Request:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    signed = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
    headers = {name.removeprefix("HTTP_"): value for name, value in environ.items() if name.startswith("HTTP_")}
    return Request(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        signed[3] if len(signed) > 3 else "",
        {**headers, "CONTENT_TYPE": environ.get("CONTENT_TYPE", "")},
        body,
    )

"""The FastAPI app: health, metrics, model card and documentation. The front answers predictions before it."""

from __future__ import annotations

from importlib import resources
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from retailops import __version__
from retailops.serving.live import Live
from retailops.serving.schema import components

_EXAMPLE_LINES = 4
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    ),
    "x-content-type-options": "nosniff",
}
_NOT_NOW: dict[int | str, dict[str, Any]] = {503: {"description": "Starting or leaving"}}
_REFUSALS = {
    400: "Not JSON",
    408: "The body came too slowly",
    413: "Too large",
    415: "Not declared as JSON",
    422: "Not what the schema asks for",
}
_ERRORS = {
    404: ("There is nothing at this path.", "The routes are at /docs."),
    405: ("This path doesn't take this method.", "The methods of each route are at /docs."),
}


def build(live: Live) -> FastAPI:
    """The app around one verified bundle."""
    app = FastAPI(
        title="retailops",
        version=__version__,
        summary="Price sensitivity of a basket",
        docs_url=None,  # FastAPI's pages load their scripts from a CDN; ours works offline
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(HTTPException, _http_error)
    app.openapi = lambda: _openapi(app, live)  # type: ignore[method-assign]
    _add_health(app, live)
    _add_pages(app, live)
    return app


def _add_health(app: FastAPI, live: Live) -> None:
    @app.get("/healthz", tags=["operation"], summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/ping", tags=["operation"], summary="The same as /readyz, where SageMaker asks", responses=_NOT_NOW)
    @app.get("/readyz", tags=["operation"], summary="New requests are welcome", responses=_NOT_NOW)
    async def readyz() -> JSONResponse:
        state = "draining" if live.draining else "ready" if live.ready else "starting"
        body = {"status": state, "model_version": live.predictor.version}
        return JSONResponse(body, status_code=200 if state == "ready" else 503)

    @app.get("/metrics", tags=["operation"], summary="Counters for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(live.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_pages(app: FastAPI, live: Live) -> None:
    @app.get("/", tags=["model"], summary="Where to go")
    async def root() -> dict[str, Any]:
        predicting = ["/predict", "/predict/batch", "/invocations"]
        routes = [*predicting, "/model", "/docs", "/openapi.json", "/healthz", "/readyz", "/ping", "/metrics"]
        return {"name": "retailops", "model_version": live.predictor.version, "docs": "/docs", "routes": routes}

    @app.get("/model", tags=["model"], summary="The model card")
    async def model() -> dict[str, Any]:
        version, bundle = live.predictor.version, live.predictor.bundle_hash
        return {"model_version": version, "bundle_hash": bundle, "card": live.predictor.card}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = resources.files("retailops.templates").joinpath("api.html").read_text(encoding="utf-8")
        return HTMLResponse(page, headers=_PAGE_HEADERS)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    what, fix = _ERRORS.get(status, ("The request can't be answered.", "See /docs."))
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": {"what": what, "fix": fix}}, status_code=status, headers=headers)


def _openapi(app: FastAPI, live: Live) -> dict[str, Any]:
    """FastAPI's own description, and the two routes that it doesn't see, from the types that decode them."""
    from fastapi.openapi.utils import get_openapi

    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    golden = [row["basket"] for row in live.predictor.golden]
    example = min(golden, key=lambda basket: abs(len(basket["lines"]) - _EXAMPLE_LINES), default=None)
    document.setdefault("components", {}).setdefault("schemas", {}).update(components())
    many = {"baskets": [example]} if example else None
    document["paths"]["/predict"] = {"post": _operation("Predict one basket", "Basket", "Prediction", example)}
    document["paths"]["/predict/batch"] = {"post": _operation("Predict many baskets", "Baskets", "Predictions", many)}
    document["paths"]["/invocations"] = {"post": _invocations(example)}
    return document


def _invocations(example: Any) -> dict[str, Any]:
    """SageMaker's one address: either of the two, told apart by `baskets`, and a header in the place of the query."""
    operation = _operation("Predict one basket or many, as SageMaker asks", "Basket", "Prediction", example)
    explain = {
        **operation["parameters"][0],
        "name": "X-Amzn-SageMaker-Custom-Attributes",
        "in": "header",
        "description": "`explain=features` adds the numbers that the model saw.",
        "schema": {"type": "string", "enum": ["explain=features"]},
    }
    bodies = (operation["requestBody"]["content"], "Basket"), (operation["responses"]["200"]["content"], "Prediction")
    for content, name in bodies:
        both = [{"$ref": f"#/components/schemas/{each}"} for each in (name, f"{name}s")]
        content["application/json"]["schema"] = {"oneOf": both}
    return {**operation, "parameters": [explain]}


def _operation(summary: str, takes: str, gives: str, example: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{takes}"}}
    if example is not None:
        content["example"] = example
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    explain = {
        "name": "explain",
        "in": "query",
        "description": "`features` adds the numbers that the model saw, in the order of the model card.",
        "schema": {"type": "string", "enum": ["features"]},
    }
    return {
        "tags": ["prediction"],
        "summary": summary,
        "parameters": [explain],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": {
                "description": "Predicted",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{gives}"}}},
            },
            **{str(status): {"description": text, "content": error} for status, text in _REFUSALS.items()},
        },
    }

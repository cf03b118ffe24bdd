"""What a client is told when something is wrong, in the dialect of the path that it asked."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..errors import Closed, QueueFull

_log = logging.getLogger("kerasllm.server")
RETRY_AFTER = {"Retry-After": "1"}  # seconds
# The `type` of OpenAI's error bodies, by status.
_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class RequestError(Exception):
    """A request that cannot be served."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Says why.

        Args:
            status: Of the response.
            message: A sentence: the rule, what was received, the way out.
            param: The field that is wrong, if one is.
            code: A short name of what is wrong, for programs.
            headers: Of the response.
        """
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = headers


def as_request_error(error: Exception) -> RequestError:
    """What is told of an exception; one that is no fault of the request goes to the log, and nothing of it out."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, QueueFull):
        return RequestError(429, str(error), code="queue_full", headers=RETRY_AFTER)
    if isinstance(error, Closed):
        return RequestError(503, str(error), code="shutting_down", headers=RETRY_AFTER)
    if isinstance(error, (ValueError, TypeError)):
        return RequestError(400, str(error))
    if isinstance(error, ImportError):
        return RequestError(501, str(error))
    _log.error("A request failed.", exc_info=error)
    return RequestError(500, "The server failed at this request. Its log says more.")


def error_body(path: str, error: RequestError) -> dict[str, Any]:
    """The body of an error in the dialect of a path."""
    if path.startswith("/v1/"):
        kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
        return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}
    if path.startswith("/v2"):
        return {"error": error.message}
    kind = {429: "overloaded", 413: "validation", 422: "validation", 400: "validation"}.get(error.status, "backend")
    return {"error": error.message, "error_type": error.code or kind}


def error_response(path: str, error: RequestError) -> JSONResponse:
    """The whole response."""
    return JSONResponse(error_body(path, error), error.status, headers=error.headers)


def install(app: FastAPI) -> None:
    """Makes an app answer every error so."""

    @app.exception_handler(RequestValidationError)
    async def wrong_fields(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(request.url.path, _of_fields(request.url.path, error))

    @app.exception_handler(HTTPException)
    async def wrong_path(request: Request, error: HTTPException) -> JSONResponse:
        told = RequestError(error.status_code, str(error.detail), headers=dict(error.headers or {}))
        return error_response(request.url.path, told)

    async def other(request: Request, error: Exception) -> JSONResponse:
        return error_response(request.url.path, as_request_error(error))

    for kind in (RequestError, QueueFull, Closed, ValueError, TypeError, ImportError, Exception):
        app.add_exception_handler(kind, other)


def _of_fields(path: str, error: RequestValidationError) -> RequestError:
    """The first field that is wrong. What it held is not repeated: it may be long, or no number that JSON has."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    message = f"The request's {place or 'body'} is wrong: {first['msg']}."
    return RequestError(400 if path.startswith(("/v1/", "/v2")) else 422, message, param=place or None)

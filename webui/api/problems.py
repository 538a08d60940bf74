"""What the API says when it does not answer: RFC 9457, `application/problem+json`. `code` is for programs and never changes its meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from pydantic import BaseModel, Field

MEDIA: Final = "application/problem+json"

CODES: Final[Mapping[str, tuple[int, str]]] = {
    "bad_request": (400, "The request cannot be read"),
    "no_token": (401, "A token is needed, and this is none that is good"),
    "forbidden": (403, "The token is not good for this"),
    "not_known_here": (403, "This box is not known under that name"),
    "not_found": (404, "There is no such thing"),
    "method": (405, "That cannot be done with it"),
    "timeout": (408, "The request took too long to arrive"),
    "refused": (409, "The box does not do that"),
    "too_large": (413, "The request is too large"),
    "upgrade": (426, "A WebSocket is needed here"),
    "parameters": (422, "A parameter is wrong"),
    "too_many": (429, "Too many requests"),
    "box_silent": (503, "The box does not answer now"),
    "too_many_sockets": (503, "Too many live sockets are open"),
}
"""Every code, its status and its title."""

_BY_STATUS: Final = {
    400: "bad_request",
    403: "not_known_here",
    404: "not_found",
    405: "method",
    408: "timeout",
} | {
    413: "too_large",
    422: "parameters",
    503: "box_silent",
}


class Problem(BaseModel):
    """Why not. `detail` is for a person; `field` names the parameter that is wrong."""

    type: str = Field(description="urn:vitald:problem:<code>")
    code: str
    title: str
    status: int
    detail: str = ""
    field: str = ""


class NotAnswered(Exception):
    """Ends a request with a problem."""

    def __init__(self, code: str, detail: str = "", field: str = "", *, wait_s: float = 0.0) -> None:
        self.problem = _problem(code, detail, field)
        self.wait_s = wait_s
        super().__init__(code)


def response(code: str, detail: str = "", field: str = "", *, wait_s: float = 0.0) -> web.Response:
    """A problem as an answer; `wait_s`: when it makes sense to ask again."""
    return _response(_problem(code, detail, field), wait_s)


def of_error(error: NotAnswered) -> web.Response:
    """The answer that a handler's problem is."""
    return _response(error.problem, error.wait_s)


def of_status(error: web.HTTPException) -> web.Response:
    """What aiohttp or the guard before said, as a problem. Raises it again where it is none."""
    code = _BY_STATUS.get(error.status)
    if code is None:
        raise error
    made = response(code, (error.text or "").strip() if code != "not_found" else "")
    for name in (hdrs.ALLOW, hdrs.RETRY_AFTER):
        if name in error.headers:
            made.headers[name] = error.headers[name]
    return made


def _problem(code: str, detail: str, field: str) -> Problem:
    status, title = CODES[code]
    return Problem(
        type=f"urn:vitald:problem:{code}", code=code, title=title, status=status, detail=detail, field=field
    )


def _response(problem: Problem, wait_s: float) -> web.Response:
    said = {name: value for name, value in problem.model_dump().items() if value != ""}
    made = web.Response(text=json.dumps(said), status=problem.status, content_type=MEDIA)
    if problem.status == 401:
        made.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="vitald"'
    if wait_s or problem.status == 503:
        made.headers[hdrs.RETRY_AFTER] = str(max(1, round(wait_s or 2.0)))
    return made

"""The labelling page as a web application: who may ask what, by a token in a header; the answers come from a desk."""

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fercli.core.errors import FerError, InputError, ProjectError

Record = dict[str, Any]  # JSON
STATIC = Path(__file__).parent / "static"
# Pages that anybody may load: they hold nothing of the project, and ask for it with the token of their address.
_PAGES = {"/": "annotate.html", "/review": "review.html"}
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_MAX_BODY_BYTES = 65_536
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@runtime_checkable
class Desk(Protocol):
    """What the page asks; `stages/annotate` answers."""

    def session(self, annotator: str) -> Record:
        """What the page has to know once."""

    def next(self, annotator: str, asked: Mapping[str, Any]) -> Record:
        """The next faces."""

    def save(self, annotator: str, given: Mapping[str, Any]) -> Record:
        """A vote on disk."""

    def leave(self, annotator: str, window: str) -> None:
        """A window was closed."""

    def crop(self, annotator: str, code: str) -> bytes:
        """A face."""

    def context(self, annotator: str, code: str) -> Record:
        """Where and when it was seen."""

    def near(self, annotator: str, code: str, place: int) -> bytes:
        """A face of the same person."""

    def scene(self, annotator: str, code: str) -> bytes:
        """The frame."""

    def example(self, label_place: int, place: int) -> bytes:
        """A face of the guide."""


@dataclass(frozen=True)
class Visitor:
    """Who comes with a token: an annotator, by pseudonym, or the project's owner, who may review."""

    annotator: str
    is_owner: bool = False


@dataclass(frozen=True)
class Hosts:
    """The names under which the page may be asked for.

    Attributes:
        names: host names, in lower case, without ports.
        port: the only port.
        any_address: whether numeric addresses will do; a page elsewhere that has its name point to this machine has
            a name, not a number.
    """

    names: frozenset[str]
    port: int
    any_address: bool = False

    def knows(self, header: str) -> bool:
        """Whether this is a Host header of ours."""
        name, _, port = header.rpartition(":") if not header.endswith("]") else (header, "", "")
        if port != str(self.port):
            return False
        name = name.lower()
        return name in self.names or (self.any_address and _is_address(name))


def build_app(
    desk: Desk,
    visitors: Mapping[str, Visitor],
    hosts: Hosts,
    review: "Review | None" = None,
    *,
    entries: Mapping[str, str] | None = None,
) -> Starlette:
    """The application.

    Args:
        desk: answers.
        visitors: token -> who comes with it.
        hosts: names of this machine.
        review: answers of the second page, for owners.
        entries: a word that opens the page once -> the token that is given for it. The command line of a browser, which
            others on this machine can see, holds such a word in place of a token.
    """
    doors = [*_desk_doors(desk), *(_review_doors(review) if review else ())]
    return Starlette(
        routes=[
            *(Route(path, _page(name)) for path, name in _PAGES.items()),
            Route("/static/{name}", _static),
            Route("/api/enter", _enter(dict(entries or {})), methods=["POST"]),
            *(Route(one.path, _Entrance(one, dict(visitors)), methods=[one.method]) for one in doors),
        ],
        middleware=[Middleware(_Guard, hosts=hosts)],
        exception_handlers={FerError: _refusal, HTTPException: _http_refusal},
    )


@runtime_checkable
class Review(Protocol):
    """What the second page asks."""

    def overview(self) -> Record:
        """Disagreements, confusions and suspicious labels."""

    def cases(self, asked: Mapping[str, Any]) -> Record:
        """The faces behind one figure."""

    def face(self, face_id: str) -> Record:
        """One face, its votes and what models make of it."""

    def crop(self, face_id: str) -> bytes:
        """The face."""

    def scene(self, face_id: str) -> bytes:
        """Its frame."""


Answer = Callable[[Visitor, Record], Record | bytes | None]


@dataclass(frozen=True)
class _Door:
    """One thing that a page may ask for: where, what answers, and who may."""

    path: str
    answer: Answer
    method: str = "GET"
    for_owner: bool = False


def _desk_doors(desk: Desk) -> tuple[_Door, ...]:
    return (
        _Door("/api/session", lambda who, _: desk.session(who.annotator)),
        _Door("/api/next", lambda who, asked: desk.next(who.annotator, asked), "POST"),
        _Door("/api/save", lambda who, given: desk.save(who.annotator, given), "POST"),
        _Door("/api/leave", lambda who, asked: desk.leave(who.annotator, str(asked.get("window", ""))), "POST"),
        _Door("/api/context/{code}", lambda who, asked: desk.context(who.annotator, asked["code"])),
        _Door("/api/crop/{code}", lambda who, asked: desk.crop(who.annotator, asked["code"])),
        _Door("/api/scene/{code}", lambda who, asked: desk.scene(who.annotator, asked["code"])),
        _Door(
            "/api/near/{code}/{place:int}", lambda who, asked: desk.near(who.annotator, asked["code"], asked["place"])
        ),
        _Door("/api/example/{label:int}/{place:int}", lambda _, asked: desk.example(asked["label"], asked["place"])),
    )


def _review_doors(review: Review) -> tuple[_Door, ...]:
    return (
        _Door("/api/review", lambda *_: review.overview(), for_owner=True),
        _Door("/api/review/cases", lambda _, asked: review.cases(asked), "POST", for_owner=True),
        _Door("/api/review/face/{face:path}", lambda _, asked: review.face(asked["face"]), for_owner=True),
        _Door("/api/review/crop/{face:path}", lambda _, asked: review.crop(asked["face"]), for_owner=True),
        _Door("/api/review/scene/{face:path}", lambda _, asked: review.scene(asked["face"]), for_owner=True),
    )


class _Entrance:
    """A door that asks for a token before it answers."""

    def __init__(self, door: _Door, visitors: Mapping[str, Visitor]) -> None:
        self._door, self._visitors = door, visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        who = self._visitor(request)
        asked = {**(await _body(request)), **request.path_params}
        found = await run_in_threadpool(self._door.answer, who, asked)
        if isinstance(found, bytes):
            kind = "image/jpeg" if found[:2] == b"\xff\xd8" else "image/png"
            response: Response = Response(found, media_type=kind)
        else:
            response = JSONResponse(found or {})
        await response(scope, receive, send)

    def _visitor(self, request: Request) -> Visitor:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        who = None
        for known, visitor in self._visitors.items():
            # All are compared, in the same time, so that nothing can be learnt letter by letter.
            if hmac.compare_digest(known.encode(), token.encode()) and kind == "Bearer":
                who = visitor
        if who is None:
            raise HTTPException(401, "this link is no longer valid")
        if self._door.for_owner and not who.is_owner:
            raise HTTPException(403, "only the project's owner may see this")
        return who


class _Guard:
    """Refuses what does not come from our own page on this machine, and dresses every answer."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        request = Request(scope)
        host = request.headers.get("host", "")
        reason = "" if self._hosts.knows(host) else "unknown host name"
        if not reason and not _is_own(request, f"http://{host}"):
            reason = "another page asked"
        if reason:
            await JSONResponse({"error": reason}, 403)(scope, receive, dressed)
            return
        await self._app(scope, receive, dressed)


def _is_own(request: Request, own: str) -> bool:
    """Whether our own page asks, or a person who opens it; a browser says where a request that changes comes from."""
    is_reading = request.method in ("GET", "HEAD")
    origin = request.headers.get("origin", own if is_reading else "")
    return origin == own and request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _page(name: str) -> Callable[[Request], Response]:
    def endpoint(_: Request) -> Response:
        return FileResponse(STATIC / name, media_type="text/html")

    return endpoint


def _enter(entries: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        token = entries.pop(str((await _body(request)).get("word")), None)
        if token is None:
            raise HTTPException(401, "this link was used already")
        return JSONResponse({"token": token})

    return endpoint


def _static(request: Request) -> Response:
    path = STATIC / request.path_params["name"]
    # Only what lies right there: the name of a route has no slash, but may be "..".
    if path.parent != STATIC or path.suffix not in _TYPES or not path.is_file():
        raise HTTPException(404, "not found")
    return FileResponse(path, media_type=_TYPES[path.suffix])


async def _body(request: Request) -> Record:
    """The JSON object that a page sent; empty where it sent nothing."""
    if request.method != "POST":
        return {}
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_BODY_BYTES:
            raise HTTPException(413, "too long")
    try:
        found = json.loads(data or b"{}")
    except ValueError as error:
        raise HTTPException(400, "not JSON") from error
    if not isinstance(found, dict):
        raise HTTPException(400, "not a JSON object")
    return found


def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, FerError)
    status = 503 if isinstance(error, ProjectError) else 404 if isinstance(error, InputError) else 400
    return JSONResponse({"error": error.message, "hint": error.hint}, status)


def _http_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

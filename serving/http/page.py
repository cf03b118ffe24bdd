"""Pages for people: the models to try at /, the paths to read about at /docs; nothing in them comes from elsewhere."""

from importlib import resources

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .errors import RequestError

router = APIRouter(include_in_schema=False)
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_FILES = {
    file.name: file.read_bytes() for file in resources.files(__package__).joinpath("static").iterdir() if file.is_file()
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}


@router.get("/")
async def playground() -> Response:
    """The page on which one tries the models."""
    return _response("playground.html")


@router.get("/docs")
async def documentation() -> Response:
    """The page that shows every path."""
    return _response("docs.html")


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """What the pages consist of. Only names that were there at the start are found."""
    if name not in _FILES:
        raise RequestError(404, "Not Found")
    return _response(name)


def _response(name: str) -> Response:
    kind = _TYPES[name.rsplit(".", 1)[-1]]
    return Response(_FILES[name], media_type=f"{kind}; charset=utf-8", headers=_HEADERS)

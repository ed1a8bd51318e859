"""The page that describes the API: Swagger UI, served from here, so that it works where there is no internet."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from admin.api.problems import Refusal

router = APIRouter(prefix="/api/docs", include_in_schema=False)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Padrón · API</title>
<link rel="icon" href="docs/favicon-32x32.png"><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="page"></div><script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script></body></html>"""
_START = "SwaggerUIBundle({url: 'openapi.json', dom_id: '#page', deepLinking: true, filter: true});"
_POLICY = (
    "default-src 'none'; object-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes styles into its page."""
_KEPT = {"Cache-Control": "public, max-age=86400"}
_KINDS = {
    "swagger-ui-bundle.js": "application/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


@router.get("")
def page() -> HTMLResponse:
    """Every route, with what it takes and gives."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/{name}")
def part(name: str) -> Response:
    """What the page is made of."""
    if name == "start.js":
        return Response(_START, media_type="application/javascript")
    if name not in _KINDS:
        raise Refusal(404, "not_found", "There is nothing at this address.", "No hay nada en esta dirección.")
    return Response(
        (files("fastapi_swagger") / "resources" / name).read_bytes(), media_type=_KINDS[name], headers=_KEPT
    )

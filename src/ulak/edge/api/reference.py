"""The API's description: one file written by hand, served as JSON and as a page to browse.

The page's script and style come from a wheel and are served from here, so it needs nothing from another host.
"""

from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ulak Customer API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/reference.js"></script>
</body>
</html>
"""

SCRIPT: Final = (
    b'SwaggerUIBundle({url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null});'
)

#: The bundle writes styles into the page; it needs nothing from elsewhere, and runs in nobody's frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def description() -> dict[str, Any]:
    """The OpenAPI document as it is written."""
    text = resources.files("ulak.edge.api").joinpath("openapi.yaml").read_bytes()
    document: dict[str, Any] = msgspec.yaml.decode(text)
    return document


def openapi_json(base_path: str) -> bytes:
    """The document for `/openapi.json`, with this installation's base path."""
    document = description()
    document["servers"] = [{"url": base_path or "/"}]
    return msgspec.json.encode(document)


def reference_page() -> bytes:
    """The page for `/docs`."""
    return _PAGE.encode()


def reference_assets() -> list[Path]:
    """The page's script and style, as the wheel brings them."""
    wheel = find_spec("swagger_ui")
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    folder = Path(wheel.submodule_search_locations[0]) / "static"
    return [folder / "swagger-ui.css", folder / "swagger-ui-bundle.js"]

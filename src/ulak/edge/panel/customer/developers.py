"""For developers: the reference, and examples that work as they stand, with the visitor's own ids."""

from typing import Final

from starlette.responses import Response

from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Customer
from ulak.flow.offers import offers

EXAMPLES: Final = (("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript"), ("php", "PHP"))


async def developers(visit: Customer) -> Response:
    """`GET /developers`."""
    its = await offers(visit.rooms.db, visit.rooms.directory, visit.who)
    wanted = visit.request.query_params.get("service", "")
    service = next((str(one.service.id) for one in its if str(one.service.id) == wanted), None)
    address = f"{visit.request.url.scheme}://{visit.request.url.netloc}{visit.rooms.config.base_path}"
    first = str(its[0].service.id) if its else "SERVICE_ID"
    chosen = {"address": address, "service": service or first}
    examples = [
        (code, name, visit.render(f"customer/examples/{code}.txt", **chosen)) for code, name in EXAMPLES
    ]
    return visit.page("customer/developers.html", offers=its, examples=examples, **chosen)


PAGES: Final = [Page("GET", "/developers", developers, "context")]

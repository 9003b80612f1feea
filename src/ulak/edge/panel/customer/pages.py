"""Every page of a customer."""

from typing import Final

from ulak.edge.panel.customer import (
    credit,
    developers,
    exports,
    files,
    keys,
    organization,
    overview,
    send,
    sendings,
)
from ulak.edge.panel.page import Page

PAGES: Final[list[Page]] = [
    *overview.PAGES,
    *send.PAGES,
    *files.PAGES,
    *exports.PAGES,
    *sendings.PAGES,
    *credit.PAGES,
    *organization.PAGES,
    *keys.PAGES,
    *developers.PAGES,
]

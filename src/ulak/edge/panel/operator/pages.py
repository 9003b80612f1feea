"""Every page of an operator."""

from typing import Final

from ulak.edge.panel.operator import (
    audit,
    carriers,
    customers,
    headers,
    health,
    measured,
    organizations,
    prices,
    search,
    services,
    users,
)
from ulak.edge.panel.page import Page

PAGES: Final[list[Page]] = [
    *health.PAGES,
    *customers.PAGES,
    *users.PAGES,
    *organizations.PAGES,
    *services.PAGES,
    *prices.PAGES,
    *headers.PAGES,
    *measured.PAGES,
    *carriers.PAGES,
    *measured.ONE,
    *search.PAGES,
    *audit.PAGES,
]

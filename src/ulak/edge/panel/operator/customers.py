"""Customers: the lists of users and organizations, and new ones."""

from typing import Final

from starlette.responses import Response

from ulak.admin import accounts, customers, groups, passwords
from ulak.edge.panel.forms import Values
from ulak.edge.panel.languages import N_
from ulak.edge.panel.operator.typed import asked, chosen, span
from ulak.edge.panel.page import Page
from ulak.edge.panel.visit import Operator
from ulak.rules.refusal import Refused

LIMIT: Final = 50
_PASSWORDS: Final = {"made": "made", "typed": "typed", "none": "none"}


async def users_page(visit: Operator) -> Response:
    """`GET /customers`."""
    its = asked(visit, "q", "page")
    at = span(its, LIMIT)
    lines, total = await customers.users_page(visit.rooms.db, its["q"], limit=LIMIT, offset=at.offset)
    return visit.page(
        "operator/users.html", lines=lines, total=total, asked=its, span=at, pages=at.pages(total)
    )


async def organizations_page(visit: Operator) -> Response:
    """`GET /customers/organizations`."""
    its = asked(visit, "q", "page")
    at = span(its, LIMIT)
    lines, total = await customers.organizations_page(visit.rooms.db, its["q"], limit=LIMIT, offset=at.offset)
    return visit.page(
        "operator/organizations.html", lines=lines, total=total, asked=its, span=at, pages=at.pages(total)
    )


async def new_user(visit: Operator) -> Response:
    """`GET /customers/users/new`."""
    return visit.page("operator/new-user.html", values=Values())


async def create_user(visit: Operator) -> Response:
    """`POST /customers/users/new`; a password that was made is shown this once."""
    form = visit.form
    try:
        way = chosen(_PASSWORDS, form["way"])
        given = {"made": passwords.generated(), "typed": form.raw("password"), "none": None}[way]
        user = await accounts.create_user(visit.rooms.db, visit.actor, form["username"], form["email"], given)
    except Refused as refused:
        return visit.refused(refused, "operator/new-user.html", values=form.values)
    if way == "made":
        return visit.page("operator/password.html", user=user, password=given, is_new=True)
    said = visit.language.say(N_("The user %(name)s is made."), name=user.username)
    return visit.go(visit.to(f"/customers/users/{user.id}"), said)


async def new_organization(visit: Operator) -> Response:
    """`GET /customers/organizations/new`."""
    return visit.page("operator/new-organization.html", values=Values())


async def create_organization(visit: Operator) -> Response:
    """`POST /customers/organizations/new`."""
    try:
        made = await groups.create(visit.rooms.db, visit.actor, visit.form["name"])
    except Refused as refused:
        return visit.refused(refused, "operator/new-organization.html", values=visit.form.values)
    said = visit.language.say(N_("The organization %(name)s is made."), name=made.name)
    return visit.go(visit.to(f"/customers/organizations/{made.id}"), said)


PAGES: Final = [
    Page("GET", "/customers", users_page, "operator"),
    Page("GET", "/customers/organizations", organizations_page, "operator"),
    Page("GET", "/customers/users/new", new_user, "operator"),
    Page("POST", "/customers/users/new", create_user, "operator"),
    Page("GET", "/customers/organizations/new", new_organization, "operator"),
    Page("POST", "/customers/organizations/new", create_organization, "operator"),
]

"""The way around: which pages stand in the menu of each door, in order."""

from collections.abc import Mapping
from typing import Final

from ulak.edge.panel.languages import N_
from ulak.edge.panel.security import Door

#: Path, name, picture, and the permission that it takes in an organization.
Entry = tuple[str, str, str, str | None]

CUSTOMER: Final[tuple[Entry, ...]] = (
    ("", N_("Overview"), "home", None),
    ("/send", N_("Send"), "send", "organization.sms.send"),
    ("/sendings", N_("Sendings"), "list", "organization.sms.read"),
    ("/credit", N_("Credit"), "credit", None),
    ("/organization", N_("Organization"), "people", None),
    ("/keys", N_("API keys"), "key", None),
    ("/developers", N_("Developers"), "code", None),
)

OPERATOR: Final[tuple[Entry, ...]] = (
    ("", N_("Health"), "pulse", None),
    ("/customers", N_("Customers"), "people", None),
    ("/services", N_("Services"), "tag", None),
    ("/carriers", N_("Carriers"), "carrier", None),
    ("/search", N_("Search"), "search", None),
    ("/audit", N_("Audit log"), "log", None),
)

MENU: Final[Mapping[Door, tuple[Entry, ...]]] = {"customer": CUSTOMER, "operator": OPERATOR}

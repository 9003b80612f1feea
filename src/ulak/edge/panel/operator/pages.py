"""Every page of an operator."""

from typing import Final

from ulak.edge.panel.page import Page

PAGES: Final[list[Page]] = []

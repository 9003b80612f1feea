"""A page as a browser reads it, and what in it no template of ours wrote.

In: HTML. Out: the words that somebody would see, and everything that should not be there: elements, attributes,
addresses and comments that nobody but a hostile text can have brought.
"""

from html.parser import HTMLParser
from typing import Final

TAGS: Final = frozenset(
    (
        *("html", "head", "meta", "title", "link", "script", "body", "a", "header", "footer", "nav"),
        *("main", "section", "div", "p", "h1", "h2", "h3", "ul", "ol", "li", "dl", "dt", "dd"),
        *("span", "strong", "small", "code", "pre", "figure", "figcaption", "table", "thead"),
        *("tbody", "tr", "th", "td", "form", "input", "label", "select", "option", "textarea"),
        *("button", "details", "summary", "progress", "img", "svg", "use", "br", "fieldset"),
        *("legend", "rect", "line", "polyline", "text", "g", "path", "circle", "hr"),
    )
)


class Read(HTMLParser):
    """A page as a browser reads it: its elements, and the text that somebody would see or type over."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing that we do not write ourselves."""
        if tag not in TAGS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if (
                name.startswith("on")
                or name == "style"
                or not name.replace("-", "").replace(":", "").isalnum()
            ):
                self.wrong.append(f"<{tag} {name}>")
            if name in ("src", "href", "action") and not (value or "").startswith(
                ("/", "?", "#", "data:image/svg+xml")
            ):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            self.words.append(value or "")

    def handle_data(self, data: str) -> None:
        """What stands between the elements."""
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        """There are none in our pages."""
        self.wrong.append(f"<!--{data}-->")

    @property
    def all(self) -> str:
        """Everything there is to read."""
        return "\n".join(self.words)

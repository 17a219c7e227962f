"""A page taken apart: its elements, its ids, its text; it has to be well-formed."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Markup(HTMLParser):
    """All that a test asks of a page's markup."""

    def __init__(self, page) -> None:
        super().__init__()
        self.elements = []
        self.texts = []
        self._open = []
        self.feed(page)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    @property
    def text(self):
        return " ".join(" ".join(data for _, data in self.texts).split())

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def within(self, tag):
        """Give the texts that stand directly in elements of this name."""
        return [data.strip() for name, data in self.texts if name == tag and data.strip()]

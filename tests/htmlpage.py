"""Reads a page as a browser's parser would, to ask it for ids, links and sources."""

from __future__ import annotations

import html.parser


class Page(html.parser.HTMLParser):
    """Collects ids, links and sources of a page, and checks that its tags are balanced."""

    VOID = frozenset({"meta", "link", "img", "br", "path", "use"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.handle_startendtag(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                self.ids.append(value or "")
            elif name in {"href", "xlink:href"}:
                self.links.append(value or "")
            elif name in {"src", "srcset", "data", "poster", "action"}:
                self.sources.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

"""Text that somebody who sends data, or may push a branch, would try on those who open what a run wrote."""

from __future__ import annotations

from html.parser import HTMLParser

RUNS = "document.title='owned'"  # what a browser must never do
TEXTS = {
    "script": f"</script><script>{RUNS}</script>",
    "image": f'"><img src=x onerror="{RUNS}">',
    "single quotes": f"'><svg onload={RUNS}>",
    "plaintext": f"</plaintext></template></textarea><script>{RUNS}</script>",
    "comment": f"--><!--<script>{RUNS}</script>",
    "link": f"<a href='javascript:{RUNS}'>M&S &copy;</a>",
    "formula": '=cmd|"/C calc"!A1',
    "formula of a next row": "A\r=1+1",
    "entity": "&lt;b&gt; &amp;amp; &#60;",
    "line ends": "a\u2028b\u2029c\x85d\x0be",
    "turned round": "invoice\u202egnp.exe\u2066",
    "terminal": "\x1b]0;owned\x07\x1b[2J",
    "long": "W" * 200_000,
    "markdown": "[x](https://evil.example) ![](https://evil.example/i.png) `a|b` **b** @octocat #12 www.evil.example",
}


class Reader(HTMLParser):
    """The standard library's reading of a page: its elements, and its text without scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        (self.scripts if self.cdata_elem == "script" else self.text).append(data)

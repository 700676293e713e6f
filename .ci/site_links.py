"""Links of the docs that leave ``docs/``: right on GitHub, but no page of the site. mkdocs calls this as a hook.

A picture is copied into the site; a link to a file becomes its path, as code. A file that is not there stops the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?P<to>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
COPIED = "images/project/"


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with its outward links rewritten."""
    folder = posixpath.dirname(page.file.src_uri)
    root = Path(config.docs_dir).parent

    def rewrite(link: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join("docs", folder, link["to"]))
        if place.startswith("docs/"):
            return link[0]
        if not (root / place).exists():
            raise PluginError(f"{page.file.src_uri}: {link['to']} is not in the repository")
        if not link["picture"]:
            name = posixpath.basename(place)
            return f"`{place}`" if name in link["words"] or place in link["words"] else f"{link['words']} (`{place}`)"
        copied = COPIED + place
        if files.get_file_from_path(copied) is None:
            files.append(File.generated(config, copied, abs_src_path=str(root / place)))
        return f"![{link['words']}]({posixpath.relpath(copied, folder or '.')})"

    return LINK.sub(rewrite, markdown)

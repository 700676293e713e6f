"""What a run leaves in Prefect for people: its facts, the metrics that moved, the decision, and where to read on.

Prefect's pages read all of it as Markdown with HTML in it, the cells of a table too: what is text is written as text.
"""

from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlsplit

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pricetrail.base.escaping import markdown_text
from pricetrail.base.params_schema import Weekly
from pricetrail.lineage.place import place_of
from pricetrail.operation.weekly.branch import url_of
from pricetrail.operation.weekly.message import metrics_table
from pricetrail.operation.weekly.outcome import Ending
from pricetrail.operation.weekly.run import Report

CARD: Final = "reports/model_card.md"


def leave_artifacts(told: Report, home: Path, weekly: Weekly) -> None:
    """Make the artifacts of the task run that this is called in."""
    ending = told.ending
    rows: list[dict[str, Any]] = [
        {"what": "outcome", "value": ending.outcome.value},
        {"what": "commit", "value": ending.commit},
        {"what": "release", "value": markdown_text(ending.version or "none")},
        {"what": "new objects", "value": ending.objects},
        {"what": "their bytes", "value": ending.object_bytes},
    ]
    headline = markdown_text(ending.headline)
    create_table_artifact(key="weekly-run", table=rows, description=headline)
    create_markdown_artifact(key="weekly-metrics", markdown=metrics_table(told.before, told.after))
    create_markdown_artifact(key="weekly-decision", markdown=told.decision or headline)
    create_markdown_artifact(
        key="weekly-links", markdown=links(ending, url_of(home, weekly.repository), place_of(home).inside)
    )


def links(ending: Ending, repository: str, inside: str = "") -> str:
    """Markdown: the run's commit, its model card and its page, as links where the repository is on the web.

    Args:
        ending: of the run.
        repository: its URL or path.
        inside: path of the project in it.
    """
    short, page = ending.commit[:12], web_page(repository)
    commit = f"[`{short}`]({page}/commit/{ending.commit})" if page else f"`{short}` in {markdown_text(repository)}"
    path = (PurePosixPath(inside) / CARD).as_posix()
    card = f"[`{CARD}`]({page}/blob/{ending.commit}/{quote(path)})" if page else f"`git show {short}:{path}`"
    shown = "- page of the run, in a clone of it: `dvc pull report && pricetrail report --open`"
    return f"- commit: {commit}\n- model card: {card}\n{shown}\n"


def web_page(repository: str) -> str:
    """The web page of a repository, without name and password; empty for one that has none.

    >>> web_page("git@github.com:shop/prices.git")
    'https://github.com/shop/prices'
    >>> web_page("https://bot:token@git.shop.example/prices")
    'https://git.shop.example/prices'
    >>> web_page("/srv/git/prices")
    ''
    >>> web_page("https://git.shop.example/a)[b](javascript:c)")
    'https://git.shop.example/a%29%5Bb%5D%28javascript%3Ac%29'
    """
    host, colon, path = repository.partition(":")
    if colon and "@" in host and "/" not in host:
        repository = f"ssh://{host}/{path}"
    parts = urlsplit(repository)
    if parts.scheme not in {"http", "https", "ssh"} or not parts.hostname:
        return ""
    port = f":{parts.port}" if parts.port and parts.scheme != "ssh" else ""
    scheme = "http" if parts.scheme == "http" else "https"
    return f"{scheme}://{parts.hostname}{port}{quote(parts.path.rstrip('/').removesuffix('.git'), safe='/~%@')}"

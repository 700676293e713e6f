"""Prefect's SQLite database as it lies on disk: whether the installed Prefect can open it.

Prefect itself ends with pages of alembic's, or of SQLAlchemy's. Nothing here imports it (``prefect_server``).
"""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Final

from pricetrail.base.errors import OperationError

HOME: Final = ".pricetrail/prefect"  # of Prefect, in a project
ELSEWHERE: Final = (
    "PREFECT_API_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL",
)  # fmt: skip
MIGRATIONS: Final = "prefect/server/database/_migrations/versions/sqlite"
ANEW: Final = "or move the file away while no schedule runs: a new one is made, and only the history of runs is lost"
REVISION: Final = re.compile(r"^revision(?:: str)? = [\"'](\w+)[\"']", re.MULTILINE)


def revision_of(project: Path, environ: Mapping[str, str]) -> str | None:
    """The revision of the tables of a project's database. An older one than the installed Prefect's, it brings up.

    Returns:
        Empty where there is no database yet; None where the environment names another kind, or a server of one's own.

    Raises:
        OperationError: the installed Prefect cannot open it.
    """
    if any(environ.get(name) for name in ELSEWHERE):
        return None
    file = Path(environ.get("PREFECT_HOME") or project.absolute() / HOME) / "prefect.db"
    if not file.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as opened:
            has_any = opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            found = opened.execute("SELECT version_num FROM alembic_version").fetchone() if has_any else None
    except sqlite3.Error as error:
        raise OperationError(str(file), f"must be a database that SQLite can read: {error}; {ANEW}") from None
    revision = str(found[0]) if found else ""
    if revision and revision not in _known():
        rule = f"was made by a newer Prefect (revision {revision}) than the installed {version('prefect')}"
        raise OperationError(str(file), f"{rule}: install that one, {ANEW}")
    return revision


def _known() -> frozenset[str]:
    """The revisions that the installed Prefect can start from."""
    folder = Path(str(distribution("prefect").locate_file(MIGRATIONS)))
    texts = (file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    return frozenset(match[1] for text in texts if (match := REVISION.search(text)))

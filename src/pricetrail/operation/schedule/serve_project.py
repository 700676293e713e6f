"""``pricetrail schedule``: Prefect's server, the embedded S3 and the weekly schedule of one project, until stopped."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import OperationError
from pricetrail.base.locks import alone
from pricetrail.base.processes import ended_by_sigterm
from pricetrail.operation.schedule import prefect_server
from pricetrail.operation.schedule.database import revision_of
from pricetrail.operation.servers import s3

LOCK: Final = Path(".pricetrail/schedule.lock")

log = logging.getLogger(__name__)


def schedule(project: Path, tell: Callable[[str, Path | None, datetime], None]) -> None:
    """Serve the schedule of a project until SIGINT or SIGTERM.

    Nothing is started where the environment has ``PREFECT_API_URL``: the schedule is served to the server there.

    Args:
        project: its ``params.yaml`` has the settings (section ``weekly``), read once.
        tell: is given the address of the API, the file of its login where this project has made one, and when the next
            run is.

    Raises:
        ParamsError: ``params.yaml`` is not right.
        OperationError: another schedule serves this project, a server does not start, Prefect's database is a newer
            one's, or the run is never due.
    """
    project = project.absolute()
    weekly = files.read_params(project / "params.yaml").weekly
    with alone(project / LOCK, is_waiting=False) as is_alone, ended_by_sigterm(SystemExit(0)):
        if not is_alone:
            raise OperationError(str(project / LOCK), "must be free: another schedule serves this project")
        revision_of(project, os.environ)  # refuses what Prefect cannot open
        s3.ensure_running(project)
        os.environ.update(prefect_server.settings(project, os.environ))
        with _api(project) as (address, login):
            os.environ["PREFECT_API_URL"] = address
            from pricetrail.operation.schedule import deployment  # Prefect reads the environment when it is imported

            tell(address, login, deployment.next_run(weekly))
            deployment.serve(weekly, project)


@contextmanager
def _api(project: Path) -> Iterator[tuple[str, Path | None]]:
    """The address of the API, and the file of its login: that of the environment, else of a server of this project."""
    if given := os.environ.get("PREFECT_API_URL"):
        yield given, None
        return
    login, file = prefect_server.login_of(project, os.environ)
    os.environ[prefect_server.OURS] = login
    with prefect_server.serving(project, login) as server:
        yield server.api, file

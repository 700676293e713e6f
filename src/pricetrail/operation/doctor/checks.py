"""What ``pricetrail doctor`` looks at, in the order in which things go wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pricetrail.operation.doctor import clock, machine, remote
from pricetrail.operation.doctor.findings import Check, Finding, examined
from pricetrail.operation.releases.remote_probe import ADVICE

CHECKS: Final = (
    Check("tools", machine.tools, "install it again"),
    Check("packages", machine.packages, "make setup"),
    Check("place", machine.place, "run it in a clone of the project's git repository"),
    Check("repository", machine.repository, "see weekly.repository in params.yaml, the network, and your keys for it"),
    Check("merge", machine.merged, "keep one side of the file, and commit it"),
    Check("modes", machine.modes, "see `ls -l`"),
    Check("schedule", clock.schedule, "correct params.yaml; `pricetrail check --data` tells the rest"),
    Check("prefect", clock.prefect, "see docs/schedule.md"),
    Check("keys", remote.keys, ADVICE),
    Check("remote", remote.probe, ADVICE),
    Check("verify", remote.verifying, ADVICE),
    Check("lock", remote.lock_in_remote, "mend the remote first"),
    Check("releases", remote.releases_in_remote, "mend the remote first"),
    Check("cache", machine.cache, "see `dvc cache dir`"),
    Check("disk", machine.disk, "see `df -h`"),
)


def examine(project: Path) -> Iterator[Finding]:
    """Every check of a project as it ends; none raises. An embedded S3 server is started, and goes on running."""
    for check in CHECKS:
        yield examined(check, project)

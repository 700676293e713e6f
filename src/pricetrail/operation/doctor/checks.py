"""What ``pricetrail doctor`` looks at, in the order in which things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pricetrail.operation.doctor import clock, machine, remote
from pricetrail.operation.doctor.findings import Check, Finding, examined

CHECKS: Final = (
    Check("tools", machine.tools, "install it again"),
    Check("packages", machine.packages, "make setup"),
    Check("params", machine.dials, "correct params.yaml; `pricetrail check` tells the rest"),
    Check("identity", machine.identity, "install git"),
    Check("repository", machine.repository, "see weekly.repository in params.yaml, the network, and your keys for it"),
    Check("schedule", machine.schedule, "correct weekly in params.yaml"),
    Check("credentials", remote.credentials, remote.REMOTE_ADVICE),
    Check("remote", remote.probe, remote.REMOTE_ADVICE),
    Check("verify", remote.verifying, remote.REMOTE_ADVICE),
    Check("lock in remote", remote.lock_against_remote, "mend the remote first"),
    Check("lock on disk", remote.lock_against_workspace, "see `dvc status`"),
    Check("disk", machine.disk, "see `df -h`"),
    Check("clock", clock.clock, "see `timedatectl`, and that the remote answers"),
    Check("runs", machine.leftovers, "see .pricetrail/runs"),
    Check("prefect", machine.prefect, machine.PREFECT_ADVICE),
)


def examine(project: Path) -> Iterator[Finding]:
    """Every check of a project, one at a time, as it ends; none of them raises.

    The embedded S3 server is started where the project has one, and goes on running.
    """
    for check in CHECKS:
        yield examined(check, project)

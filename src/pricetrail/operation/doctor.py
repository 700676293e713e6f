"""What ``pricetrail doctor`` looks at, in the order in which things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pricetrail.operation import doctor_clock, doctor_local, doctor_remote
from pricetrail.operation.findings import Check, Finding, examined

CHECKS: Final = (
    Check("tools", doctor_local.tools, "install it again"),
    Check("packages", doctor_local.packages, "make setup"),
    Check("params", doctor_local.dials, "correct params.yaml; `pricetrail check` tells the rest"),
    Check("identity", doctor_local.identity, "install git"),
    Check(
        "repository", doctor_local.repository, "see weekly.repository in params.yaml, the network, and your keys for it"
    ),
    Check("schedule", doctor_local.schedule, "correct weekly in params.yaml"),
    Check("credentials", doctor_remote.credentials, doctor_remote.REMOTE_ADVICE),
    Check("remote", doctor_remote.probe, doctor_remote.REMOTE_ADVICE),
    Check("verify", doctor_remote.verifying, doctor_remote.REMOTE_ADVICE),
    Check("lock in remote", doctor_remote.lock_against_remote, "mend the remote first"),
    Check("lock on disk", doctor_remote.lock_against_workspace, "see `dvc status`"),
    Check("disk", doctor_local.disk, "see `df -h`"),
    Check("clock", doctor_clock.clock, "see `timedatectl`, and that the remote answers"),
    Check("runs", doctor_local.leftovers, "see .pricetrail/runs"),
    Check("prefect", doctor_local.prefect, doctor_local.PREFECT_ADVICE),
)


def examine(project: Path) -> Iterator[Finding]:
    """Every check of a project, one at a time, as it ends; none of them raises.

    The embedded S3 server is started where the project has one, and goes on running.
    """
    for check in CHECKS:
        yield examined(check, project)

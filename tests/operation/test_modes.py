"""What other users of the machine may read, change or plant, of a project and of what a run writes."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pricetrail.base.errors import OperationError
from pricetrail.operation.doctor import machine
from pricetrail.operation.doctor.findings import State
from pricetrail.operation.servers import s3
from support.commands import must
from support.other_user import NOBODY, as_other, needs_root
from support.small_project import make_project, pricetrail
from support.weekly_world import World, make_world
from support.weekly_world import run as run_weekly

PLANT = """\
import os, sys
from dvc_data.hashfile.cache import Cache
class Payload:
    def __reduce__(self):
        return os.mkdir, (sys.argv[2],)
place = sys.argv[1]
if os.path.exists(place):
    os.rename(place, place + "-his")
with Cache(os.path.join(place, "links")) as links:
    links["params.yaml"] = Payload()
for folder, _, names in os.walk(place):
    os.chmod(folder, 0o777)
    [os.chmod(os.path.join(folder, name), 0o666) for name in names]
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("pristine") / "project")


@pytest.fixture
def project(pristine: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy in a folder that others may enter, whose remote is a folder."""
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    copy = shutil.copytree(pristine, open_folder / "project", symlinks=True)
    must(copy, "dvc", "remote", "add", "-q", "--default", "shelf", str(open_folder / "shelf"))
    must(copy, "git", "commit", "-qam", "Another remote")
    return copy


@contextmanager
def planted(project: Path, proof: Path) -> Iterator[None]:
    """Another user puts code where DVC keeps its state by default: a folder of all users."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        place = Path(repo.site_cache_dir)
    done = as_other(sys.executable, "-c", PLANT, str(place), str(proof))
    assert done.returncode == 0, done.stderr
    yield
    shutil.rmtree(place)
    shutil.rmtree(f"{place}-his", ignore_errors=True)


@needs_root
@pytest.mark.long
def test_what_dvc_does_with_a_planted_state(project: Path, open_folder: Path) -> None:
    """So that the attack below can fail; where this fails one day, DVC has mended it."""
    with planted(project, open_folder / "proof"):
        must(project, "dvc", "checkout", "-q")
        assert (open_folder / "proof").is_dir()


@needs_root
@pytest.mark.attack
@pytest.mark.long
@pytest.mark.parametrize("way", ["our commands", "dvc by hand", "make"])
def test_a_planted_state_of_dvc_runs_no_code(project: Path, open_folder: Path, way: str) -> None:
    """A `dvc` that another user's files would make run what he likes."""
    with planted(project, open_folder / "proof"):
        if way == "our commands":
            program = "import subprocess\nfrom pricetrail.cli import app\napp._close_folders()\n"
            must(project, "python", "-c", f"{program}subprocess.run(['dvc', 'checkout', '-q'], check=True)")
        elif way == "make":
            shutil.copy(Path(__file__).parents[2] / "Makefile", project)
            (project / ".venv").mkdir()
            (project / "checkout.mk").write_text("include Makefile\nunplanted:\n\tdvc checkout -q\n")
            must(project, "make", "-f", "checkout.mk", "unplanted")
        else:
            s3.ensure_running(project)
            must(project, "dvc", "checkout", "-q")
        assert not (open_folder / "proof").exists()


@needs_root
@pytest.mark.attack
@pytest.mark.parametrize(
    "name", [".s3", *(pytest.param(name, marks=pytest.mark.long) for name in (".pricetrail", ".dvc/tmp/site"))]
)
@pytest.mark.parametrize("what", ["link", "folder"])
def test_a_planted_folder_stops_every_command(project: Path, open_folder: Path, name: str, what: str) -> None:
    (open_folder / "his").mkdir()
    os.chown(open_folder / "his", NOBODY, NOBODY)
    place = project / name
    place.parent.chmod(0o777)
    plant = ["ln", "-s", str(open_folder / "his")] if what == "link" else ["mkdir"]
    assert as_other(*plant, str(place)).returncode == 0
    done = pricetrail(project, "keys")
    assert done.returncode == 1
    told = "must be a folder of its own" if what == "link" else f"must be owned by user {os.geteuid()}"
    assert told in done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((open_folder / "his").iterdir())


@pytest.mark.attack
@pytest.mark.parametrize("name", [".", "..", ".git", ".dvc", ".dvc/cache"])
def test_the_doctor_tells_of_a_folder_that_all_may_change(project: Path, name: str) -> None:
    assert machine.modes(project).state == State.OK
    (project / name).resolve().chmod(0o777)
    told = machine.modes(project)
    assert told.state == State.FAILED
    assert str((project / name).resolve()) in told.found
    must(project, *told.advice.split())
    assert machine.modes(project).state == State.OK


@needs_root
@pytest.mark.attack
def test_the_doctor_tells_of_another_owner(project: Path) -> None:
    os.chown(project / ".dvc", NOBODY, NOBODY)
    told = machine.modes(project)
    assert (told.state, f"is of user {NOBODY}" in told.found) == (State.WARNING, True)


@needs_root
@pytest.mark.attack
def test_root_makes_nothing_in_another_users_project(project: Path) -> None:
    os.chown(project / ".dvc", NOBODY, NOBODY)
    before = {path: path.lstat().st_mtime_ns for path in project.rglob("*")}
    with pytest.raises(OperationError, match=rf"\.dvc: must be owned by who runs this: run as user .*{NOBODY}"):
        s3.ensure_running(project)
    assert {path: path.lstat().st_mtime_ns for path in project.rglob("*")} == before


@pytest.mark.attack
@pytest.mark.parametrize("way", ["moved", "tracked"])
def test_dvcs_state_is_the_projects_own(project: Path, open_folder: Path, way: str) -> None:
    """DVC itself says where it keeps it: after a move, and where a branch names a folder of all users."""
    if way == "moved":
        s3.ensure_running(project)
        project = project.rename(open_folder / "elsewhere")
    else:
        must(project, "dvc", "config", "core.site_cache_dir", str(open_folder / "his"))
    s3.ensure_running(project)
    assert must(project, "dvc", "config", "core.site_cache_dir").strip() == str(project / ".dvc/tmp/site")
    assert not (project / ".s3").exists()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("modes") / "box")
    yield made
    made.stop()


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_a_run_writes_nobody_else_changes(world: World, tmp_path: Path, umask: int) -> None:
    """Modes after a real run, whatever the shell's umask: secrets are the owner's alone, the rest is nobody else's."""
    copy = world.copy(tmp_path / "box")
    before = {path: path.lstat() for path in copy.project.rglob("*")}
    outer = os.umask(umask)
    try:
        done = run_weekly(copy)
    finally:
        os.umask(outer)
        copy.stop()
    assert done.outcome == "Released", done
    found = {path: path.lstat() for path in copy.project.rglob("*") if not path.is_symlink()}
    written = {path: told for path, told in found.items() if path not in before or told != before[path]}
    assert len(written) > 50
    wide = [
        str(path) for path, told in written.items()
        if told.st_mode & stat.S_IWOTH and not path.is_relative_to(copy.project / ".dvc/tmp/site")
    ]  # fmt: skip
    assert wide == []  # but what DVC opens to all in a folder that nobody may enter
    for name in (".s3", ".pricetrail", ".dvc/tmp/site"):
        assert stat.S_IMODE(found[copy.project / name].st_mode) == 0o700, name
    for name in (".s3/server.key", ".dvc/config.local", ".pricetrail/keys/release.pem"):
        assert stat.S_IMODE(found[copy.project / name].st_mode) == 0o600, name

"""What a run stands on goes wrong: clock, disks, cache, store, half-merged files; each ends truly told."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pricetrail.base.errors import OperationError
from pricetrail.operation.doctor import checks
from pricetrail.operation.doctor.findings import Finding, State, examined
from pricetrail.operation.weekly.surroundings import damaged, mend_cache, require_cache, require_merged
from support import weekly_acts_s3 as acts_s3
from support.commands import must
from support.release_sample import Shop, make_shop
from support.weekly_scene import ForeignS3, NotHere, Scene
from support.weekly_world import Ended, World, make_world, packed, run

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
SAID = {  # by AWS
    "ExpiredToken": b"The provided token has expired.",
    "AuthorizationHeaderMalformed": b"The authorization header is malformed; the region 'us-east-1' is wrong; "
    b"expecting 'eu-west-1'",
}
CLI = ("python", "-m", "pricetrail.cli")
case = pytest.mark.operation_case


def weekly(test: Callable[..., None]) -> Callable[..., None]:
    """A case that needs real runs."""
    for mark in (case, pytest.mark.slow, pytest.mark.long, pytest.mark.xdist_group("surroundings")):
        test = mark(test)
    return test


# Without a run: the small things, on real files.


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path / "box")


def found(name: str, project: Path) -> Finding:
    return examined(next(check for check in checks.CHECKS if check.name == name), project)


def with_marks(file: Path) -> int:
    """A file as a merge leaves it that nobody finished; the line of the first mark."""
    lines = file.read_text().splitlines(keepends=True)
    half = len(lines) // 2
    lines[half:half] = ["<<<<<<< HEAD\n", lines[half], "=======\n", lines[half], ">>>>>>> other\n"]
    file.write_text("".join(lines))
    return half + 1


@case
@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml", "params.yaml", "metrics/decision.json", ".dvc/config"])
def test_marks_of_a_merge_are_named(shop: Shop, name: str) -> None:
    require_merged(shop.folder)
    line = with_marks(shop.folder / name)
    shop.commit()
    with pytest.raises(OperationError, match=rf"^{name}: line {line}: must have no mark .* got '<<<<<<<'$"):
        require_merged(shop.folder)
    finding = found("merge", shop.folder)
    assert (finding.state, f"{name}: line {line}" in finding.found) == (State.FAILED, True)


def bitten(path: Path) -> bytes:
    """Flip a bit as a disk does: size, time and mode stay, so that DVC has no reason to look; what was there."""
    stat, content = path.stat(), path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.chmod(0o444)
    return content


def test_a_damaged_object_of_the_cache_comes_again(shop: Shop) -> None:
    kept = [path for path in (shop.cache / "files").rglob("*") if path.is_file()]
    assert list(damaged(shop.folder, shop.cache)) == []
    before = {path: bitten(path) for path in kept}
    assert found("cache", shop.folder).state == State.WARNING
    mended = mend_cache(shop.folder, shop.folder, shop.cache)
    of_head = {path for path in kept if path.parent.name + path.name in mended}
    assert len(mended) == 4, "three files of the bundle and their list"
    assert {path: path.read_bytes() for path in of_head} == {path: before[path] for path in of_head}
    assert {path.stat().st_mode & 0o777 for path in of_head} == {0o444}
    assert found("cache", shop.folder).state == State.OK


@pytest.mark.attack
def test_a_lock_that_names_a_path_takes_no_file_away(shop: Shop, tmp_path: Path) -> None:
    """A pusher's lock: what is no md5 would lead out of the cache, to a file of the operator."""
    kept = tmp_path / "id"
    kept.write_text("a key")
    lock = shop.folder / "dvc.lock"
    out = f"  other:\n    cmd: a\n    outs:\n    - {{path: b, md5: 'ab{kept}'}}\n"
    lock.write_text(lock.read_text() + out)
    shop.commit()
    assert mend_cache(shop.folder, shop.folder, shop.cache) == ()
    assert kept.read_text() == "a key"


def test_a_damaged_object_that_is_nowhere_is_taken_away(shop: Shop) -> None:
    (path,) = (p for p in (shop.cache / "files").rglob("*") if p.is_file() and p.read_bytes() == b"weights of b")
    bitten(path)
    shutil.rmtree(shop.remote / "files")
    assert len(mend_cache(shop.folder, shop.folder, shop.cache)) == 1
    assert not path.exists()


@case
def test_a_cache_whose_disk_is_not_mounted(shop: Shop, tmp_path: Path) -> None:
    require_cache(shop.folder)
    must(shop.folder, "dvc", "cache", "dir", "--local", str(tmp_path / "disk/cache"))
    with pytest.raises(OperationError, match=r"cache\.dir .*: must be a folder that is there: mount its disk"):
        require_cache(shop.folder)
    assert found("cache", shop.folder).state == State.FAILED


# With a run.


@pytest.fixture(scope="module")
def due(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("worlds") / "due")


@pytest.fixture(scope="module")
def done(due: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two releases."""
    world = due.copy(tmp_path_factory.mktemp("done") / "world")
    assert run(world).outcome == "Released"
    world.git("pull", "-q", "--tags", "origin", "main")
    world.stop()
    return world


@pytest.fixture
def scene(due: World, tmp_path: Path) -> Iterator[Scene]:
    yield from scene_of(due.copy(tmp_path / "world"))


@pytest.fixture
def later(done: World, tmp_path: Path) -> Iterator[Scene]:
    """A scene with two releases, nothing due."""
    yield from scene_of(done.copy(tmp_path / "world"))


def scene_of(world: World) -> Iterator[Scene]:
    scene = Scene(world, random.Random(0))
    scene.last.callback(world.stop)
    with scene.last:
        yield scene


def foreign(scene: Scene) -> ForeignS3:
    """A store of somebody else's."""
    scene.s3 = server = ForeignS3(scene.world)
    scene.last.callback(server.kill)
    scene.last.callback(server.chaos.stop)
    return server


def fault(ended: Ended) -> str:
    """The one line of a run that ended as a fault, at once."""
    errors = [line for line in ended.log.splitlines() if line.startswith("error: ")]
    assert (ended.code, len(errors)) == (1, 1), ended.log
    assert "again in" not in ended.log, ended.log
    assert "Traceback" not in ended.log, ended.log
    return errors[0]


def doctor(world: World) -> str:
    command = [*CLI, "doctor"]
    return subprocess.run(command, cwd=world.project, env=world.env, capture_output=True, text=True, check=False).stdout


def clock(scene: Scene, shift: str) -> Ended:
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed")
    fake = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": shift}  # the monotonic clock too: else sleep fails with it
    scene.world.must(*CLI, "s3", "start")  # by the right time, as a store elsewhere has it
    return run(scene.world, **fake)


@weekly
@pytest.mark.parametrize("shift", ["+1d", "-3650d"])
def test_a_clock_that_is_wrong(scene: Scene, shift: str) -> None:
    told = fault(clock(scene, shift))
    assert "from server time" in told
    assert "set the clock" in told
    assert run(scene.world).outcome == "Released"


@weekly
def test_a_clock_that_is_wrong_with_a_folder_as_remote(scene: Scene) -> None:
    """Nobody refuses it: dates are wrong, order and signatures are not."""
    world = scene.world
    world.git("fetch", "-q", "--tags", "origin")
    world.must(*CLI, "s3", "start")
    world.must("dvc", "remote", "add", "-d", "shelf", str(world.box / "shelf"))
    world.must("dvc", "remote", "modify", "shelf", "verify", "true")
    world.must(*CLI, "releases", "--copy-from", "s3")
    world.share("A folder")
    assert clock(scene, "+3650d").outcome == "Released"
    world.git("pull", "-q", "--tags", "origin", "main")
    world.add_lines("2011-w48.csv.gz", packed(("2011-11-28", "2011-11-29")))
    assert run(world).outcome == "Released"
    world.git("pull", "-q", "--tags", "origin", "main")
    told = world.must(*CLI, "releases", "--format", "csv")
    assert [line.split(",")[0] for line in told.splitlines()[1:]] == ["v3.0.0", "v2.0.0", "v1.0.0"]
    for name in ("production", "v3.0.0", "v2.0.0", "v1.0.0"):
        assert "is verified" in world.must(*CLI, "verify", name)


@weekly
@pytest.mark.parametrize(
    ("answer", "says", "advice"),
    [
        pytest.param("bucket", "bucket does not exist", "make the bucket", id="bucket gone"),
        pytest.param("key", "signature", "see that the keys are right", id="another key"),
        pytest.param("ExpiredToken", "has expired", "see that the keys are right", id="expired"),
        pytest.param("AuthorizationHeaderMalformed", "expecting 'eu-west-1'", "dvc remote modify", id="wrong region"),
    ],
)
def test_a_store_that_refuses_is_not_asked_again(scene: Scene, answer: str, says: str, advice: str) -> None:
    server, world = foreign(scene), scene.world
    aside = world.box / "bucket"
    if answer == "bucket":
        world.bucket.rename(aside)
    elif answer == "key":
        world.must("dvc", "remote", "modify", "--local", "s3", "secret_access_key", "another")
    else:
        server.chaos.status, server.chaos.told = 400, (answer.encode(), SAID[answer])
    told = fault(run(world))
    assert says in told
    assert advice in told
    server.chaos.status = 0
    if aside.exists():
        aside.rename(world.bucket)
    world.serve(server.chaos.server.server_port, "world")
    assert run(world).outcome == "Released"


@weekly
def test_a_store_that_is_busy_is_asked_again(scene: Scene) -> None:
    foreign(scene)
    (ended,) = acts_s3.status_for_a_while(503, "push")(scene)
    assert (ended.code, ended.outcome, "again in" in ended.log) == (0, "Released", True), ended.log


@weekly
@pytest.mark.parametrize(
    ("what", "free"), [("the cache", 48 * 1024), ("runs", 512 * 1024), ("the embedded S3", 64 * 1024)]
)
def test_a_full_disk_is_named(scene: Scene, what: str, free: int) -> None:
    world = scene.world
    folders = {"the cache": world.cache, "runs": world.runs, "the embedded S3": world.bucket.parent}
    try:
        with scene.small_disk(folders[what], free):
            told = fault(run(world))
    except NotHere as reason:
        pytest.skip(str(reason))
    assert f"disk of {what}: must have 16 MiB of room in {folders[what]}" in told
    assert run(world).outcome == "Released"


@weekly
def test_no_room_for_temporary_files(scene: Scene) -> None:
    folder = scene.world.box / "tmp"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    scene.last.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
    told = fault(run(scene.world, TMPDIR=str(folder)))
    assert f"disk of temporary files: must have 16 MiB of room in {folder}" in told
    assert run(scene.world).outcome == "Released"


@weekly
def test_a_slow_push_that_is_cut_off_is_done_again(scene: Scene) -> None:
    chaos, live = foreign(scene).chaos, scene.start()
    live.until_step("push")
    chaos.is_slow = True
    assert live.until(lambda: chaos.hits > 0, "an object on its way")
    chaos.is_down = True
    assert live.end().code == 1
    chaos.is_slow = chaos.is_down = False
    assert run(scene.world).outcome == "Released"


@weekly
def test_a_run_reads_nothing_that_the_disk_has_bitten(later: Scene) -> None:
    """DVC trusts what is in its cache: other lines went into the model, under the hash of the right ones."""
    world = later.world
    world.must(*CLI, "s3", "start")
    world.add_lines("2011-w48.csv.gz", packed(("2011-11-28", "2011-11-29")))
    world.must("dvc", "push", "-q")
    for path in (world.cache / "files/md5").glob("*/*"):
        if path.suffix != ".dir":
            bitten(path)
    ended = run(world)
    assert (ended.code, ended.outcome) == (0, "Released"), ended.log
    assert "brought again from the remote" in ended.log


@weekly
def test_what_dvc_remembers_is_no_more_than_a_help(scene: Scene) -> None:
    """`.dvc/tmp` full of rubbish, the run cache too."""
    world = scene.world
    remembered = [*(world.project / ".dvc/tmp").rglob("*"), *(world.cache / "runs").rglob("*")]
    for path in remembered:
        if path.is_file():
            path.write_bytes(b"rubbish" * 100)
    assert run(world).outcome == "Released"


@weekly
def test_a_merge_that_nobody_finished(later: Scene) -> None:
    world, file = later.world, later.world.project / "params.yaml"
    text = file.read_text()
    line = with_marks(file)
    world.share("Merge")
    assert f"params.yaml: line {line}: must have no mark of an unfinished merge" in fault(run(world))
    file.write_text(text)
    world.share("Finish the merge")
    assert run(world).outcome == "Unchanged"


@weekly
@pytest.mark.parametrize("days", [("2012-11-19", "2012-11-20"), ()])
def test_a_gap_of_a_year_and_an_empty_week(later: Scene, days: tuple[str, ...]) -> None:
    later.world.add_lines("2012-w47.csv.gz", packed(days))
    ended = run(later.world)
    assert (ended.code, ended.outcome) == (0, "Released" if days else "Published"), ended.log


# What releases need of the remote.


@weekly
@pytest.mark.parametrize("moved", ["default", "gc", "mount"])
def test_what_releases_lack_is_told_and_copied(later: Scene, moved: str) -> None:
    """A new default remote; the bundles collected as rubbish; a folder whose disk is not mounted."""
    world = later.world
    world.must(*CLI, "s3", "start")
    world.must("dvc", "remote", "add", "shelf", str(world.box / "shelf"))
    if moved == "gc":  # the shelf has a copy
        world.must("dvc", "remote", "default", "shelf")
        world.must(*CLI, "releases", "--copy-from", "s3")
        world.must("dvc", "remote", "default", "s3")
        world.must("dvc", "gc", "-w", "--cloud", "-f", "-q")
    else:
        world.must("dvc", "remote", "default", "shelf")
        if moved == "mount":
            world.must(*CLI, "releases", "--copy-from", "s3")
            shutil.rmtree(world.box / "shelf")
    world.share("Remotes")
    ended = run(world)
    assert (ended.code, ended.outcome) == (0, "Unchanged"), ended.log
    assert "v1.0.0 lacks" in ended.told["headline"]
    told, other = doctor(world), "shelf" if moved == "gc" else "s3"
    assert "v1.0.0 lacks" in told
    assert ("v2.0.0 lacks" in told) == (moved != "gc")
    assert f"`pricetrail releases --copy-from {other}`" in told
    world.must(*CLI, "s3", "stop")  # the other one is started for the copy, whichever it is
    world.must(*CLI, "releases", "--copy-from", other)
    assert "lacks" not in doctor(world)
    shutil.rmtree(world.cache)
    world.must(*CLI, "verify", "v1.0.0")
    world.must(*CLI, "rollback", "--reason", "tried")

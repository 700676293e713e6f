"""A branch whose stages attack the run that carries them: one real weekly run, and what each attack came to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pricetrail.base.errors import OperationError
from pricetrail.base.processes import matching
from pricetrail.operation.weekly.clone import _take_over
from support.weekly_oracle import refs
from support.weekly_world import Ended, World, make_world, run

pytestmark = pytest.mark.attack

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "loot-aws",
    "GITHUB_TOKEN": "loot-git",
    "DATABASE_URL": "postgres://bot:loot-db@db/x",
    "PREFECT_API_AUTH_STRING": "admin:loot-prefect",
    "PRICETRAIL_WEBHOOK_URL": "http://127.0.0.1:9/loot-hook",
    "PRICETRAIL_RELEASE_KEY": "",
}
DECLARED = {
    "dvc.lock", "params.yaml", "reports/lineage.json",
    *(f"metrics/{name}.json" for name in ("etl", "drift", "gates/drift", "test", "fairness", "decision")),
}  # fmt: skip
# Put into a stage of the branch; LOOT is where it tells what it got.
ATTACK = r"""
import json, os, subprocess
from pathlib import Path

root, loot = Path.cwd(), Path(LOOT)

def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)

write(loot / "environment", json.dumps(dict(os.environ)))
settings = root / ".dvc/config.local"
write(loot / "settings", settings.read_text() if settings.exists() else "")
for name in ("pre-commit", "post-commit", "commit-msg", "pre-push", "post-checkout", "reference-transaction"):
    write(root / ".git/hooks" / name, f"#!/bin/sh\ntouch {loot}/hook\n")
write(loot / "program", f'#!/bin/sh\ntouch {loot}/$1\n[ "$1" = filter ] && cat\nexit 0\n')
subprocess.run(["git", "init", "-q", "--bare", str(loot / "elsewhere.git")], check=True)
for key, value in {
    "core.fsmonitor": f"{loot}/program fsmonitor",
    "filter.loot.clean": f"{loot}/program filter",
    "remote.origin.uploadpack": f"{loot}/program uploadpack; git-upload-pack",
    "remote.origin.pushurl": str(loot / "elsewhere.git"),
}.items():
    subprocess.run(["git", "config", key, value], check=True)
write(root / ".git/info/attributes", "* filter=loot\n")
tag = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "core.hooksPath=/dev/null", "tag", "-am", "mine"]
for name in ("price-model@v9.0.0", "price-model#production#99"):
    subprocess.run([*tag, name], check=True)
config = root / ".dvc/config"
(loot / "bucket").mkdir()
write(config, f"[core]\n    remote = s3\n['remote \"s3\"']\n    url = {loot}/bucket\n")
write(root / "keys/release.pub.pem", "mine\n")
write(root / "keys/mine.pub.pem", "mine\n")
write(root / "src/pricetrail/base/errors.py", "mine = 1\n" + (root / "src/pricetrail/base/errors.py").read_text())
write(root / "reports/mine.txt", "not declared\n")
write(root / "pricetrail/__init__.py", f"open({str(loot / 'planted')!r}, 'w').close()\n")
daemon = f"cd /; (echo started > {loot}/daemon; while true; do echo $$ > /dev/null; sleep 0.1; done) &"
hidden = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
subprocess.Popen(["setsid", "env", "-i", "/bin/sh", "-c", daemon, "daemon-of-" + loot.parent.name], **hidden).wait()
"""
SHADOW = """\
import json, os
with open({loot!r} + "/shadow", "w") as file:
    json.dump(dict(os.environ), file)
raise ImportError("not the real one")
"""


@dataclass(frozen=True)
class Attacked:
    """A world after the run."""

    world: World
    loot: Path
    ended: Ended
    before: dict[str, str]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    box = tmp_path_factory.mktemp("attacked")
    loot = box / "loot"
    loot.mkdir()
    world = make_world(box / "world")
    try:
        key = box / "release.pem"
        shutil.copy(world.project / ".pricetrail/keys/release.pem", key)
        with world.elsewhere() as folder:
            (folder / "tests/support/attack.py").write_text(ATTACK.replace("LOOT", repr(str(loot))))
            stages = folder / "tests/support/short_pipeline.py"
            stages.write_text(stages.read_text().replace("time.sleep(TRAINING_SECONDS)", "import attack"))
            (folder / "dvc").mkdir()
            (folder / "dvc/__init__.py").write_text(SHADOW.format(loot=str(loot)))
            world.share("Better stages", folder)
        before = refs(world)
        yield Attacked(world, loot, run(world, **{**SECRETS, "PRICETRAIL_RELEASE_KEY": str(key)}), before)
    finally:
        for process in daemons(loot):
            process.kill()
        world.stop()


def daemons(loot: Path) -> tuple[psutil.Process, ...]:
    """What the attack left running, told by a name that it gave itself."""
    return matching(lambda process: f"daemon-of-{loot.parent.name}" in process.cmdline())


@pytest.fixture
def published(attacked: Attacked) -> str:
    """The commit of the run; it ended well, so nothing is left out of what is looked at."""
    assert attacked.ended.outcome == "Released", attacked.ended.log
    assert (attacked.loot / "daemon").exists(), "the attack went to its end"
    return attacked.world.tip()


def real(test: Callable[..., None]) -> Callable[..., None]:
    """A test that looks at the real run."""
    for mark in (pytest.mark.slow, pytest.mark.long, pytest.mark.xdist_group("operation_faults")):
        test = mark(test)
    return test


@real
@pytest.mark.parametrize("name", SECRETS)
def test_a_stage_does_not_get_a_secret_variable(name: str, attacked: Attacked) -> None:
    known = json.loads((attacked.loot / "environment").read_text())
    assert name not in known
    assert "loot-" not in json.dumps(known), "nor its value under another name"
    assert {"PATH", "HOME", "PYTHONPATH"} <= set(known), "what it needs is there"


@real
def test_a_stage_finds_no_key_of_the_remote(attacked: Attacked) -> None:
    assert "secret_access_key" in (attacked.world.project / ".dvc/config.local").read_text()
    told = (attacked.loot / "settings").read_text()
    assert "cache" in told, "the settings that its clone has"
    assert "access_key" not in told


@real
@pytest.mark.parametrize("planted", ["hook", "fsmonitor", "filter", "uploadpack", "planted", "shadow"])
def test_what_a_stage_or_a_commit_plants_never_runs(planted: str, attacked: Attacked, published: str) -> None:
    """Hooks, three settings of git, and modules under the names of ours and of DVC."""
    assert not (attacked.loot / planted).exists(), published


@real
@pytest.mark.parametrize("to", ["elsewhere.git/refs/heads/main", "elsewhere.git/packed-refs", "bucket/files"])
def test_nothing_is_pushed_where_a_stage_points(to: str, attacked: Attacked, published: str) -> None:
    assert (attacked.loot / to.partition("/")[0]).exists()
    assert not (attacked.loot / to).exists(), published


@real
@pytest.mark.parametrize(
    "path", ["keys/release.pub.pem", "keys/mine.pub.pem", "src/pricetrail", "reports/mine.txt", ".dvc/config"]
)
def test_a_run_commits_no_path_but_its_outputs(path: str, attacked: Attacked, published: str) -> None:
    told = attacked.world.git("diff", "--name-only", f"{published}~1", published, folder=attacked.world.bare)
    assert not [name for name in told.splitlines() if name == path or name.startswith(f"{path}/")]
    assert set(told.splitlines()) <= DECLARED


@real
@pytest.mark.parametrize("tag", ["price-model@v9.0.0", "price-model#production#99"])
def test_a_tag_that_a_stage_made_steers_no_release(tag: str, attacked: Attacked, published: str) -> None:
    new = set(refs(attacked.world)) - set(attacked.before)
    assert f"refs/tags/{tag}" not in new, published
    assert new == {"refs/tags/price-model@v2.0.0", "refs/tags/price-model#production#2"}


@real
def test_what_a_stage_left_running_is_ended(attacked: Attacked, published: str) -> None:
    """A daemon in a session of its own, of another name and folder."""
    assert not daemons(attacked.loot), published


@pytest.mark.parametrize("kind", ["link", "link to a folder", "link above it", "pipe"])
def test_an_output_that_is_no_file_is_refused(kind: str, tmp_path: Path) -> None:
    """A link would bring any file that the operator may read into git."""
    work, clean, secret = (tmp_path / name for name in ("work", "clean", "secret"))
    for folder in (work / "metrics", clean / "metrics", secret):
        folder.mkdir(parents=True)
    (secret / "a.json").write_text("the release key")
    if kind == "link":
        (work / "metrics/a.json").symlink_to(secret / "a.json")
    elif kind == "link to a folder":
        (work / "metrics/inner").symlink_to(secret)
    elif kind == "link above it":
        (work / "metrics").rmdir()
        (work / "metrics").symlink_to(secret)
    else:
        os.mkfifo(work / "metrics/a.json")
    path = "metrics" if kind == "link to a folder" else "metrics/a.json"
    with pytest.raises(OperationError, match=r"^metrics\S*: must be a file that a stage wrote"):
        _take_over(work, clean, path)
    assert not list((clean / "metrics").iterdir())

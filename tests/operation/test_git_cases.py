"""What git and its hub do to a run: the true cause is told, once, and only what is out of reach is tried again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pricetrail.base.errors import OperationError
from pricetrail.base.params import parse_params
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.push import push_tags
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.servers.programs import UnreachableError
from pricetrail.operation.weekly import clone, steps
from support.git_scene import BOT, RETRIES, GitScene, answering, releasing
from support.release_sample import sign_version
from support.source_tree import ROOT
from support.tiny_project import TinyProject, make_tiny_project

pytestmark = pytest.mark.operation_case
RELEASE = "price-model@v1.0.0"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git") / "template"
    made = make_tiny_project(folder)
    made.commit(".gitignore", "/data.txt\n/.pricetrail/\n", push=False)
    keys = ensure_keys(made.folder)
    made.commit("keys/release.pub.pem", keys.public.read_text())
    assert sign_version(made.folder, "v1.0.0", keys).tag.name == RELEASE
    made.must("git", "push", "-q", "origin", RELEASE)
    return folder


@pytest.fixture
def scene(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitScene:
    shutil.copytree(template, tmp_path / "w", symlinks=True)
    made = TinyProject(tmp_path / "w/project", tmp_path / "w/bare.git", tmp_path / "w/remote")
    made.must("git", "remote", "set-url", "origin", str(made.bare))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = GitScene(made, tmp_path)
    found.settings("[user]\nname = Ann\nemail = ann@shop.example")
    return found


def pre_push(scene: GitScene) -> None:
    scene.hooks("pre-push", "echo a secret was found in a.txt >&2; exit 1")


def silent_pre_push(scene: GitScene) -> None:
    scene.hooks("pre-push", "exit 1")


def prepare_commit_msg(scene: GitScene) -> None:
    scene.hooks("prepare-commit-msg", "exit 1")


def commit_hook_that_talks(scene: GitScene) -> None:
    scene.hooks("prepare-commit-msg", "echo name the ticket >&2; exit 3")


def post_checkout(scene: GitScene) -> None:
    scene.hooks("post-checkout", "exit 1")


def blocked(scene: GitScene) -> None:
    scene.hooks("pre-receive", "echo pushes are blocked until Monday: pack of 3 GB is too large >&2; exit 1", scene.hub)


def update_hook(scene: GitScene) -> None:
    scene.hooks("update", '[ "$1" != refs/heads/main ] || { echo main is locked >&2; exit 1; }', scene.hub)


def not_ours(scene: GitScene) -> None:
    scene.owned_by(scene.hub)


def project_not_ours(scene: GitScene) -> None:
    scene.owned_by(scene.home)


def without_lfs(scene: GitScene) -> None:
    scene.project.commit(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    scene.project.commit("a.bin", "an image\n")
    scene.settings('[filter "lfs"]\nprocess = git-lfs filter-process\nsmudge = git-lfs smudge -- %f\nrequired = true')


def tag_deleted(scene: GitScene) -> None:
    scene.git("tag", "--delete", RELEASE, folder=scene.hub)


def another_tag(scene: GitScene) -> None:
    scene.git("tag", "--force", "-a", "-m", "mine", RELEASE, folder=scene.hub)


def branch_renamed_meanwhile(scene: GitScene) -> None:
    scene.git("branch", "-m", "main", "trunk", folder=scene.hub)


def small_disk(scene: GitScene, options: str) -> None:
    """The hub on a disk of its own, mounted anew with options."""
    aside = scene.box / "aside"
    scene.hub.rename(aside)
    scene.hub.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(scene.hub)], capture_output=True)
    if done.returncode:
        pytest.skip("this user may not mount")
    shutil.copytree(aside, scene.hub, dirs_exist_ok=True)
    if options:
        subprocess.run(["mount", "-o", f"remount,{options}", str(scene.hub)], check=True)
    else:
        subprocess.run(["dd", "if=/dev/zero", f"of={scene.hub}/fill", "bs=1k"], capture_output=True, check=False)


def disk_full(scene: GitScene) -> None:
    small_disk(scene, "")


def disk_read_only(scene: GitScene) -> None:
    small_disk(scene, "ro")


FINAL: dict[str, tuple[Callable[[GitScene], None], str]] = {
    "pre-push": (pre_push, "git push: must succeed: the pre-push hook of this machine must let it pass, and says: a"),
    "pre-push, silent": (silent_pre_push, "the pre-push hook of this machine must let it pass, and says: nothing"),
    "prepare-commit-msg": (prepare_commit_msg, "git commit: must succeed: the prepare-commit-msg hook of this machine"),
    "a commit hook that talks": (commit_hook_that_talks, "must let it pass, and says: name the ticket"),
    "post-checkout": (post_checkout, "git clone: must succeed: the post-checkout hook of this machine must let it"),
    "the hub's pre-receive": (blocked, "(pre-receive hook declined); pushes are blocked until Monday: pack of 3 GB"),
    "the hub's update hook": (update_hook, "main is locked"),
    "the hub's disk full": (disk_full, "No space left on device; "),
    "the hub read-only": (disk_read_only, "temporary object directory: let this user write there: see its owner, mode"),
    "another owner of the hub": (not_ours, "dubious ownership in repository at '{hub}': run as the owner, or `chown"),
    "another owner of the project": (project_not_ours, "dubious ownership in repository at '{home}': run as the owner"),
    "LFS without git-lfs": (without_lfs, "git-lfs: not found: install git-lfs"),
    "a release's tag deleted": (tag_deleted, f"{RELEASE} was deleted there, or never pushed: `git push origin refs"),
    "a release's tag replaced": (another_tag, f"{RELEASE} is another tag there: "),
}  # fmt: skip


QUICK = (  # the others are left to make test-all
    "pre-push, silent", "prepare-commit-msg", "the hub's pre-receive", "another owner of the hub",
    "LFS without git-lfs", "a release's tag deleted", "core.autocrlf", "another name for origin",
)  # fmt: skip


def cases(table: Mapping[str, object]) -> list[object]:
    """The values, each with its name."""
    marks = {name: [] if name in QUICK else [pytest.mark.long] for name in table}
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), id=name, marks=marks[name])
        for name, value in table.items()
    ]


@pytest.mark.parametrize(("harm", "says"), cases(FINAL))
def test_a_person_is_told_the_true_cause_at_once(
    scene: GitScene, harm: Callable[[GitScene], None], says: str, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: subprocess.run(["umount", "--lazy", str(scene.hub)], capture_output=True, check=False))
    harm(scene)
    before = {path: path.read_bytes() for path in sorted(scene.hub.glob("refs/**/*")) if path.is_file()}
    ended = scene.run(releasing)
    says = says.format(hub=scene.hub, home=scene.home)
    assert ended.told.count(says) == 1, ended
    assert ended.tries == 1, "no second try makes it"
    assert before == {path: path.read_bytes() for path in sorted(scene.hub.glob("refs/**/*")) if path.is_file()}


def test_a_branch_renamed_during_the_run_is_no_race(scene: GitScene) -> None:
    ended = scene.run(meanwhile=lambda: branch_renamed_meanwhile(scene))
    assert ended.told.endswith("must have branch main, which was deleted or renamed there during the run")
    assert ended.tries == 1


@pytest.mark.parametrize(
    ("code", "tries", "says"),
    [
        pytest.param(401, 1, "could not read Username", id="asks for a password"),
        pytest.param(403, 1, "error: 403: give this user its credentials", id="forbids"),
        pytest.param(503, 1 + RETRIES, "error: 503", id="is down"),
    ],
)
def test_a_hub_is_tried_again_only_while_it_is_down(scene: GitScene, code: int, tries: int, says: str) -> None:
    with answering(code) as url:
        ended = scene.run(repository=url)
    assert says in ended.told
    assert ended.tries == tries


def test_a_hub_that_is_gone_is_tried_again(scene: GitScene) -> None:
    scene.hub.rename(scene.box / "away")
    ended = scene.run()
    assert "does not appear to be a git repository" in ended.told
    assert ended.tries == 1 + RETRIES


HARMLESS: dict[str, str] = {
    "push.followTags": "[push]\nfollowTags = true",
    "push.default nothing": "[push]\ndefault = nothing",
    "signs without a key": "[commit]\ngpgSign = true\n[tag]\ngpgSign = true\n[push]\ngpgSign = if-asked",
    "core.autocrlf": "[core]\nautocrlf = true",
    "pull.rebase and fetch.prune": "[pull]\nrebase = true\n[fetch]\nprune = true\npruneTags = true",
    "another name for origin": "[clone]\ndefaultRemoteName = upstream\nrejectShallow = true",
    "ignores metrics and reports": "[core]\nexcludesFile = ~/ignored",
    "colours and columns": "[color]\nui = always\n[column]\nui = always\n[log]\nshowSignature = true",
    "comments and clean-up": "[commit]\ncleanup = scissors\nverbose = true\n[core]\ncommentChar = W",
}


@pytest.mark.parametrize("settings", cases(HARMLESS))
def test_a_runs_commit_does_not_depend_on_whose_git_it_is(scene: GitScene, settings: str) -> None:
    (scene.box / "ignored").write_text("metrics/\nreports/\n*.lock\n")
    scene.settings(settings)
    scene.project.commit("metrics/old.json", "{}\n")
    ended = scene.run(
        releasing,
        meanwhile=lambda: (scene.box / "run/metrics/new.json").write_text("{}\n"),
    )
    assert ended.told == ""
    shown = scene.project.must("git", "show", "--name-only", "--format=%B", "main", folder=scene.hub)
    assert shown.startswith("Weekly run: released\n\nAll gates are open.\n\nRun: ")
    assert shown.split("\n")[-2:] == ["dvc.lock", "metrics/new.json"]
    assert b"\r" not in (scene.box / "run/metrics/old.json").read_bytes(), "the bytes of git"
    assert "price-model@v2.0.0" in scene.git("tag", folder=scene.hub)


def test_a_run_takes_the_number_after_a_rollbacks(scene: GitScene) -> None:
    """The branch has not moved, so the run has not lost to anybody."""

    def rollback() -> None:
        registry, keys = Registry.read(scene.home), ensure_keys(scene.home)
        push_tags(scene.home, registry.assign(scene.home, registry.version("v1.0.0"), BOT, keys, reason="wrong prices"))

    ended = scene.run(releasing, meanwhile=rollback)
    assert (ended.told, ended.tags) == ("", ("price-model@v2.0.0", "price-model#production#2"))
    was = scene.git("rev-parse", f"{RELEASE}^{{commit}}")
    on = {
        name: scene.git("rev-parse", f"{name}^{{commit}}", folder=scene.hub)
        for name in scene.git("tag", "--list", "*#*", folder=scene.hub).split()
    }
    assert on == {"price-model#production#1": was, "price-model#production#2": ended.commit}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["single branch", "worktree", "with a submodule"])
def test_any_kind_of_checkout_is_published_into(scene: GitScene, kind: str) -> None:
    home, url = scene.box / "other", f"file://{scene.hub}"
    match kind:
        case "single branch":
            scene.git("clone", "-q", "--single-branch", "-b", "main", url, str(home))
        case "worktree":
            scene.git("worktree", "add", "-q", "-b", "work", str(home))
        case _:
            scene.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", url, "sub")
            scene.git("commit", "-q", "-m", "sub")
            home = scene.home
    ended = scene.run(home=home, repository=".")
    assert ended.told == ""
    assert scene.git("rev-parse", "HEAD", folder=home) == ended.commit
    assert scene.git("status", "--porcelain", folder=home) == ""


def in_a_larger_repository(scene: GitScene) -> Path:
    """The project in a folder of its repository, beside another one."""
    inside = scene.home / "my shops/gifts"
    inside.mkdir(parents=True)
    for path in scene.home.iterdir():
        if path.name not in {".git", "my shops"}:
            path.rename(inside / path.name)
    (scene.home / "data").mkdir()
    (scene.home / "data/other").write_text("1")
    scene.git("add", "-A")
    scene.git("commit", "-q", "-m", "into a folder")
    scene.git("push", "-q", "origin", "main")
    return inside


@pytest.mark.parametrize("repository", ["origin", "."])
def test_a_run_publishes_a_folder_of_a_repository(scene: GitScene, repository: str) -> None:
    home = in_a_larger_repository(scene)

    def others_work() -> None:
        (scene.home / "data/other").write_text("2")
        scene.git("commit", "-q", "-a", "-m", "of another team")
        scene.git("push", "-q", "origin", "main")

    ended = scene.run(releasing, others_work, home=home, repository=repository)
    assert (ended.told, len(ended.tags)) == ("", 2)
    place = scene.hub if repository == "origin" else scene.home
    changed = scene.git("diff", "--name-only", f"{ended.commit}~1", ended.commit, folder=place)
    assert changed.splitlines() == ["my shops/gifts/dvc.lock"], "and the other team's work stays, below it"
    assert scene.git("show", f"{ended.commit}:data/other", folder=place) == "2"

    def strays() -> None:
        (scene.box / "run/data/other").write_text("3")
        (scene.box / "run/my shops/gifts/dvc.lock").write_text("stages: {}\n\n")

    stray = scene.run(meanwhile=strays, home=home, repository=repository)
    changed = scene.git("diff", "--name-only", ended.commit, stray.commit, folder=place)
    assert changed.splitlines() == ["my shops/gifts/dvc.lock"], "a run commits nothing outside of the folder"


def test_a_branch_without_the_projects_folder_is_told(scene: GitScene) -> None:
    (scene.home / "shop").mkdir()
    ended = scene.run(home=scene.home / "shop")
    assert ended.told == "origin: must have the project in shop of branch main"
    assert ended.tries == 1


def test_a_run_into_a_shallow_clone_is_refused(scene: GitScene) -> None:
    """Its tags may not be all: the number of a release would be given twice."""
    scene.project.commit("b.txt", "b\n")
    home = scene.box / "other"
    scene.git("clone", "-q", "--depth", "1", f"file://{scene.hub}", str(home))
    ended = scene.run(home=home, repository=".")
    assert "`git fetch --unshallow --tags`" in ended.told
    assert ended.tries == 1
    assert scene.run(home=home).told == "", "the hub has them all"


@pytest.mark.long
@pytest.mark.usefixtures("fast_dvc")
def test_a_cache_that_takes_nothing_is_told_with_its_stage(scene: GitScene) -> None:
    """`chattr +i`: not even root writes there."""
    (scene.home / "dvc.yaml").write_text(
        "stages:\n  make:\n    cmd: echo two > out.txt\n    deps: [.gitignore]\n    outs: [out.txt]\n"
    )
    (scene.home / ".gitignore").write_text("/out.txt\n/data.txt\n")
    scene.git("add", "-A")
    scene.git("commit", "-q", "-m", "a stage")
    weekly = parse_params((ROOT / "params.yaml").read_text()).weekly
    made = clone.make(scene.home, weekly, scene.box / "run")
    place = scene.home / ".dvc/cache/files/md5"
    if subprocess.run(["chattr", "+i", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("this disk, or this user, makes nothing immutable")
    try:
        with pytest.raises(OperationError) as caught:
            steps.reproduce(made, 1)
    finally:
        subprocess.run(["chattr", "-i", str(place)], check=True)
    assert str(caught.value).startswith("stage make: must succeed: ")
    assert "Operation not permitted" in str(caught.value)
    assert not isinstance(caught.value, UnreachableError)

"""The commit point: what reaches a real bare repository, in every order in which two writers can meet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pricetrail.base import redaction
from pricetrail.base.errors import OperationError
from pricetrail.base.redaction import hide, line_of_secret
from pricetrail.operation.servers.programs import Done, UnreachableError, run
from pricetrail.operation.weekly import publish as publication
from pricetrail.operation.weekly.clone import Clone
from support.source_tree import ROOT
from support.tiny_project import WHO, TinyProject, make_tiny_project

BOT = "Bot <bot@example.org>"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("publication") / "template"
    make_tiny_project(folder)
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> TinyProject:
    shutil.copytree(template, tmp_path / "w", symlinks=True)
    made = TinyProject(tmp_path / "w/project", tmp_path / "w/bare.git", tmp_path / "w/remote")
    made.must("git", "remote", "set-url", "origin", str(made.bare))
    return made


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test hides is hidden for it alone."""
    monkeypatch.setattr(redaction, "_known", set())


def cloned(project: TinyProject, name: str = "run", is_here: bool = False) -> Clone:
    source = project.folder if is_here else project.bare
    folder = project.folder.parent / name
    project.must("git", "clone", "-q", str(source), str(folder), folder=project.folder.parent)
    base = project.must("git", "rev-parse", "HEAD", folder=folder)
    return Clone(project.folder, folder, str(source), "main", base, is_here)


def tagging(place: Clone, *names: str) -> Callable[[], Sequence[str]]:
    def tag() -> Sequence[str]:
        free = [name for name in names if name not in publication.git("tag", folder=place.folder).split()]
        for name in free:
            publication.git(*WHO, "tag", "-a", "-m", f"{name} of {place.folder.name}", name, folder=place.folder)
        return free

    return tag


def changed(place: Clone, text: str = "stages: {}\n") -> str:
    (place.folder / "dvc.lock").write_text(text)
    assert publication.commit(place, "Weekly run: released\n\nAll gates are open.\n", BOT)
    return publication.git("rev-parse", "HEAD", folder=place.folder).strip()


def publish(place: Clone, *tags: str) -> publication.Published:
    return publication.publish(place, BOT, 1, tagging(place, *tags))


def test_commit_and_tags_arrive_together(project: TinyProject) -> None:
    place = cloned(project)
    commit = changed(place)
    assert publish(place, "m@v1", "m#p#1") == publication.Published(commit, ("m@v1", "m#p#1"))
    refs = project.refs()
    assert refs["refs/heads/main"] == commit
    assert {"refs/tags/m@v1", "refs/tags/m#p#1"} <= set(refs)
    author = project.must("git", "log", "-1", "--format=%an <%ae> %s", "main", folder=project.bare)
    assert author == "Bot <bot@example.org> Weekly run: released"


@pytest.mark.parametrize("role", ["AUTHOR", "COMMITTER"])
def test_a_runs_commit_is_by_its_author_whoever_runs_it(
    project: TinyProject, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git takes these variables before its settings; here the commit is made, and put on top of another one."""
    monkeypatch.setenv(f"GIT_{role}_NAME", "Mallory")
    monkeypatch.setenv(f"GIT_{role}_EMAIL", "mallory@example.org")
    place = cloned(project)
    changed(place)
    told = ("log", "-1", "--format=%an <%ae>, %cn <%ce>")
    assert publication.git(*told, folder=place.folder).strip() == f"{BOT}, {BOT}"
    project.commit("README.md", "meanwhile\n")
    assert not publish(place).superseded_by
    assert project.must("git", *told, "main", folder=project.bare) == f"{BOT}, {BOT}"


SECRETS = {
    "key": "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----",
    "id of AWS": "AKIAIOSFODNN7EXAMPLE",
    "password": "https://bot:s3cret@git.shop.example/p.git",
    "address": "https://hooks.slack.com/services/T0/B0/s3cretpart",
    "of the remote": "the-secret-of-this-remote",
}


@pytest.mark.attack
@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("path", ["metrics/new.json", "reports/note.csv"])
def test_no_secret_is_published(project: TinyProject, kind: str, path: str) -> None:
    """A stage, or a cell of the data, puts one into a file that git keeps for ever."""
    hide(SECRETS["of the remote"])
    place = cloned(project)
    (place.folder / path).parent.mkdir(exist_ok=True)
    (place.folder / path).write_text(f"a\nb {SECRETS[kind]} c\n")
    with pytest.raises(OperationError, match=f"^{path}: line 2: must hold no key") as raised:
        publication.commit(place, "x", BOT)
    assert SECRETS[kind] not in str(raised.value)
    assert publication.git("rev-parse", "HEAD", folder=place.folder).strip() == place.base


def test_what_was_there_and_what_is_no_secret_are_published(project: TinyProject) -> None:
    """A webhook that the project itself committed, the user of an address, a word that is somebody's password."""
    hide("password")
    place = cloned(project)
    (place.folder / "params.yaml").write_text("webhook_url: https://hooks.slack.com/services/T0/B0/s3cretpart\n")
    for command in (("add", "params.yaml"), (*WHO, "commit", "-q", "-m", "theirs")):
        publication.git(*command, folder=place.folder)
    place = replace(place, base=publication.git("rev-parse", "HEAD", folder=place.folder).strip())
    with (place.folder / "params.yaml").open("a") as file:
        file.write("url: ssh://git@github.com/shop/data.git\nnote: a password\n")
    assert publication.commit(place, "x", BOT)


def test_what_the_project_publishes_has_no_secret() -> None:
    kept = publication.git("ls-files", "-z", "--", "metrics", "reports", "*.lock", "*.yaml", folder=ROOT).split("\0")
    found = {path: line_of_secret((ROOT / path).read_bytes().decode(errors="replace")) for path in kept[:-1]}
    assert len(found) > 40
    assert [path for path, line in found.items() if line] == []


def test_nothing_new_publishes_nothing(project: TinyProject) -> None:
    place = cloned(project)
    before = project.refs()
    assert not publication.commit(place, "x", BOT)
    assert publish(place) == publication.Published(place.base)
    assert project.refs() == before


def test_a_commit_is_made_once_however_often_it_is_asked_for(project: TinyProject) -> None:
    place = cloned(project)
    commit = changed(place)
    assert publication.commit(place, "again", BOT)
    assert publication.git("rev-parse", "HEAD", folder=place.folder).strip() == commit
    assert publication.git("rev-list", "--count", f"{place.base}..HEAD", folder=place.folder).strip() == "1"


def test_only_what_a_run_may_make_is_committed(project: TinyProject) -> None:
    place = cloned(project)
    (place.folder / "stray.txt").write_text("left by a stage\n")
    (place.folder / "metrics").mkdir()
    (place.folder / "metrics/test.json").write_text("{}\n")
    changed(place)
    names = publication.git("show", "--name-only", "--format=", "HEAD", folder=place.folder).split()
    assert sorted(names) == ["dvc.lock", "metrics/test.json"]


@pytest.mark.parametrize("path", ["README.md", "docs/a.md", "tests/test_a.py"])
def test_the_run_goes_on_top_of_a_commit_that_touches_no_input(project: TinyProject, path: str) -> None:
    place = cloned(project)
    changed(place)
    other = project.commit(path, "meanwhile\n")
    done = publish(place, "m@v1")
    assert not done.superseded_by
    assert project.must("git", "rev-parse", "main~1", folder=project.bare) == other
    assert project.must("git", "rev-parse", "m@v1^{commit}", folder=project.bare) == done.commit
    assert project.must("git", "rev-parse", "main", folder=project.bare) == done.commit


@pytest.mark.parametrize(
    "path",
    [
        "params.yaml",
        "dvc.lock",
        "src/pricetrail/a.py",
        "data/lines.dvc",
        "requirements.lock",
        "metrics/a.json",
        ".dvc/config",
        ".dvcignore",
    ],
)
def test_the_run_gives_way_to_a_commit_that_touches_an_input(project: TinyProject, path: str) -> None:
    place = cloned(project)
    changed(place)
    other = project.commit(path, "meanwhile\n")
    before = project.refs()
    assert publish(place, "m@v1").superseded_by == other
    assert project.refs() == before, "neither commit nor tag"
    assert not publication.git("tag", folder=place.folder).strip(), "no tag is left that a later push would take along"


def test_of_two_runs_at_once_one_publishes(project: TinyProject) -> None:
    first, second = cloned(project, "first"), cloned(project, "second")
    commit, _ = changed(first, "stages: {a: 1}\n"), changed(second, "stages: {b: 1}\n")
    assert publish(first, "m@v1").commit == commit
    assert publish(second, "m@v1").superseded_by == commit
    assert project.refs()["refs/heads/main"] == commit


def test_of_two_equal_runs_in_one_second_one_publishes(project: TinyProject) -> None:
    first, second = cloned(project, "1/clone"), cloned(project, "2/clone")
    commits = {changed(first), changed(second)}
    assert len(commits) == 2
    done = publish(first, "m@v1")
    assert publish(second, "m@v1") == publication.Published(second.base, superseded_by=done.commit)


def test_of_two_releases_of_one_commit_one_is_made(project: TinyProject) -> None:
    first, second = cloned(project, "first"), cloned(project, "second")
    assert publish(first, "m@v1").tags == ("m@v1",)
    before = project.refs()
    assert publish(second, "m@v1") == publication.Published(second.base)
    assert project.refs() == before


def test_a_history_that_was_rewritten_is_not_built_upon(project: TinyProject) -> None:
    project.commit("README.md", "one\n")
    place = cloned(project)
    changed(place)
    project.must("git", *WHO, "commit", "-q", "--amend", "-m", "other")
    project.must("git", "push", "-q", "--force", "origin", "main")
    before = project.refs()
    assert publish(place).superseded_by
    assert project.refs() == before


def test_a_repository_that_refuses_is_a_fault(project: TinyProject) -> None:
    hook = project.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no pushes on Sundays >&2\nexit 1\n")
    hook.chmod(0o755)
    place = cloned(project)
    changed(place)
    before = project.refs()
    with pytest.raises(OperationError, match="git push: must be accepted by"):
        publish(place, "m@v1")
    assert project.refs() == before


def test_a_repository_that_is_gone_can_be_tried_again(project: TinyProject) -> None:
    place = cloned(project)
    commit = changed(place)
    away = project.bare.rename(project.bare.with_name("away.git"))
    with pytest.raises(UnreachableError):
        publish(place, "m@v1")
    away.rename(project.bare)
    assert publish(place, "m@v1") == publication.Published(commit, ("m@v1",))


def test_a_push_that_went_through_unanswered_is_known_again(
    project: TinyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt makes its tags anew: at another time, they are other objects."""
    place = cloned(project)
    commit = changed(place)

    def cut(command: Sequence[str], *rest: object, **more: object) -> Done:
        done = run(command, *rest, **more)  # type: ignore[arg-type]
        return Done(128, ("fatal: the remote end hung up",)) if command[1] == "push" else done

    def silent(*_: object) -> str:
        raise UnreachableError("git ls-remote", "must succeed: could not resolve host")

    with monkeypatch.context() as patch:
        patch.setattr(publication, "run", cut)
        patch.setattr(publication, "must", silent)
        with pytest.raises(UnreachableError):
            publish(place, "m@v1")
    refs = project.refs()
    assert refs["refs/heads/main"] == commit

    def tag() -> Sequence[str]:
        publication.git(*WHO, "tag", "-a", "-m", "made at another time", "m@v1", folder=place.folder)
        return ("m@v1",)

    assert publication.publish(place, BOT, 1, tag) == publication.Published(commit, ("m@v1",))
    assert project.refs() == refs, "published, once"


def test_a_refusal_does_not_tell_the_repositorys_password(project: TinyProject) -> None:
    place = replace(cloned(project), repository="https://bot:s3cret@git.shop/p.git")
    told = publication._refusal(place, Done(1, ("!\tHEAD:refs/heads/main\t[remote rejected] (hook declined)",)))
    assert str(told) == "git push: must be accepted by https://***@git.shop/p.git: [remote rejected] (hook declined)"


def test_the_project_itself_is_published_into(project: TinyProject) -> None:
    place = cloned(project, is_here=True)
    commit = changed(place)
    assert publish(place, "m@v1").commit == commit
    assert (project.folder / "dvc.lock").read_text() == "stages: {}\n"
    assert project.must("git", "rev-parse", "HEAD") == commit
    assert not project.must("git", "status", "--porcelain")


def test_an_edit_in_the_working_tree_is_never_overwritten(project: TinyProject) -> None:
    project.commit("dvc.lock", "stages: {a: 0}\n")
    place = cloned(project, is_here=True)
    changed(place)
    (project.folder / "dvc.lock").write_text("mine\n")
    with pytest.raises(OperationError, match="must be accepted"):
        publish(place, "m@v1")
    assert (project.folder / "dvc.lock").read_text() == "mine\n"
    assert not project.must("git", "tag")

"""Where the project lies in git: at the top of its repository or in a folder, in a worktree, in a shallow clone."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from pricetrail.base.errors import LineageError
from pricetrail.lineage.git import git

OF_A_PROJECT: Final = "reports/lineage.json"  # what git tracks of every project of this program
UNSHALLOW: Final = "`git fetch --unshallow --tags`"
NO_TAGS: Final = r"^remote\..*\.tagopt$"


@dataclass(frozen=True)
class Place:
    """Where a project lies.

    Attributes:
        top: the top folder of its working tree.
        inside: path of the project from there, with a slash at its end; empty where it is the top.
        git_folders: git's own: that of the working tree, and that of the repository, which has tags and trusted keys.
        main: the project in the repository's main working tree; itself where there is no other.
        is_shallow: commits and tags of the past are not all here.
    """

    top: Path
    inside: str
    git_folders: tuple[Path, Path]
    main: Path
    is_shallow: bool


def place_of(project: Path = Path()) -> Place:
    """Where a project lies.

    Raises:
        LineageError: it is in no working tree of git.
    """
    asked = ("--show-prefix", "--show-toplevel", "--git-dir", "--git-common-dir", "--is-shallow-repository")
    inside, top, own, common, shallow = git("rev-parse", *asked, folder=project).split("\n")[:-1]
    home = project.absolute()
    own_folder, shared = (home / own).resolve(), (home / common).resolve()
    main = shared.parent / inside
    is_elsewhere = own_folder != shared and (main / ".dvc").is_dir()
    return Place(
        top=Path(top) if inside else home,
        inside=inside,
        git_folders=(own_folder, shared),
        main=main if is_elsewhere else home,
        is_shallow=shallow == "true",
    )


def main_project(project: Path) -> Path:
    """The project in the main working tree, which keeps what git does not: objects, keys. Without git, itself."""
    try:
        main = place_of(project).main
    except LineageError:
        return project
    return project if main == project.absolute() else main  # as it was named: people read it


def changed(project: Path = Path(), *paths: str, untracked: bool = False) -> tuple[str, ...]:
    """Paths, from the project, of its files that are not as in the last commit.

    Args:
        project: its folder.
        paths: only those in these; without any, all of the project.
        untracked: also files that git does not track, and does not ignore.

    Raises:
        LineageError: git fails.
    """
    kind = f"--untracked-files={'all' if untracked else 'no'}"
    told = git("status", "--porcelain", "-z", "--no-renames", kind, "--", *(paths or (".",)), folder=project)
    state = len("XY ") + len(place_of(project).inside)  # git names paths from its top
    return tuple(entry[state:] for entry in told.split("\0") if entry)


def other_projects(project: Path = Path()) -> tuple[str, ...]:
    """Folders of further projects of this program in the same repository, as they are reached from this one.

    Raises:
        LineageError: git fails.
    """
    found = git("ls-files", "-z", "--", f":(top,glob)**/{OF_A_PROJECT}", folder=project).split("\0")[:-1]
    return tuple(PurePosixPath(name).parents[1].as_posix() for name in found if name != OF_A_PROJECT)


def require_one_project(project: Path = Path()) -> None:
    """A release's tag is of the whole repository: with two projects in it, each would take the other's for its own.

    Raises:
        LineageError: there is another project.
    """
    if others := other_projects(project):
        rule = f"must have one project of Pricetrail, since the tags of releases are of it all, and has {others[0]} too"
        raise LineageError("git repository", f"{rule}: give each shop a repository of its own")


def ignored(project: Path, *paths: str) -> tuple[str, ...]:
    """Those of a project's paths that rules of git leave out, such as of a larger repository's ``.gitignore``."""
    with suppress(LineageError):  # there is none
        told = git("check-ignore", "--no-index", "--stdin", "-z", folder=project, given="\0".join(paths))
        return tuple(told.split("\0")[:-1])
    return ()


def unknown_past(project: Path = Path()) -> str:
    """Why this clone may not know every release, and what brings them; empty where nothing says so."""
    if place_of(project).is_shallow:
        return f"this clone is shallow, and may lack releases and their days: {UNSHALLOW}"
    try:
        settings = git("config", "--get-regexp", NO_TAGS, folder=project).split()
    except LineageError:  # there is no such setting
        return ""
    if "--no-tags" not in settings[1::2]:
        return ""
    name = settings[settings.index("--no-tags") - 1]
    return f"this clone takes no tags, and may lack releases ({name}): `git config --unset {name} && git fetch --tags`"


def require_past(project: Path = Path()) -> None:
    """All releases are known here.

    Raises:
        LineageError: they may not be.
    """
    if told := unknown_past(project):
        raise LineageError("git", f"must have all releases, to tell which days are released; {told}")

"""The clone that a replay runs in: a commit's files, its raw data, an empty cache, and settings of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pricetrail.base.dvc_hashes import md5_where_there
from pricetrail.base.errors import LineageError
from pricetrail.base.processes import leaving_nobody, module, quiet_environment, running
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.dvc_cache import cache_folder, copy_objects, dvc, dvc_config, object_at
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.place import place_of

RUNS: Final = re.compile(r"Running stage '(?:.*:)?([^':]+)'")
FAILED: Final = re.compile(r"failed to reproduce '(?:[^']*:)?([^':]+)'")
SKIPPED: Final = re.compile(r"Stage '(?:.*:)?([^':]+)' will be skipped")
OF_DVC: Final = ("WARNING: ", "ERROR: ", "> ", "Running stage", "Updating lock", "Generating lock", "Use `dvc push`")
UNREACHABLE: Final = re.compile(r"failed to connect|connect|timed? ?out|credentials|endpoint", re.IGNORECASE)
OFFLINE: Final = {"analytics": "false", "check_update": "false"}


@dataclass(frozen=True)
class Origin:
    """Where a piece of raw data was taken from: ``cache`` or ``remote``."""

    path: str
    md5: str
    source: str


@dataclass(frozen=True)
class Repro:
    """How ``dvc repro`` ended.

    Attributes:
        failed: stages that exited with another code than 0.
        skipped: stages that read from these.
        reason: the last line of what failed.
    """

    is_done: bool
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    reason: str
    log: Path


@dataclass(frozen=True)
class Clone:
    """The project in a clone at a commit."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, commit: Commit) -> Clone:
        """Clone the project's commit into a folder, with an empty cache inside it.

        Raises:
            LineageError: git cannot.
        """
        git("clone", "--quiet", "--no-checkout", str(place_of().top), str(folder))
        git("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit.hash, folder=folder)
        clone = cls(folder / commit.inside_then)
        clone._write_settings({})
        return clone

    @property
    def cache(self) -> Path:
        """Its cache, of which no output comes."""
        return self.folder / ".dvc" / "cache"

    def environment(self, *, runs_stages: bool = False) -> dict[str, str]:
        """This interpreter's programs, and nothing of the user's git and DVC settings.

        With stages comes the clone's code, and no key, token or address; without them, what the remote may ask for.
        """
        known = quiet_environment(runs_stages=runs_stages).items()
        kept = {name: value for name, value in known if not name.startswith(("DVC_", "GIT_"))}
        own = self.folder / ".dvc" / "tmp"
        own.mkdir(parents=True, exist_ok=True)
        folders = ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
        return kept | {
            **({"PYTHONPATH": str(self.folder / "src")} if runs_stages else {}),
            "DVC_NO_ANALYTICS": "1",
            "TMPDIR": str(own),  # so that what is killed leaves nothing outside of the clone
            **{name: str(own / name.lower()) for name in folders},
        }

    def fetch(self, sources: Sequence[StageRecord], announce: Callable[[str], None]) -> tuple[Origin, ...]:
        """Bring raw data into the clone, from the project's cache where it is whole, else from the remote.

        Raises:
            LineageError: an object is in neither, or has other bytes than its name says.
        """
        project_cache = cache_folder() if sources else Path()
        origins = []
        for source in sources:
            announce(f"raw data {', '.join(source.outs)}")
            lost = {path: copy_objects(md5, project_cache, self.cache) for path, md5 in source.outs.items()}
            if any(lost.values()):
                self._fetch_from_remote(source, next(path for path, objects in lost.items() if objects))
            dvc("checkout", source.name, folder=self.folder, env=self.environment())
            for path, md5 in source.outs.items():
                if md5_where_there(self.folder / path) != md5:
                    raise LineageError(path, f"must have the bytes that {source.name} names: {md5}")
                origins.append(Origin(path, md5, "remote" if lost[path] else "cache"))
        return tuple(origins)

    def _fetch_from_remote(self, source: StageRecord, path: str) -> None:
        settings = _remote_settings()
        what = f"raw data {source.outs[path]} must be in the cache or a remote: not in the cache, and"
        if not settings:
            raise LineageError(path, f"{what} there is no remote")
        self._write_settings(settings)
        try:
            dvc("fetch", source.name, folder=self.folder, env=self.environment())
        except LineageError as error:
            told = error.rule.removeprefix("must succeed: ")
            kind = "the remote cannot be reached" if UNREACHABLE.search(told) else "the remote does not give it"
            raise LineageError(path, f"{what} {kind}: {told}") from None
        finally:
            self._write_settings({})  # so that no credentials stay in a folder that is kept
        if object_at(self.cache, source.outs[path]) is None:  # DVC warns of a folder's list that is nowhere, no more
            raise LineageError(path, f"{what} not in the remote")

    def _write_settings(self, remotes: Mapping[str, Mapping[str, str]]) -> None:
        sections = {**remotes, "core": {**OFFLINE, **remotes.get("core", {})}, "cache": {"dir": str(self.cache)}}
        lines = [
            f"[{name}]\n" + "".join(f"    {k} = {v}\n" for k, v in entry.items()) for name, entry in sections.items()
        ]
        file = self.folder / ".dvc" / "config.local"
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text("".join(lines), encoding="utf-8")

    def take_locks(self) -> dict[str, str]:
        """Remove the locks, so that each entry of a new one is of the replay; the text of each by path."""
        locks = {}
        for path in git("ls-files", "-z", folder=self.folder).split("\0"):
            if Path(path).name == "dvc.lock":
                locks[path] = (self.folder / path).read_text(encoding="utf-8")
                (self.folder / path).unlink()
        return locks

    def repro(self, targets: Sequence[str], log: Path, announce: Callable[[str], None]) -> Repro:
        """Run the pipeline anew; what both streams say goes to the log."""
        command = module("dvc", "repro", "--force", "--keep-going", *targets)
        failed, skipped, last, reason = list[str](), list[str](), "", ""
        known = self.environment(runs_stages=True)
        with log.open("w", encoding="utf-8") as file, leaving_nobody(), running(command, self.folder, known) as process:
            for line in process.stdout or ():
                file.write(line)
                if found := RUNS.match(line):
                    announce(f"stage {found[1]}")
                failed += [name for name in FAILED.findall(line) if name not in failed]
                skipped += [name for name in SKIPPED.findall(line) if name not in skipped]
                if line.startswith(("WARNING: failed to run", "ERROR: ")) and not reason:
                    reason = last or line.removeprefix("ERROR: ")
                if line.strip() and not line.startswith(OF_DVC):
                    last = line
        return Repro(process.returncode == 0, tuple(failed), tuple(skipped), " ".join(reason.split()), log)


def _remote_settings() -> dict[str, dict[str, str]]:
    """The project's remotes by section, local settings in and relative paths resolved; empty without a remote."""
    config = dvc_config()
    remotes = {f"'remote \"{name}\"'": settings for name, settings in config["remote"].items()}
    default = {"core": {"remote": config["core"]["remote"]}} if "remote" in config["core"] else {}
    return remotes and {**remotes, **default}

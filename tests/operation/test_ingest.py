"""New source files: what is refused, what a second ingest changes, and what becomes of history."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricetrail.base.errors import ContractError, DataError, ReleaseError
from pricetrail.operation.ingest.dvc_update import check_update
from pricetrail.operation.ingest.released_days import Released, released
from pricetrail.operation.releases import tags, trust
from pricetrail.operation.releases.keys import ensure_keys, make_keys
from support.source_project import FOLDER, POINTER, Project, folder_hash, ingest, week

pytestmark = pytest.mark.usefixtures("fast_dvc")

W48 = week("2011-11-28", "2011-11-29", "2011-11-30")
W49 = week("2011-12-05", "2011-12-06", "2011-12-09")
W50 = week("2011-12-12", "2011-12-13")


def copied(project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copytree(project.root, folder / "project", symlinks=True)
    monkeypatch.chdir(folder / "project")
    return Project(folder / "project")


@pytest.fixture
def fresh(empty_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return copied(empty_project, tmp_path, monkeypatch)


@pytest.fixture
def project(one_week: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return copied(one_week, tmp_path, monkeypatch)


def accepted(*arguments: str) -> str:
    done = ingest(*arguments)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def refused(project: Project, *arguments: str) -> str:
    """The one line of a refusal that changed nothing."""
    before, committed = project.state(), project.must("git", "rev-parse", "HEAD")
    done = ingest(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert project.state() == before
    assert project.must("git", "rev-parse", "HEAD") == committed
    return str(done.stderr).removeprefix("error: ").rstrip("\n")


def parquet(text: str) -> bytes:
    header, *rows = [line.split(",") for line in text.splitlines()]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(header)}), sink)
    return bytes(sink.getvalue())


BREACHES: dict[str, tuple[str, str | bytes, str]] = {
    "no such column": ("b.csv", W49.replace("StockCode", "Code"), "b.csv: must have column 'StockCode'"),
    "no date": ("b.csv", W49.replace("2011-12-06", "2011-13-06", 1), "b.csv: row 4: invoiced_at must be a date and"),
    "no number": ("b.csv", W49.replace(",6,", ",six,", 1), "b.csv: row 2: quantity must be a whole number"),
    "half of a gzip": ("b.csv.gz", gzip.compress(W49.encode())[:-30], "b.csv.gz: must be a whole gzip file"),
    "half of a Parquet": ("b.parquet", parquet(W49)[:-30], "b.parquet: must be a readable parquet file"),
    "half of a line": ("b.csv", W49[:-25], "b.csv: row 7: must have 8 values"),
    "nothing": ("b.csv", "", "b.csv: must have a header and lines"),
    "a header alone": ("b.csv", W49.splitlines()[0] + "\n", "b.csv: must hold at least one line"),
    "another kind": ("b.json", "{}", "b.json: must hold only files that end in .csv"),
    "binary": ("b.csv", b"\x00\x01\x02\x03", "b.csv: row 1: must be a text file"),
}


@pytest.mark.parametrize(("name", "content", "rule"), BREACHES.values(), ids=BREACHES)
def test_one_bad_file_and_none_is_taken(fresh: Project, name: str, content: str | bytes, rule: str) -> None:
    good, bad = fresh.give("w48.csv", W48), fresh.give(name, content)
    assert refused(fresh, good, bad).startswith(f"../given/{rule}")
    assert not (fresh.root / "data").exists() or not list((fresh.root / "data").iterdir())


def test_what_is_no_file_is_one_line(fresh: Project) -> None:
    fresh.give("sub/a.csv", W48)
    assert refused(fresh, "../given/none.csv") == "../given/none.csv: must be a file, and is not there"
    assert refused(fresh, "../given/sub") == "../given/sub: must be a file, and is none"


def test_two_files_of_one_name_are_refused(fresh: Project) -> None:
    first, second = fresh.give("a.csv", W48), fresh.give("sub/a.csv", W49)
    assert refused(fresh, first, second).startswith("../given/sub/a.csv: must have a name of its own")


def test_a_name_that_no_run_would_read_is_refused(fresh: Project) -> None:
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace('pattern: "**/*" ', 'pattern: "shop-*" '))
    assert refused(fresh, fresh.give("a.csv", W48)).startswith("../given/a.csv: must match data.pattern 'shop-*'")


def test_the_first_files_make_the_folder_and_what_tracks_it(fresh: Project) -> None:
    names = [fresh.give("w48.csv", W48), fresh.give("w49.csv.gz", gzip.compress(W49.encode(), mtime=0))]
    said = accepted(*names)
    assert fresh.lines() == {"w48.csv": W48.encode(), "w49.csv.gz": gzip.compress(W49.encode(), mtime=0)}
    assert fresh.named() == folder_hash(fresh.lines())
    assert "w48.csv: added, 6 lines of 2011-11-28 to 2011-11-30\n" in said
    told = [line.strip() for line in said.splitlines() if line.startswith("    ")]
    assert told[0] == f"git add data/.gitignore {POINTER}"
    assert told[1] == 'git commit -m "Ingest 2 files, 2011-11-28 to 2011-12-09"'
    fresh.must("bash", "-c", " && ".join(told[:2]))
    assert fresh.must("git", "status", "--porcelain") == ""
    assert "up to date" in fresh.must("dvc", "status")


def test_a_share_of_lines_may_be_unparseable_and_is_told(fresh: Project) -> None:
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("max_bad_share: 0.01 ", "max_bad_share: 0.2 "))
    said = accepted(fresh.give("a.csv", W49.replace(",6,", ",six,", 1)))
    assert "added, 6 lines of 2011-12-05 to 2011-12-09, 1 of them unparseable" in said


def sundays(first: dt.date, count: int) -> str:
    return week(*(str(first + dt.timedelta(days=7 * i)) for i in range(count)))


def test_known_lines_and_lines_that_are_no_sales_are_told(project: Project) -> None:
    text = sundays(dt.date(2010, 1, 3), 30) + "".join(W48.splitlines(keepends=True)[1:3])
    given = project.give("w47.csv", text.replace(",6,", ",-6,", 1))  # by name it stands before w48.csv, which is known
    told = "added, 62 lines of 2010-01-03 to 2011-11-28; dropped: 1 returns; repeats 2 lines of data/lines/w48.csv\n"
    assert f"{given}: {told}" in accepted(given)


def test_what_the_next_run_would_refuse_is_not_taken(project: Project) -> None:
    again = project.give("w49.csv", "\n".join([W48.splitlines()[0], *reversed(W48.splitlines()[1:])]) + "\n")
    said = refused(project, again)
    assert said.startswith(
        "data/lines: w49.csv repeats all its 6 lines of w48.csv: take it out, or narrow data.pattern; "
    )
    assert "drops 6 of 12: 6 repeats; shop.same_line " in said
    returned = project.give("w50.csv", W50.replace(",6,", ",-6,"))
    assert "the rule that quantity must be above 0 takes 2 (w50.csv: row 2: quantity -6)" in refused(project, returned)
    assert not list(project.root.glob("data/.*.incoming"))


def test_days_that_have_not_come_are_refused(project: Project) -> None:
    today = dt.datetime.now(dt.UTC).date()
    late = project.give("late.csv", week("2011-12-05", str(today + dt.timedelta(days=2))))
    rule = f"row 4: invoiced_at must not be after today, {today} (2 such rows); see data.datetime_format"
    assert refused(project, late).startswith(f"{late}: {rule}")
    shutil.copyfile(late, project.root / FOLDER / "late.csv")
    with pytest.raises(
        ContractError, match=rf"^data/lines/late\.csv: row 4: invoiced_at must not be after today, {today}"
    ):
        check_update(None)
    (project.root / FOLDER / "late.csv").unlink()
    accepted(project.give("w49.csv", week("2011-12-05", str(today + dt.timedelta(days=1)))))  # it is so in Kiribati


@pytest.mark.parametrize("name", ["w48.csv", "another.csv"])
def test_the_same_bytes_change_nothing(project: Project, name: str) -> None:
    pointer, folder = project.root / POINTER, project.root / FOLDER
    before, times = project.state(), (pointer.stat().st_mtime_ns, folder.stat().st_mtime_ns)
    given = project.give(name, W48)
    assert accepted(given, given) == f"{given}: already there as {FOLDER}/w48.csv\n" * 2 + "nothing new\n"
    assert project.state() == before
    assert (pointer.stat().st_mtime_ns, folder.stat().st_mtime_ns) == times


def test_the_same_bytes_twice_in_one_command_come_in_once(fresh: Project) -> None:
    accepted(fresh.give("a.csv", W48), fresh.give("b.csv", W48))
    assert fresh.lines() == {"a.csv": W48.encode()}


def test_other_bytes_of_a_name_need_a_reason(project: Project) -> None:
    other = week("2011-11-28", "2011-11-30", units=9)
    given, kept = project.give("w48.csv", other), (project.root / "params.yaml").read_text()
    said = refused(project, given)
    rule = "must not rewrite history without --restate REASON: it replaces data/lines/w48.csv, which holds other bytes"
    assert said == f"{given}: {rule}"
    assert refused(project, given, "--restate", " ") == "--restate: must give a reason, got ' '"
    assert "restated: w48.csv (till 3 was wrong)" in accepted(given, "--restate", "till 3 was wrong")
    assert project.lines() == {"w48.csv": other.encode()}
    assert project.named() == folder_hash(project.lines())
    assert project.restated() == {"w48.csv": "till 3 was wrong"}
    texts = zip(kept.splitlines(), (project.root / "params.yaml").read_text().splitlines(), strict=True)
    assert [old.split(":")[0].strip() for old, new in texts if old != new] == ["restated"]
    assert accepted(given).endswith("git push\n\n`dvc repro` runs the pipeline on them.\n"), "still not committed"


def test_released_days_need_a_reason(project: Project) -> None:
    project.release(1, "2011-12-05")
    late = project.give("late.csv", W49)
    said = refused(project, project.give("w50.csv", W50), late)
    assert said == (
        f"{late}: must not rewrite history without --restate REASON: 2011-12-05 is already released "
        "(price-model@v1.0.0 has the days up to 2011-12-05)"
    )
    accepted(late, project.give("w50.csv", W50), "--restate", "sent late")
    assert project.restated() == {"late.csv": "sent late"}, "the other file rewrites nothing"
    assert set(project.lines()) == {"w48.csv", "late.csv", "w50.csv"}


def test_days_after_the_release_are_no_history(project: Project) -> None:
    project.release(1, "2011-12-04")
    accepted(project.give("w49.csv", W49), "--restate", "in vain")
    assert project.restated() == {}


def test_the_release_in_production_is_the_newest_by_its_counter(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert released() is None
    for number, last_day, clock in ((2, "2011-03-01", 1_800_000_000), (10, "2011-02-01", 1_700_000_000)):
        monkeypatch.setattr(tags, "time", SimpleNamespace(time=lambda clock=clock: clock))
        fresh.release(number, last_day)
    fresh.has_days("2011-12-30")
    others = ("price-model@v99", "price-model#staging#99", "other-model#production#99")
    for name in (*others, "price-model#production-abroad#99", "price-model#production!#11"):
        fresh.must("git", "tag", "-a", name, "-m", name)
    assert released() == Released("price-model@v10.0.0", dt.date(2011, 2, 1))
    fresh.release(12, "soon")
    with pytest.raises(DataError, match=r"price-model@v12\.0\.0:metrics/etl.json: days must be the first and"):
        released()


def test_a_stage_from_before_signatures_has_to_be_signed(fresh: Project) -> None:
    fresh.release(1, "2011-12-05")
    fresh.must("git", "tag", "--delete", "price-model#production#1")
    assert released() is None
    fresh.stage_tag(1)
    with pytest.raises(ReleaseError, match=r"must be signed, .* `pricetrail rollback --to v1\.0\.0"):
        released()


# a stranger who may push: any commit and any tag, without a trusted key

P99 = "price-model#production#99"


def nobody_signed(project: Project, day: str) -> str:
    project.has_days(day)
    return project.stage_tag(99)


def a_foreign_key_signed(project: Project, day: str) -> str:
    project.release(99, day, make_keys(project.root.parent / "stranger"))
    return P99


def a_foreign_key_signed_and_came_along(project: Project, day: str) -> str:
    keys = make_keys(project.root.parent / "stranger")
    (project.root / "keys/new.pub.pem").write_bytes(keys.public.read_bytes())
    project.release(99, day, keys)
    return P99


def an_old_one_is_replayed(project: Project, day: str) -> str:
    said = project.must("git", "cat-file", "tag", "price-model#production#1").partition("\n\n")[2]
    project.has_days(day)
    return project.stage_tag(99, said)


def ours_is_moved(project: Project, day: str) -> str:
    """Its message says which version serves, and not by the commit that it stands on."""
    said = project.must("git", "cat-file", "tag", "price-model#production#1").partition("\n\n")[2]
    project.must("git", "tag", "--delete", "price-model#production#1")
    project.has_days(day)
    project.stage_tag(1, said)
    return ""


STRANGERS = [
    nobody_signed, a_foreign_key_signed, a_foreign_key_signed_and_came_along, an_old_one_is_replayed, ours_is_moved,
]  # fmt: skip


@pytest.fixture(scope="module")
def released_week(one_week: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with a release of the days up to 2011-12-05."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(trust.VARIABLE, raising=False)
        project = copied(one_week, tmp_path_factory.mktemp("released"), patch)
        project.release(1, "2011-12-05")
        return project


@pytest.mark.attack
@pytest.mark.parametrize("day", ["2010-12-02", "2012-12-31"])
@pytest.mark.parametrize("attack", STRANGERS, ids=lambda attack: attack.__name__)
def test_a_strangers_tag_moves_no_released_day(
    released_week: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    attack: Callable[[Project, str], str],
    day: str,
) -> None:
    project = copied(released_week, tmp_path, monkeypatch)
    named = attack(project, day)
    if day < "2011-12-05":
        said = refused(project, project.give("late.csv", W49))
        assert "2011-12-05 is already released (price-model@v1.0.0 has the days up to 2011-12-05)" in said
    else:
        accepted(project.give("w50.csv", W50))
        assert project.restated() == {}
    assert ("git tags that steer nothing: " in caplog.text) == bool(named)
    assert named in caplog.text


@pytest.mark.attack
@pytest.mark.parametrize("attack", [nobody_signed, a_foreign_key_signed], ids=lambda attack: attack.__name__)
def test_before_the_first_release_a_strangers_tag_refuses_no_day(
    project: Project, caplog: pytest.LogCaptureFixture, attack: Callable[[Project, str], str]
) -> None:
    ensure_keys(project.root)
    trust.trusted(project.root)
    named = attack(project, "2012-12-31")
    accepted(project.give("w49.csv", W49))
    assert project.restated() == {}
    assert named in caplog.text


def test_the_demo_shop_takes_no_files(fresh: Project) -> None:
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("path: data/lines ", "path: demo/lines "))
    (fresh.root / "demo").mkdir()
    (fresh.root / "demo/dvc.yaml").write_text("stages: {simulate: {cmd: a, wdir: .., outs: [demo/lines]}}\n")
    said = refused(fresh, fresh.give("a.csv", W48))
    assert said.startswith("params.yaml: data.path must be a folder of your own to take new files, and stage simulate")
    assert "docs/data.md" in said
    assert "got 'demo/lines'" in said


def harmed(project: Project, harm: str) -> str:
    """Make the folder one that takes no files; what is said of it."""
    pointer = project.root / POINTER
    match harm:
        case "imported":
            pointer.write_text(pointer.read_text() + "deps:\n- path: s3://bucket/lines\n")
            return f"{POINTER}: must be no import to take new files: get them by `dvc update {POINTER}`"
        case "not pulled":
            shutil.rmtree(project.root / FOLDER)
            return f"{FOLDER}/w48.csv: must be there, since {POINTER} names it: run `dvc pull {POINTER}`"
        case "cloned":
            shutil.rmtree(project.root / FOLDER)
            shutil.rmtree(project.root / ".dvc/cache")
            return f"{POINTER}: must be in the cache, to tell what it tracks: run `dvc pull {POINTER}`"
        case "a file":
            shutil.rmtree(project.root / FOLDER)
            (project.root / FOLDER).write_text(W48)
            return f"params.yaml: data.path must be a folder to take new files, got '{FOLDER}'"
        case "tracked twice":
            (project.root / "data.dvc").write_text(pointer.read_text().replace("path: lines", "path: data"))
            return f"params.yaml: data.path must not be tracked by data.dvc as well, got '{FOLDER}'"
        case _:
            project.must("git", "add", "-f", FOLDER)
            return f"params.yaml: data.path must be tracked by DVC, not git: `git rm -r --cached {FOLDER}`"


@pytest.mark.parametrize("harm", ["imported", "not pulled", "cloned", "a file", "tracked twice", "in git"])
def test_a_folder_that_takes_no_files_is_one_line(project: Project, harm: str) -> None:
    rule = harmed(project, harm)
    assert refused(project, project.give("w49.csv", W49)).startswith(rule)


def test_what_a_person_put_into_the_folder_is_validated_too(project: Project) -> None:
    file = project.root / FOLDER / "by_hand.csv"
    file.write_text(W49.replace(",6,", ",six,", 1))
    given = project.give("w50.csv", W50)
    assert refused(project, given).startswith(f"{FOLDER}/by_hand.csv: row 2: quantity must be a whole number")
    file.write_text(W49)
    assert f"{FOLDER}/by_hand.csv: was there and not tracked, 6 lines" in accepted(given, "--commit")
    assert project.named() == folder_hash(project.lines())
    assert project.must("git", "log", "-1", "--format=%s") == "Ingest 2 files, 2011-12-05 to 2011-12-13\n"


def test_an_edit_of_a_tracked_file_needs_a_reason(project: Project) -> None:
    (project.root / FOLDER / "w48.csv").write_text(week("2011-11-28", units=9))
    said = refused(project, project.give("w50.csv", W50))
    assert said.startswith(f"{FOLDER}/w48.csv: must not rewrite history without --restate REASON")
    assert refused(project, project.give("w50.csv", W50), "--restate", "not of this one") == said
    accepted(f"{FOLDER}/w48.csv", "--restate", "mended")
    assert project.restated() == {"w48.csv": "mended"}


@pytest.mark.slow
def test_an_update_is_told_from_the_remote_without_a_cache(project: Project) -> None:
    project.must("dvc", "remote", "add", "-q", "-d", "store", "../store")
    project.must("dvc", "push", "-q")
    project.commit()
    shutil.rmtree(project.root / ".dvc/cache")
    assert check_update(released()) == ()
    (project.root / FOLDER / "w49.csv").write_text(W49)
    assert [file.name for file in check_update(released())] == ["w49.csv"]


def test_a_commit_takes_along_what_was_ingested_and_no_more(project: Project) -> None:
    (project.root / "other.txt").write_text("mine")
    project.must("git", "add", "other.txt")
    said = accepted(project.give("w49.csv", W49), "--commit")
    assert project.must("git", "show", "--format=%s", "--name-only").split("\n\n") == [
        "Ingest 1 file, 2011-12-05 to 2011-12-09",
        f"{POINTER}\n",
    ]
    assert f"[{project.must('git', 'rev-parse', '--short=7', 'HEAD').strip()}]" in said
    assert project.must("git", "status", "--porcelain") == "A  other.txt\n"
    again = project.must("git", "rev-parse", "HEAD")
    accepted(project.give("w49.csv", W49), "--commit")
    assert project.must("git", "rev-parse", "HEAD") == again


def test_a_restatement_is_committed_with_its_reason_alone(project: Project) -> None:
    params = project.root / "params.yaml"
    given, kept = project.give("w48.csv", week("2011-11-28", units=9)), params.read_text()
    params.write_text(kept.replace("seed: 20101201", "seed: 7"))
    said = refused(project, given, "--restate", "mended", "--commit")
    assert said.startswith("params.yaml: must have no other changes than data.restated to be committed")
    params.write_text(kept)
    accepted(given, "--restate", "mended", "--commit")
    assert project.must("git", "show", "--format=", "--name-only") == f"{POINTER}\nparams.yaml\n"
    assert project.must("git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_push_brings_the_files_before_the_commit(project: Project) -> None:
    project.must("git", "init", "-q", "-b", "main", "--bare", "../origin")
    project.must("git", "remote", "add", "origin", "../origin")
    assert refused(project, "x.csv", "--push", "--no-commit").startswith("--push: pushes a commit")
    project.must("dvc", "remote", "add", "-q", "-d", "store", "../store")
    project.commit()
    project.must("git", "push", "-q", "-u", "origin", "main")
    hook = project.root.parent / "origin/hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\nfind {project.root.parent}/store -type f > {project.root.parent}/at_push\n")
    hook.chmod(0o755)
    assert "pushed" in accepted(project.give("w49.csv", W49), "--push")
    assert project.must("git", "-C", "../origin", "log", "-1", "--format=%s").startswith("Ingest 1 file")
    md5 = project.named()
    assert f"files/md5/{md5[:2]}/{md5[2:]}\n" in (project.root.parent / "at_push").read_text()
    shutil.rmtree(project.root / ".dvc/cache")
    shutil.rmtree(project.root / FOLDER)
    project.must("dvc", "pull", "-q", POINTER)
    assert project.lines() == {"w48.csv": W48.encode(), "w49.csv": W49.encode()}

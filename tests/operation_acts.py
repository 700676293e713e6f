"""How each fault is done."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from operation_oracle import bot_commits, show
from operation_scene import Scene
from operation_world import LINES, Ended, packed

Act = Callable[[Scene], list[Ended]]


def killed_in(step: str, most: float) -> Act:
    """At most so many seconds after the begin of a step."""

    def act(scene: Scene) -> list[Ended]:
        live = scene.start()
        live.until_step(step)
        scene.pause(most)
        live.kill()
        return [live.end()]

    return act


def killed_in_stage(stage: str, most: float) -> Act:
    def act(scene: Scene) -> list[Ended]:
        live = scene.start()
        live.until_said(f"Running stage '{stage}'")
        scene.pause(most)
        live.kill()
        return [live.end()]

    return act


def killed_when_tagged(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_step("publish")
    tags = scene.world.clone_of_run() / ".git/refs/tags"
    assert live.until(lambda: any("#" in path.name for path in tags.glob("*")) and is_new_tag(tags, scene), "tags")
    live.kill()
    return [live.end()]


def is_new_tag(tags: Path, scene: Scene) -> bool:
    return any(not (scene.world.bare / "refs/tags" / path.name).exists() for path in tags.glob("price-model#*"))


def killed_when_pushed(scene: Scene) -> list[Ended]:
    live, before = scene.start(), scene.world.tip()
    branch = scene.world.bare / "refs/heads/main"
    assert live.until(lambda: branch.read_text().strip() != before, "a push")
    live.kill()
    return [live.end()]


def killed_in_report(scene: Scene) -> list[Ended]:
    """The report goes to a webhook that lets it wait."""
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with scene.dials(weekly__webhook_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/"):
            return killed_in("report", 0.5)(scene)


def machine_off(step: str, most: float) -> Act:
    def act(scene: Scene) -> list[Ended]:
        live = scene.start()
        live.until_step(step)
        scene.pause(most)
        scene.kill_all(live)
        return [live.end()]

    return act


def killed_twice(scene: Scene) -> list[Ended]:
    first = killed_in("push", 1.0)(scene)
    live = scene.start()
    live.until_said("was cut off")
    live.kill()
    return [*first, live.end()]


def terminated(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_said("Running stage")
    scene.pause(2.0)
    live.kill(signal.SIGTERM)
    return [live.end()]


def interrupted(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_step("push")
    scene.pause(0.5)
    live.kill(signal.SIGINT)
    return [live.end()]


def stage_killed(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_said("Running stage 'tune_primary_model'")
    scene.kill_child("tune_primary_model", parent=live)
    return [live.end()]


def dvc_push_killed(scene: Scene) -> list[Ended]:
    live = scene.start()
    scene.kill_child("dvc", "push", parent=live)
    return [live.end()]


def embedded_killed(scene: Scene) -> list[Ended]:
    live, before = scene.start(), scene.objects()
    live.until_step("push")
    assert live.until(lambda: scene.objects() > before, "an object")
    signal_s3(scene)
    return [live.end()]


def signal_s3(scene: Scene) -> None:
    import os

    os.kill(scene.world.s3_pid(), signal.SIGKILL)


def down_at(step: str) -> Act:
    def act(scene: Scene) -> list[Ended]:
        ended = scene.run_to(step, lambda: setattr(scene.chaos, "is_down", True))
        scene.chaos.is_down = False
        return [ended]

    return act


def dies_in_push(scene: Scene) -> list[Ended]:
    assert scene.s3 is not None
    live, before = scene.start(), scene.objects()
    live.until_step("push")
    assert live.until(lambda: scene.objects() > before, "an object")
    scene.s3.kill()
    ended = live.end()
    scene.s3.start()
    return [ended]


def status_for_a_while(status: int, step: str) -> Act:
    """Longer than DVC's own attempts, shorter than those of the run."""

    def act(scene: Scene) -> list[Ended]:
        live = scene.start()
        live.until_step(step)
        scene.chaos.status = status
        live.until_said("again in")
        scene.chaos.status = 0
        return [live.end()]

    return act


def status(code: int) -> Act:
    def act(scene: Scene) -> list[Ended]:
        scene.chaos.status = code
        ended = scene.run()
        scene.chaos.status = 0
        return [ended]

    return act


def slow(scene: Scene) -> list[Ended]:
    with scene.dials(weekly__timeout_minutes=0.5, weekly__retries=0):
        ended = scene.run_to("push", lambda: setattr(scene.chaos, "is_slow", True))
    scene.chaos.is_slow = False
    return [ended]


def cut_get(scene: Scene) -> list[Ended]:
    scene.chaos.cut_get = True
    ended = scene.run()
    assert scene.chaos.hits
    scene.chaos.cut_get = False
    return [ended]


def cut_put(scene: Scene) -> list[Ended]:
    scene.chaos.cut_put = True
    ended = scene.run()
    assert scene.chaos.hits
    scene.chaos.cut_put = False
    return [ended]


def new_object_corrupted(scene: Scene) -> list[Ended]:
    before = scene.objects()

    def corrupt() -> None:
        path = scene.random.choice(sorted(scene.objects() - before))
        path.write_bytes(path.read_bytes()[:-1] + b"?")

    return [scene.run_to("verify", corrupt)]


def start_s3(scene: Scene) -> None:
    scene.world.must("python", "-m", "pricetrail.cli", "s3", "start")


def source_objects(scene: Scene) -> list[Path]:
    """Those of the lines, in the bucket."""
    import hashlib

    def md5(path: Path) -> str:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()

    names = [md5(path) for path in sorted((scene.world.project / LINES).iterdir())]
    return [scene.world.bucket / "dvc/files/md5" / name[:2] / name[2:] for name in names]


def object_lost(scene: Scene) -> list[Ended]:
    lost = scene.random.choice(source_objects(scene)[:-1])
    content = lost.read_bytes()
    lost.unlink()
    ended = scene.run()
    assert lost.read_bytes() == content
    return [ended]


def old_object_corrupted(scene: Scene) -> list[Ended]:
    start_s3(scene)
    scene.world.must("dvc", "push", "-q")
    shutil.rmtree(scene.world.cache)
    bad = scene.random.choice(source_objects(scene)[:-1])
    content = bad.read_bytes()
    bad.write_bytes(content[:-1] + b"?")
    ended = scene.run()
    bad.write_bytes(content)
    return [ended]


def disk_full(what: str, free: int) -> Act:
    def act(scene: Scene) -> list[Ended]:
        world = scene.world
        folder = {"cache": world.cache, "runs": world.runs, "bucket": world.bucket.parent}[what]
        with scene.small_disk(folder, free):
            return [scene.run()]

    return act


def two_at_once(scene: Scene) -> list[Ended]:
    first, second = scene.start(), scene.start()
    return sorted((first.end(), second.end()), key=lambda ended: ended.outcome)


def branch_moved_by_docs(scene: Scene) -> list[Ended]:
    def move() -> None:
        with scene.world.elsewhere() as folder:
            (folder / "docs").mkdir()
            (folder / "docs/note.md").write_text("A note.\n")
            scene.world.share("A note", folder)

    return [scene.run_to("verify", move)]


def branch_moved_by_params(scene: Scene) -> list[Ended]:
    def move() -> None:
        with scene.world.elsewhere() as folder:
            file = folder / "params.yaml"
            file.write_text(file.read_text().replace("max_rows: 60", "max_rows: 61"))
            scene.world.share("Another dial", folder)

    return [scene.run_to("verify", move)]


def git_down_from_start(scene: Scene) -> list[Ended]:
    with scene.away(scene.world.bare):
        return [scene.run()]


def git_down_at_publish(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_step("verify")
    with scene.away(scene.world.bare):
        return [live.end()]


def git_refuses(scene: Scene) -> list[Ended]:
    with scene.hook("pre-receive", "echo 'no pushes on Mondays' >&2; exit 1"):
        return [scene.run()]


def git_push_cut(hook: str) -> Act:
    """The client dies while the remote is in its hook, once."""
    script = """
    [ -e "$GIT_DIR/cut" ] && exit 0; touch "$GIT_DIR/cut"
    pid=$PPID
    while [ "$pid" -gt 1 ]; do
        if tr '\\0' ' ' < /proc/$pid/cmdline | grep -q '^git push'; then kill -9 "$pid"; break; fi
        pid=$(awk '{print $4}' /proc/$pid/stat)
    done
    """
    fails = "exit 1" if hook == "pre-receive" else "exit 0"

    def act(scene: Scene) -> list[Ended]:
        with scene.hook(hook, script + fails):
            ended = scene.run()
        (scene.world.bare / "cut").unlink()
        return [ended]

    return act


def stale_lock_in_remote(scene: Scene) -> list[Ended]:
    lock = scene.world.bare / "refs/heads/main.lock"
    lock.touch()
    ended = scene.run()
    lock.unlink()
    return [ended]


def stale_locks_in_project(scene: Scene) -> list[Ended]:
    folder = scene.world.project
    locks = [folder / name for name in (".dvc/tmp/lock", ".dvc/tmp/rwlock.lock", ".git/index.lock", ".git/HEAD.lock")]
    for lock in locks:
        lock.parent.mkdir(exist_ok=True)
        lock.write_text("4194303\n")
    ended = scene.run()
    for lock in locks:
        lock.unlink()
    return [ended]


def half_written(scene: Scene) -> list[Ended]:
    content = packed(("2011-11-28", "2011-11-29"))
    scene.world.add_lines("2011-w48.csv.gz", content[: len(content) // 2])
    ended = scene.run()
    scene.world.add_lines("2011-w48.csv.gz", content)
    return [ended]


def clock_back(scene: Scene) -> list[Ended]:
    """What is there was dated by a clock that went 70 years ahead."""
    world, future = scene.world, "4070908800 +0000"
    for ref in world.git("for-each-ref", "--format=%(refname)", "refs/tags", folder=world.bare).split():
        text = world.git("cat-file", "tag", ref, folder=world.bare)
        head, rule, body = text.partition("\n\n")
        dated = " ".join([*head.split(" ")[:-2], future])
        made = subprocess.run(
            ["git", "mktag"], input=dated + rule + body, cwd=world.bare, text=True, capture_output=True, check=True
        )
        world.git("update-ref", ref, made.stdout.strip(), folder=world.bare)
    (world.project / "note.md").write_text("From the future.\n")
    world.share("A note", GIT_COMMITTER_DATE=future, GIT_AUTHOR_DATE=future)
    return [scene.run()]


def edited_meanwhile(scene: Scene) -> list[Ended]:
    file, stray = scene.world.project / "params.yaml", scene.world.project / LINES / "stray.csv"
    text = file.read_text()

    def edit() -> None:
        file.write_text("half of a wo")
        stray.write_text("half of a li")

    ended = scene.run_to("reproduce", edit)
    assert (file.read_text(), stray.read_text()) == ("half of a wo", "half of a li")
    file.write_text(text)
    stray.unlink()
    return [ended]


def project_tmp_deleted(scene: Scene) -> list[Ended]:
    def delete() -> None:
        shutil.rmtree(scene.world.project / ".dvc/tmp", ignore_errors=True)

    return [scene.run_to("reproduce", delete)]


def run_tmp_deleted(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_said("Updating lock file")
    scene.pause(1.0)
    shutil.rmtree(scene.world.clone_of_run() / ".dvc/tmp", ignore_errors=True)
    return [live.end()]


def run_folder_deleted(scene: Scene) -> list[Ended]:
    live = scene.start()
    live.until_step("push")
    scene.pause(1.0)
    shutil.rmtree(scene.world.runs, ignore_errors=True)
    return [live.end()]


def cache_wiped(scene: Scene) -> list[Ended]:
    start_s3(scene)
    scene.world.must("dvc", "push", "-q")
    shutil.rmtree(scene.world.cache)
    return [scene.run()]


def key_missing(scene: Scene) -> list[Ended]:
    with scene.away(scene.world.project / ".pricetrail/keys"):
        return [scene.run()]


def gate_closes(scene: Scene) -> list[Ended]:
    world = scene.world
    text = (world.project / "params.yaml").read_text()
    world.dials(drift__policy="stop", drift__max_share=0.0)
    world.share("Stop at any drift")
    ended = scene.run()
    evidence = json.loads(show(world, bot_commits(world)[0], "metrics/drift.json"))
    assert evidence["verdicts"][0]["passed"] is False
    world.git("pull", "-q", "--rebase", "origin", "main")
    (world.project / "params.yaml").write_text(text)
    world.share("Let it drift")
    return [ended]


def webhook_dead(scene: Scene) -> list[Ended]:
    with scene.dials(weekly__webhook_url="http://127.0.0.1:9/"):
        return [scene.run()]

"""How faults of the git remote are done, and those of two who publish."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from support.weekly_scene import Scene
from support.weekly_world import Ended

Act = Callable[[Scene], list[Ended]]


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


def git_answers_late(scene: Scene) -> list[Ended]:
    with scene.hook("post-receive", "sleep 60"), scene.dials(weekly__timeout_minutes=0.5):
        return [scene.run()]


def stale_lock_in_remote(scene: Scene) -> list[Ended]:
    lock = scene.world.bare / "refs/heads/main.lock"
    lock.touch()
    ended = scene.run()
    lock.unlink()
    return [ended]


def clock_ahead(scene: Scene) -> None:
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

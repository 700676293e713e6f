"""How faults of the run's own machine are done."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from support.weekly_oracle import bot_commits, show
from support.weekly_scene import Scene
from support.weekly_world import LINES, Ended, packed

Act = Callable[[Scene], list[Ended]]


def nothing(scene: Scene) -> None:
    """Before a fault."""


def a_run(scene: Scene) -> list[Ended]:
    return [scene.run()]


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
    tags = scene.world.clone_of_run().with_name("publishing") / ".git/refs/tags"
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


def disk_full(what: str, free: int) -> Act:
    def act(scene: Scene) -> list[Ended]:
        world = scene.world
        folder = {"cache": world.cache, "runs": world.runs, "bucket": world.bucket.parent}[what]
        with scene.small_disk(folder, free):
            return [scene.run()]

    return act


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


def key_missing(scene: Scene) -> list[Ended]:
    with scene.away(scene.world.project / ".pricetrail/keys"):
        return [scene.run()]


def gate_closes(scene: Scene) -> list[Ended]:
    world = scene.world
    text = (world.project / "params.yaml").read_text()
    world.dials(drift__policy="stop", drift__max_share=0.1)
    world.share("Stop at any drift")
    ended = scene.run()
    assert ended.code == 0, ended.log
    evidence = json.loads(show(world, bot_commits(world)[0], "metrics/drift.json"))
    assert evidence["verdicts"][0]["passed"] is False
    world.git("pull", "-q", "--rebase", "origin", "main")
    (world.project / "params.yaml").write_text(text)
    world.share("Let it drift")
    return [ended]


def webhook_dead(scene: Scene) -> list[Ended]:
    with scene.dials(weekly__webhook_url="http://127.0.0.1:9/"):
        return [scene.run()]

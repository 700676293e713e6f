"""How faults of S3 and of its objects are done."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from support.weekly_scene import Scene
from support.weekly_world import LINES, Ended

Act = Callable[[Scene], list[Ended]]


def embedded_killed(scene: Scene) -> list[Ended]:
    live, before = scene.start(), scene.objects()
    live.until_step("push")
    assert live.until(lambda: scene.objects() > before, "an object")
    for pid in scene.world.s3():
        os.kill(pid, signal.SIGKILL)
    return [live.end()]


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


def cache_wiped(scene: Scene) -> list[Ended]:
    start_s3(scene)
    scene.world.must("dvc", "push", "-q")
    shutil.rmtree(scene.world.cache)
    return [scene.run()]

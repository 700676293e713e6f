"""One fault in one world, and what must hold after it."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

from support.weekly_faults import FAULT, FINE, Fault
from support.weekly_oracle import require_all_or_nothing, require_no_trace, require_published, see, tree
from support.weekly_scene import ForeignS3, Scene
from support.weekly_world import Ended, World, run


def survive(fault: Fault, template: World, box: Path, seed: int) -> float:
    """Do it in a copy of a world; seconds of the next run, which is a good one.

    Raises:
        AssertionError: it was not survived.
        NotHere: this machine cannot have it.
    """
    world = template.copy(box)
    scene = Scene(world, random.Random(f"{fault.name} {seed}"))
    scene.last.callback(world.stop)
    with scene.last:
        if fault.foreign:
            scene.s3 = ForeignS3(world)
            scene.last.callback(scene.s3.chaos.stop)
            scene.last.callback(lambda: scene.s3.kill() if scene.s3 else None)
        fault.before(scene)
        before = see(world)
        ended = fault.act(scene)
        require_ending(fault, ended)
        is_published = require_all_or_nothing(world, before)
        assert fault.is_published in {None, is_published}, f"published: {is_published}"
        if fault.edits:
            before = replace(before, tree=tree(world))
        good = run(world)
        assert good.code == 0, good.log
        assert good.outcome == ("Unchanged" if is_published and fault.runs == 1 else "Released"), good
        require_all_or_nothing(world, before)
        require_no_trace(world, before)
        require_published(world, before, fault.runs, fault.releases)
    return good.seconds


def require_ending(fault: Fault, ended: list[Ended]) -> None:
    """Exit codes as the table says; a fault ends with its one line."""
    told = "\n".join(f"{one.log}\n{one.outcome}: {one.told.get('headline', '')}" for one in ended)
    codes = [one.code for one in ended]
    assert len(codes) == len(fault.codes), codes
    for code, wanted in zip(codes, fault.codes, strict=True):
        assert code in ({FINE, FAULT} if wanted is None else {wanted}), f"{codes}\n{told}"
    assert re.search(fault.says, told), told
    assert "Traceback" not in told, told
    for one in ended:
        errors = [line for line in one.log.splitlines() if line.startswith("error: ")]
        assert len(errors) == (one.code == FAULT), told
        assert not errors or one.log.splitlines()[-1] == errors[0], told

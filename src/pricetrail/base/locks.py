"""One process at a time: locks on files, which end with the process that holds them, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def alone(file: Path, is_waiting: bool = True) -> Iterator[bool]:
    """Hold a file's lock; yields whether it is held: always, once its turn has come, where it waits.

    Args:
        file: made where it is not there; it stays.
        is_waiting: wait until no other process holds it.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=-1 if is_waiting else 0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()

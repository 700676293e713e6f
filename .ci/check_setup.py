"""Load what a run cannot do without; where one does not load, say in one line what is missing and how to get it."""

import importlib
import sys
from pathlib import Path

AGAIN = "`rm -rf .venv && make setup`"
CPU_TORCH = "`rm -rf .venv && make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu`"
ADVICE = {
    "torch": f"PyTorch came without its libraries: {AGAIN}, or {CPU_TORCH} for the build that needs none",
    "lightgbm": "the system lacks libgomp: `apt install libgomp1` (Debian, Ubuntu) or `dnf install libgomp` (Fedora)",
    "dvc.cli": f"the installation was cut off, or something else changed .venv: {AGAIN}",
    "pricetrail": f"the installation was cut off, or something else changed .venv: {AGAIN}",
}


def reason_not_to_load(name: str) -> str:
    """Why a module does not load, in one line; empty where it does."""
    try:
        importlib.import_module(name)
    except Exception as error:  # a missing library raises OSError in one package and RuntimeError in another
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def main() -> None:
    """Exit 1 with a line for each module that does not load."""
    reasons = {name: reason_not_to_load(name) for name in ADVICE}
    lines = [f"set-up: {name} does not load ({reason}): {ADVICE[name]}" for name, reason in reasons.items() if reason]
    cpu = Path("/proc/cpuinfo")
    if cpu.exists() and " avx2 " not in cpu.read_text():
        lines.append("set-up: this CPU has no AVX2 (x86-64-v3), which the pinned kernels need: use another machine")
    if lines:
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()

"""How long the program takes to start, beside ``import pandas``: ``python -m benchmarks.start [RUNS]``.

Each command runs in a process of its own, in turns, so that a busy machine slows all of them alike; the medians are
compared. The goal is at most 0.6 of the time of ``import pandas``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

GOAL = 0.6
PANDAS = "import pandas"
COMMANDS = {
    PANDAS: ["-c", "import pandas"],
    "import workbench": ["-c", "import workbench"],
    "workbench --help": ["-m", "workbench", "--help"],
    "workbench --version": ["-m", "workbench", "--version"],
    "workbench latest_state --help": ["-m", "workbench", "latest_state", "--help"],
    "workbench --nonsense (a usage error)": ["-m", "workbench", "--nonsense"],
    "workbench la<TAB> (completion)": ["-m", "workbench"],
}
COMPLETION = {"_WORKBENCH_COMPLETE": "bash_complete", "COMP_WORDS": "workbench la", "COMP_CWORD": "1"}


def seconds(name: str) -> float:
    """Return how long a command takes, from its start to its end."""
    environment = os.environ | (COMPLETION if "TAB" in name else {})
    began = time.perf_counter()
    subprocess.run([sys.executable, *COMMANDS[name]], env=environment, capture_output=True, check=False)
    return time.perf_counter() - began


def main(runs: int) -> int:
    """Print medians and ratios; the exit code is 1 where one is over the goal."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name in COMMANDS:
            taken[name].append(seconds(name))
    medians = {name: statistics.median(each) for name, each in taken.items()}
    for name, median in medians.items():
        print(f"{name:38} {median * 1000:7.0f} ms   {median / medians[PANDAS]:.2f} of {PANDAS}")
    return int(max(median for name, median in medians.items() if name != PANDAS) > GOAL * medians[PANDAS])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9))

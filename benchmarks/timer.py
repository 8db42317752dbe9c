"""Times a command: ``timer.py ROUNDS -- COMMAND... [--then COMMAND...]`` prints the seconds of each run; what follows
``--then`` is run after each and not counted. ``{n}`` is the number of the run."""

from __future__ import annotations

import subprocess
import sys
import time


def main() -> None:
    rounds, words = int(sys.argv[1]), sys.argv[3:]
    then: list[str] = []
    if "--then" in words:
        at = words.index("--then")
        words, then = words[:at], words[at + 1 :]
    for number in range(rounds):
        began = time.monotonic()
        done = subprocess.run(
            [w.replace("{n}", str(number)) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        took = time.monotonic() - began
        if done.returncode:
            sys.exit(f"{words[0]}: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")
        print(took, flush=True)
        if then:
            subprocess.run(["sh", "-c", " ".join(then).replace("{n}", str(number))], capture_output=True, check=False)


if __name__ == "__main__":
    main()

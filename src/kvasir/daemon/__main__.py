"""``python -m kvasir.daemon``."""

from kvasir.daemon.main import run

run()

"""Command-line programs. Each imports as little as it can, and each command only when it runs."""

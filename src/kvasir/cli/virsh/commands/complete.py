"""``complete``: what the completion of other shells asks; no help mentions it, as in libvirt."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, rest
from kvasir.cli.virsh.shell import Shell


def complete(shell: Shell, args: Args) -> bool:
    from kvasir.cli.virsh.completion import candidates

    *words, text = args.rest("words") or [""]
    found = candidates(shell, words, text)
    shell.out("".join(f"{word}\n" for word in found))
    return bool(found)


COMMANDS = [
    Command("complete", "what can follow these words", (rest("words", "words so far"),), complete, offline=True)
]

"""Grammar, table and XPath by themselves."""

from __future__ import annotations

import pytest

from kvasir.cli.virsh import names
from kvasir.cli.virsh.grammar import ArgvWords, Parser, StringWords, Syntax, c_integer
from kvasir.cli.virsh.table import table
from kvasir.cli.virsh.xmltree import parse
from kvasir.cli.virsh.xpath import Query


def parsed(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    commands = Parser(StringWords(text), names.find).parse()
    return [(args.command.name, [(option.name, value) for option, value in args.values]) for args in commands]


def test_words_and_separators() -> None:
    assert parsed('domid a; domid  \'b c\'\n# no\ndomid "d\\"e"') == [
        ("domid", [("domain", "a")]),
        ("domid", [("domain", "b c")]),
        ("domid", [("domain", 'd"e')]),
    ]


def test_names_and_places() -> None:
    assert parsed("metadata --uri u g --config") == [("metadata", [("uri", "u"), ("domain", "g"), ("config", "")])]
    assert parsed("send-key g -- --codeset 1") == [
        ("send-key", [("domain", "g"), ("keycode", "--codeset"), ("keycode", "1")])
    ]
    assert parsed("domif-getlink g c --persistent")[0][1][-1] == ("config", "")


@pytest.mark.parametrize(
    "text", ["domid", "domid a b", "domid --domain", "list --all --all", "nosuch", 'echo "', "echo \\"]
)
def test_wrong_words(text: str) -> None:
    with pytest.raises(Syntax):
        parsed(text)


def test_argv_is_not_split() -> None:
    commands = Parser(ArgvWords(["echo", "a; b", "#c"]), names.find).parse()
    assert commands[0].rest("string") == ["a; b", "#c"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("0x10", 16), ("010", 8), (" 5", 5), ("-3", -3), ("5 ", None), ("", None), ("1_0", None)],
)
def test_integers(text: str, value: int | None) -> None:
    assert c_integer(text) == value


def test_table_widths() -> None:
    text = table(("Id", "Name", "State"), [("-", "日本", "shut off"), ("1", "a\tb", "x")])
    assert text.splitlines() == [
        " Id   Name     State",
        "-------------------------",
        " -    日本     shut off",
        " 1    a\\x09b   x",
    ]
    assert table(("Id",), [("7",)], False) == " 7\n"


def test_xpath() -> None:
    root = parse("<a><b n='1'><c>x</c></b><b n='2'/><d><b n='3'/></d></a>")
    assert [node.get("@n") for node in Query("//b").run(root)] == ["1", "2", "3"]  # type: ignore[union-attr]
    assert Query("/a/b[2]/@n").run(root) == [("n", "2")]
    assert Query("//b[@n='1']/c/text()").run(root) == ["x"]
    assert Query("//b[c='x']/@n | //d/b/@n").run(root) == [("n", "1"), ("n", "3")]


def test_entities_are_refused() -> None:
    with pytest.raises(ValueError, match="entities"):
        parse("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>")


def test_every_listed_command_is_declared() -> None:
    for group in names.groups():
        for name, file in group.commands:
            if file:
                command = names.find(name)
                assert command is not None and command.name == name and command.help

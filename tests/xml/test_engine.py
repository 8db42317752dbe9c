"""The element engine on small classes of its own: read, write, forms, copies, patches, errors."""

from __future__ import annotations

from typing import Any

import pytest

from kvasir.errors import InvalidArg, XmlDetail, XmlError
from kvasir.xml import LIVE, STORED, Element, attr, child, children, flag, raw, scaled, text, texts, variant
from kvasir.xml.types import CPUSET, ENUM, HEX, ONOFF, UINT, read_cpuset, write_cpuset


class FilePart(Element):
    file: str | None = attr("source/@file")
    index: int | None = attr("source/@index", UINT, only="live")


class NetPart(Element):
    protocol: str | None = attr("source/@protocol")
    hosts: list[str] = texts("source/host")


class Drive(Element, tag="drive"):
    kind: str | None = attr("@type", ENUM("file", "network"))
    cache: str | None = attr("driver/@cache")
    source: Any = variant("kind", {"file": FilePart, "network": NetPart}, absent="file")
    target: str = attr("target/@dev", required=True)
    readonly: bool = flag("readonly")


class Machine(Element, tag="machine"):
    kind: str | None = attr("@type")
    name: str | None = text("name")
    dump: bool | None = attr("memory/@dumpCore", ONOFF)
    memory: int | None = scaled("memory")
    metadata: Any = raw("metadata")
    cpuset: frozenset[int] | None = attr("vcpu/@cpuset", CPUSET)
    vcpu: int | None = text("vcpu", UINT)
    pae: bool = flag("features/pae")
    password: str | None = attr("vnc/@passwd", secret=True)
    port: int | None = attr("vnc/@port", HEX(4))
    drives: list[Drive] = children(Drive, "devices/drive")
    first: Drive | None = child(Drive, "boot/drive")


DOCUMENT = """<machine type='x'>
  <!-- kept -->
  <name>a&amp;b</name>
  <memory unit='MiB' dumpCore='on'>1</memory>
  <vcpu cpuset='1-3,^2,5'>2</vcpu>
  <own><thing a='1'/></own>
  <features><pae/></features>
  <vnc passwd='top' port='16'/>
  <devices>
    <drive type='file'><source file='/x' index='3'/><target dev='vda'/><readonly/></drive>
    <drive type='network'><source protocol='nbd'><host>h</host></source><target dev='vdb'/></drive>
  </devices>
</machine>"""


def test_inactive_form_is_libvirts_text() -> None:
    assert (
        Machine.from_xml(DOCUMENT).xml()
        == """<machine type='x'>
  <name>a&amp;b</name>
  <memory dumpCore='on' unit='KiB'>1024</memory>
  <vcpu cpuset='1,3,5'>2</vcpu>
  <features>
    <pae/>
  </features>
  <vnc port='0x0010'/>
  <devices>
    <drive type='file'>
      <source file='/x'/>
      <target dev='vda'/>
      <readonly/>
    </drive>
    <drive type='network'>
      <source protocol='nbd'>
        <host>h</host>
      </source>
      <target dev='vdb'/>
    </drive>
  </devices>
</machine>
"""
    )


def test_live_and_secure_forms_add_what_is_theirs() -> None:
    machine = Machine.from_xml(DOCUMENT)
    assert "<source file='/x' index='3'/>" in machine.xml(LIVE)
    assert "passwd" not in machine.xml(LIVE)
    assert "<vnc passwd='top' port='0x0010'/>" in machine.xml(STORED)


def test_copy_shares_nothing() -> None:
    machine = Machine.from_xml(DOCUMENT)
    other = machine.copy()
    assert other == machine
    other.drives[0].target = "sda"
    assert other != machine
    assert machine.drives[0].target == "vda"


def test_first_of_repeated_elements_counts() -> None:
    assert Machine.from_xml("<machine><name>a</name><name>b</name><vnc port='1'/><vnc passwd='x'/></machine>").xml(
        STORED
    ) == ("<machine>\n  <name>a</name>\n  <vnc port='0x0001'/>\n</machine>\n")


def test_metadata_keeps_its_namespace_and_text() -> None:
    machine = Machine.from_xml(
        "<machine><metadata><x:y xmlns:x='urn:x'> <x:z a='1'>t &lt;</x:z></x:y></metadata></machine>"
    )
    assert machine.xml() == (
        '<machine>\n  <metadata>\n    <x:y xmlns:x="urn:x">\n      <x:z a="1">t &lt;</x:z>\n    </x:y>\n  </metadata>\n</machine>\n'
    )


def test_patch_changes_only_what_changed() -> None:
    machine = Machine.from_xml(DOCUMENT, keep=True)
    machine.name = "new"
    machine.pae = False
    machine.drives[0].source.file = "/y"
    machine.drives.append(Drive(kind="file", source=FilePart(file="/z"), target="vdc"))
    from lxml import etree

    out = etree.tostring(machine.patch(), encoding="unicode")
    assert "<!-- kept -->" in out
    assert '<thing a="1"/>' in out
    assert "<name>new</name>" in out
    assert "<pae/>" not in out
    assert 'file="/y" index="3"' in out
    assert [d.target for d in Machine.from_xml(out).drives] == ["vda", "vdb", "vdc"]
    assert '<memory unit="MiB" dumpCore="on">1</memory>' in out


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        ("<machine><name></machine>", XmlDetail, "(domain_definition):1: Opening and ending tag mismatch"),
        ("", XmlDetail, "Document is empty"),
        ("<other/>", XmlError, "expecting root element of 'machine'"),
        ("<machine><vcpu>-1</vcpu></machine>", XmlError, "Invalid value for element 'vcpu': '-1'"),
        (
            "<machine><devices><drive type='q'/></devices></machine>",
            XmlError,
            "attribute 'type' in element 'drive': 'q'.",
        ),
        (
            "<machine><devices><drive/></devices></machine>",
            XmlError,
            "Missing required attribute 'dev' in element 'target'",
        ),
        ("<machine><memory unit='spoons'>1</memory></machine>", InvalidArg, "unknown suffix 'spoons'"),
        ("<!DOCTYPE m [<!ENTITY a 'b'>]><machine><name>&a;</name></machine>", XmlError, "document type declaration"),
        ("<machine>" + "<a>" * 240 + "</a>" * 240 + "</machine>", XmlError, "nested deeper"),
    ],
)
def test_wrong_documents_name_what_is_wrong(document: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        Machine.from_xml(document)
    assert words in str(caught.value)


def test_three_lines_point_at_the_column() -> None:
    with pytest.raises(XmlDetail) as caught:
        Machine.from_xml("<machine>\n  <name>x</nam>\n</machine>")
    place, source, pointer = str(caught.value).split("\n")
    assert place.startswith("(domain_definition):2:")
    assert source == "  <name>x</nam>"
    assert pointer.endswith("^")
    assert set(pointer[:-1]) == {"-"}


@pytest.mark.parametrize("word", ["0", "0-3", "1,3,5-7", "0-1,4"])
def test_cpuset_is_written_in_ranges(word: str) -> None:
    assert write_cpuset(read_cpuset(word)) == word


def test_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="no field 'nam'"):
        Machine(nam="x")


class Nest(Element, tag="nest"):
    a: str | None = attr("x/y/z/@a")
    b: str | None = text("x/y/b")
    c: bool = flag("x/y/on/c")
    on: bool = flag("x/y/on")
    d: str | None = text("x/d")


def test_nested_groups_close_in_order() -> None:
    assert Nest(a="1", b="2", d="3", on=True).xml() == (
        "<nest>\n  <x>\n    <y>\n      <z a='1'/>\n      <b>2</b>\n      <on/>\n    </y>\n    <d>3</d>\n  </x>\n</nest>\n"
    )
    assert (
        Nest(c=True).xml()
        == "<nest>\n  <x>\n    <y>\n      <on>\n        <c/>\n      </on>\n    </y>\n  </x>\n</nest>\n"
    )
    assert Nest().xml() == "<nest/>\n"


@pytest.mark.parametrize("value", ["<a:b/>", "<b z:k='1'/>"])
def test_metadata_with_a_prefix_that_nobody_declared_is_refused(value: str) -> None:
    from kvasir.model.domain import Domain
    from kvasir.qemu.metadata import put

    domain = Domain.from_xml("<domain type='qemu'><name>x</name></domain>")
    with pytest.raises(XmlError, match="namespace prefix is not declared"):
        put(domain, value, "k", "urn:x")
    put(domain, "<b/>", "k", "urn:x")
    assert domain.metadata is not None

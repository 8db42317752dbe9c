"""The exported grammars: what the real daemon writes fits, what is wrong is named; broken documents never pass silently."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from kvasir.errors import Error, SchemaError
from kvasir.model.domain import Domain
from kvasir.xml import STORED
from kvasir.xml.reader import read
from kvasir.xml.schema import json_schema, relax_ng
from kvasir.xml.validate import validate

GOLDEN = Path(__file__).parent.parent / "golden" / "xml"
WRITTEN = sorted(GOLDEN.glob("*.out.xml"))


def test_every_document_of_the_real_daemon_fits_the_grammar() -> None:
    assert len(WRITTEN) > 80
    misfits = {}
    for path in WRITTEN:
        try:
            validate(Domain, read(path.read_bytes()))
        except SchemaError as error:
            misfits[path.name] = str(error)
    assert misfits == {}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("<domain type='kvm'><name>a</name><foo/></domain>", "foo"),
        (
            "<domain type='kvm'><name>a</name><clock offset='moon'/></domain>",
            "Invalid attribute offset for element clock",
        ),
        ("<domain type='kvm' colour='red'><name>a</name></domain>", "colour"),
    ],
)
def test_what_does_not_fit_is_named(document: str, words: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(words)) as caught:
        validate(Domain, read(document))
    assert caught.value.code == 92


def test_the_exported_grammar_is_one_that_libxml2_takes() -> None:
    """And it agrees with our own walk on small documents."""
    from lxml import etree

    grammar = etree.RelaxNG(etree.fromstring(relax_ng(Domain)))
    for path in sorted(GOLDEN.glob("root-*.out.xml"))[:40]:
        assert grammar.validate(read(path.read_bytes())), (path, grammar.error_log)
    assert not grammar.validate(read("<domain type='kvm'><name>a</name><clock offset='moon'/></domain>"))


def test_json_schema_names_every_field_once() -> None:
    schema = json_schema(Domain)
    assert set(schema["$defs"]["Domain"]["properties"]) == {f.name for f in Domain.FIELDS.values()}
    assert json.loads(json.dumps(schema)) == schema
    assert relax_ng(Domain).count("<start>") == 1


def _mutate(text: str, dice: random.Random) -> str:
    place = dice.randrange(len(text))
    kind = dice.randrange(7)
    if kind == 0:
        return text[:place] + text[place + dice.randrange(1, 9) :]
    if kind == 1:
        return text[:place] + chr(dice.randrange(1, 0x2FF)) + text[place:]
    if kind == 2:
        return text[:place]
    numbers = list(re.finditer(r"\d+", text))
    if kind == 3 and numbers:
        hit = dice.choice(numbers)
        return text[: hit.start()] + dice.choice(["-1", "99999999999999999999", "x", "", "0x"]) + text[hit.end() :]
    lines = text.split("\n")
    row = dice.randrange(len(lines))
    if kind == 4:
        lines.insert(row, dice.choice(lines))
    elif kind == 5:
        del lines[row]
    else:
        lines[row] = lines[row].replace("'", dice.choice(["", '"', "''"]), 1)
    return "\n".join(lines)


def test_ten_thousand_mutated_documents_parse_or_say_why() -> None:
    dice = random.Random(20261125)
    texts = [path.read_text() for path in WRITTEN]
    refused = parsed = 0
    for _ in range(10_000):
        document = dice.choice(texts)
        for _ in range(dice.randrange(1, 4)):
            document = _mutate(document, dice) or "<"
        try:
            again = Domain.from_xml(document).xml(STORED)
        except Error as error:
            assert str(error)
            refused += 1
        else:
            assert Domain.from_xml(again).xml(STORED) == again
            parsed += 1
    assert refused > 2000
    assert parsed > 500

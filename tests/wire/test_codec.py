"""Every row of the table: what is written is read again, and nothing that is broken gets through."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvasir import errors
from kvasir.rpc import programs
from kvasir.rpc.errors import decode_error, encode_error
from kvasir.rpc.programs import REMOTE, Procedure, _struct_fields
from kvasir.rpc.typed import Int, LLong, UInt, ULLong
from kvasir.rpc.xdr import Malformed, Record

EVERY = [procedure for program in programs.ALL for procedure in program]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
RANGES = {"i": (-(2**31), 2**31 - 1), "u": (0, 2**32 - 1), "l": (-(2**63), 2**63 - 1), "L": (0, 2**64 - 1)}
RANGES |= {"uc": (0, 255), "h": (0, 65535), "c": (0, 127)}
TYPED = st.one_of(
    st.integers(*RANGES["i"]).map(Int),
    st.integers(*RANGES["u"]).map(UInt),
    st.integers(*RANGES["l"]).map(LLong),
    st.integers(*RANGES["L"]).map(ULLong),
    st.floats(allow_nan=False),
    st.booleans(),
    TEXT,
)


def value(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("?"):
        return st.none() | value(kind[:-1])
    if kind in ("o[]", "c[]"):
        return st.binary(max_size=20)
    if kind.startswith("c["):
        return st.text("abc_-", max_size=30)
    if kind.endswith("[]"):
        return st.lists(value(kind[:-2]), max_size=3)
    if kind in RANGES:
        return st.integers(*RANGES[kind])
    plain: dict[str, st.SearchStrategy[Any]] = {
        "s": TEXT,
        "U": st.binary(min_size=16, max_size=16),
        "d": st.floats(allow_nan=False),
        "P": st.tuples(TEXT, TYPED),
    }
    return plain[kind] if kind in plain else fields(_struct_fields(kind))


def fields(row: str) -> st.SearchStrategy[Any]:
    return st.tuples(*(value(field.split(":", 1)[1]) for field in row.split()))


@pytest.mark.parametrize("procedure", EVERY, ids=lambda p: f"{p.program.name}-{p.name}")
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_round_trip(procedure: Procedure, data: st.DataObject) -> None:
    args = data.draw(fields(procedure._args))
    payload = procedure.encode_args(args)
    assert procedure.decode_args(payload) == args
    assert len(payload) % 4 == 0
    result = data.draw(fields(procedure._result))
    payload = procedure.result.encode(result)
    assert procedure.result.decode(payload) == result
    if payload:
        cut = data.draw(st.integers(0, len(payload) - 1))
        with pytest.raises(Malformed):
            procedure.result.decode(payload[:cut])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EVERY), st.binary(max_size=200))
def test_garbage_is_refused_with_one_error(procedure: Procedure, garbage: bytes) -> None:
    try:
        values = procedure.decode_args(garbage)
    except errors.Error as problem:
        assert problem.code == errors.Code.RPC
        assert procedure.name in problem.message
    else:
        assert procedure.decode_args(procedure.encode_args(values)) == values or b"\xff" in garbage


def test_found_by_name_and_number() -> None:
    assert len(EVERY) == 470
    for procedure in EVERY:
        assert procedure.program[procedure.name] is procedure
        assert procedure.program.number(procedure.number) is procedure
    assert [p.number for p in REMOTE] == list(range(1, 444))
    assert REMOTE.number(444) is None and REMOTE.number(0) is None and REMOTE.number(-1) is None
    assert "domain_get_inf" not in REMOTE and "dom:D" not in REMOTE
    assert sum(p.event for p in REMOTE) == 51 and sum(p.high for p in REMOTE) == 184
    assert [p.name for p in REMOTE if p.stream == "R"] == [
        *("domain_open_console", "storage_vol_download", "domain_screenshot", "domain_open_channel")
    ]


def test_layouts_that_surprise() -> None:
    """A char is four bytes, ``char[32]`` 128, an absent string four zero bytes, a UUID sixteen bytes bare."""
    info = REMOTE["node_get_info"].encode_result(("x86_64", 1, 2, 3, 4, 5, 6, 7))
    assert len(info) == 32 * 4 + 8 + 6 * 4 and info[:8] == b"\0\0\0x\0\0\0008"
    assert REMOTE["connect_open"].encode_args((None, 1)) == struct.pack(">II", 0, 1)
    assert REMOTE["domain_lookup_by_uuid"].encode_args((b"u" * 16,)) == b"u" * 16
    assert REMOTE["domain_get_state"].encode_result((1, 2)) == struct.pack(">ii", 1, 2)
    chars = REMOTE["node_get_security_model"].encode_result(("no", b"\0"))
    assert chars == struct.pack(">III", 2, ord("n"), ord("o")) + struct.pack(">II", 1, 0)


def test_typed_parameters_keep_their_type() -> None:
    procedure = REMOTE["domain_get_memory_parameters"]
    params = [("a", Int(-1)), ("b", UInt(1)), ("c", LLong(-1)), ("d", ULLong(1)), ("e", 1.5), ("f", True), ("g", "x")]
    back = procedure.decode_result(procedure.encode_result((params, 0))).params
    assert back == params
    assert [type(v) for _, v in back] == [Int, UInt, LLong, ULLong, float, bool, str]
    with pytest.raises(errors.Error, match="untyped value 3"):
        procedure.encode_result(([("a", 3)], 0))
    with pytest.raises(errors.Error, match="unknown type 9"):
        procedure.decode_result(struct.pack(">II4sIIi", 1, 1, b"a\0\0\0", 9, 0, 0))


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"\0\0\0\2", "presence flag is 2"),
        (b"\0\0\0\1\xff\xff\xff\xff", "longer than the limit"),
        (b"\0\0\0\1\0\0\0\7abc", "past the end"),
        (b"\0\0\0\1\0\0\0\3a\0b\0\0\0\0\0", "NUL"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0", "4 bytes follow"),
    ],
)
def test_what_is_wrong_is_named(payload: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words) as caught:
        REMOTE["connect_open"].decode_args(payload)
    assert caught.value.code == errors.Code.RPC


def test_huge_arrays_cost_nothing() -> None:
    with pytest.raises(Malformed, match="array of 4026531840"):
        REMOTE["domain_send_key"].decode_args(b"\0\0\0\1x\0\0\0" + UUID_ID + struct.pack(">III", 0, 0, 0xF0000000))


UUID_ID = b"u" * 16 + b"\0\0\0\1"


def test_wrong_values_cannot_be_sent() -> None:
    for values in ((), ("x", 1, 2), ("x", -1), ("x", 1 << 32), (5, 0)):
        with pytest.raises(errors.Error, match="connect_open"):
            REMOTE["connect_open"].encode_args(values)


def test_names_that_are_no_text_survive() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    payload = REMOTE["domain_lookup_by_name"].encode_args((name,))
    assert b"caf\xe9" in payload
    assert REMOTE["domain_lookup_by_name"].decode_args(payload) == (name,)


def test_anything_with_the_attributes_is_a_struct() -> None:
    class Guest:
        name, uuid, id = "g", b"u" * 16, -1

    back = REMOTE["domain_lookup_by_name"].decode_result(REMOTE["domain_lookup_by_name"].encode_result(Guest()))
    assert (back.name, back.uuid, back.id) == ("g", b"u" * 16, -1)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(TEXT | st.just("\udcff"), st.binary(min_size=16, max_size=16), st.integers(-1, 2**31 - 1)),
        max_size=50,
    )
)
def test_many_structs_are_written_as_one_by_one(rows: list[tuple[str, bytes, int]]) -> None:
    things = [SimpleNamespace(name=name, uuid=uuid, id=number) for name, uuid, number in rows]
    encode = REMOTE["connect_list_all_domains"].encode_result
    assert encode((things * 2, 1)) == encode((rows * 2, 1))


def test_many_structs_with_a_wrong_value_cannot_be_sent() -> None:
    guests = [SimpleNamespace(name="a", uuid=bytes(16), id=1) for _ in range(50)]
    guests[40].name = 7
    with pytest.raises(errors.Error):
        REMOTE["connect_list_all_domains"].encode_result((guests, 50))


def test_errors_travel_whole() -> None:
    sent = errors.NoDomain("no domain with matching name 'x'", hint="virsh list --all")
    back = decode_error(encode_error(sent))
    assert type(back) is errors.NoDomain and back.origin == errors.Origin.QEMU
    assert (back.message, back.hint) == ("Domain not found: no domain with matching name 'x'", "virsh list --all")
    assert vars(back)["str1"] == "Domain not found: %s" and vars(back)["level"] == 2
    system = errors.SystemFailure("cannot open 'x'", FileNotFoundError(2, "No such file or directory"))
    assert decode_error(encode_error(system)).int1 == 2
    bug = decode_error(encode_error(KeyError("x")))
    assert bug.code == errors.Code.INTERNAL_ERROR and bug.message == "internal error: KeyError: 'x'"


def test_record_of_neighbouring_numbers_is_one_pack() -> None:
    record = Record("a:i b:U c:L d:s e:u", _struct_fields)
    values = (1, b"u" * 16, 2, "x", 3)
    assert record.decode(record.encode(values)) == values
    with pytest.raises(TypeError, match="5 values are wanted"):
        record.encode(values[:4])

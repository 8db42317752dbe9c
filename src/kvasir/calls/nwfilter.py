"""Network filters and their bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.nwfilter import bindings, documents
from kvasir.xml import outlines
from kvasir.xml.reader import read

from .flags import check_flags

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.nwfilter.driver import NWFilterDriver

VALIDATE = 1


def _driver(session: Session) -> NWFilterDriver:
    driver: NWFilterDriver = session.other("nwfilter")
    return driver


def connect_num_of_nwfilters(session: Session) -> int:
    return len(_driver(session).filters)


def connect_list_nwfilters(session: Session, maxnames: int) -> list[str]:
    return list(_driver(session).filters)[:maxnames]


def connect_list_all_nwfilters(session: Session, need_results: int, flags: int) -> tuple[list[Any], int]:
    check_flags(flags, 0, "nwfilterConnectListAllNWFilters")
    found = list(_driver(session).filters.values())
    return (found if need_results else []), len(found)


def nwfilter_lookup_by_name(session: Session, name: str) -> Any:
    return _driver(session).by_name(name)


def nwfilter_lookup_by_uuid(session: Session, uuid: bytes) -> Any:
    return _driver(session).by_uuid(uuid)


async def nwfilter_define_xml(session: Session, xml: str) -> Any:
    return await _driver(session).define(xml)


async def nwfilter_define_xml_flags(session: Session, xml: str, flags: int) -> Any:
    check_flags(flags, VALIDATE, "nwfilterDefineXMLFlags")
    if flags & VALIDATE:
        documents.validate(xml)
    return await _driver(session).define(xml)


async def nwfilter_undefine(session: Session, nwfilter: Any) -> None:
    driver = _driver(session)
    await driver.undefine(driver.find(nwfilter))


def nwfilter_get_xml_desc(session: Session, nwfilter: Any, flags: int) -> str:
    check_flags(flags, 0, "nwfilterGetXMLDesc")
    return documents.write(_driver(session).find(nwfilter).document)


def connect_list_all_nwfilter_bindings(session: Session, need_results: int, flags: int) -> tuple[list[Any], int]:
    check_flags(flags, 0, "nwfilterConnectListAllNWFilterBindings")
    found = list(_driver(session).bindings.values())
    return (found if need_results else []), len(found)


def nwfilter_binding_lookup_by_port_dev(session: Session, name: str) -> Any:
    return _driver(session).binding(name)


def nwfilter_binding_get_xml_desc(session: Session, nwfilter: Any, flags: int) -> str:
    check_flags(flags, 0, "nwfilterBindingGetXMLDesc")
    return bindings.write(_driver(session).binding(nwfilter.portdev))


async def nwfilter_binding_create_xml(session: Session, xml: str, flags: int) -> Any:
    check_flags(flags, VALIDATE, "nwfilterBindingCreateXML")
    if flags & VALIDATE:
        outlines.check(read(xml, "(nwfilterbinding_definition)"), "filterbinding")
    return await _driver(session).bind(bindings.read(xml))


async def nwfilter_binding_delete(session: Session, nwfilter: Any) -> None:
    await _driver(session).unbind(nwfilter.portdev)

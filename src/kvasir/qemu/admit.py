"""From a user's document to a guest's definition: parsed, checked against the schema if asked, completed as libvirt does."""

from __future__ import annotations

import logging
import os
import uuid as uuids
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InvalidArg, SystemFailure, XmlError
from kvasir.xml import STORED

from . import bios, emulators, live

log = logging.getLogger(__name__)
BAD_NAME = "\n"


async def from_user(driver: Any, text: str, *, validate: bool = False) -> Any:
    """The completed definition of a document. Raises XmlError, XmlDetail, SchemaError, ConfigUnsupported."""
    from kvasir.model.domain import Domain

    from . import define

    if validate:
        _validate(text)
    domain = Domain.from_xml(text)
    check_name(str(domain.name))
    if not domain.uuid:
        domain.uuid = str(uuids.uuid4())
    vm = await context(driver, domain)
    define.complete(domain, vm)
    for words in bios.too_many_disks(domain):
        log.warning("guest %s: %s", domain.name, words)
    return domain


async def read_again(guest: Any) -> None:
    """The definition gets the order that it has when its document is read: libvirt makes a copy that way at each start.

    One that would not be taken today stays as it is: whether it can run, the start finds out.
    """
    try:
        domain = await from_user(guest.driver, guest.text)
    except Error:
        return
    if (text := str(domain.xml(STORED))) != guest.text:
        guest.driver.keep(guest, domain, text)


def check_name(name: str) -> None:
    """Refuse names that can be no file. Raises XmlError, InvalidArg."""
    if "/" in name:
        raise XmlError(f"name {name} cannot contain '/'")
    if any(char in name for char in BAD_NAME):
        raise XmlError(f"invalid char in name: {BAD_NAME.strip() or chr(92) + 'n'}")
    if name in (".", ".."):
        raise InvalidArg(f"'{name}' is no name for a guest")


async def context(driver: Any, domain: Any) -> Any:
    """The ``vm`` of a document, with the abilities of its emulator. Raises ConfigUnsupported, InternalError."""
    if not domain.emulator:
        arch = domain.os.arch or os.uname().machine
        emulators.known(arch)
        if arch not in driver.binaries:
            raise ConfigUnsupported(f"No emulator found for arch '{arch}'")
        binary = driver.binaries[arch]
    else:
        binary = live.emulator(domain, driver)
    try:
        caps = await driver.capabilities(binary)
    except OSError as error:
        raise SystemFailure(f"Cannot check QEMU binary {binary}", error) from error
    return driver.vm(domain, caps)


def _validate(text: str) -> None:
    """Check the document against the schema that its own field tables give. Raises SchemaError."""
    from kvasir.model.domain import Domain
    from kvasir.xml.reader import read
    from kvasir.xml.validate import validate

    validate(Domain, read(text))

"""A host without GlusterFS's client says which part is missing."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from kvasir.errors import InternalError
from kvasir.storage import documents
from kvasir.storage.pools.gluster import GlusterPool

POOL = """<pool type='gluster'><name>g</name><source><host name='127.0.0.1'/><name>vol</name><dir path='/'/></source></pool>"""


@pytest.mark.guide("pool-gluster-concept")
def test_the_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str, *_: Any, **__: Any) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", gone)
    with pytest.raises(InternalError, match="unable to load libgfapi") as caught:
        GlusterPool(documents.pool(POOL)).scan()
    assert "libgfapi0" in (caught.value.hint or "")

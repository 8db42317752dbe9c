"""The only code that knows XML: elements as classes, value types, a safe parser, schema export."""

from .element import Element
from .fields import attr, child, children, custom, flag, raw, runtime, scaled, text, texts, variant
from .form import INACTIVE, LIVE, STATUS, STORED, Form

__all__ = [
    "INACTIVE", "LIVE", "STATUS", "STORED", "Element", "Form", "attr", "child", "children", "custom", "flag", "raw",
    "runtime", "scaled", "text", "texts", "variant",
]  # fmt: skip

"""Hides a pipeline's own references from Jinja, which writes its expressions in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

_REFERENCE = re.compile(r"\{\{(\s*(inputs|pipelines|item)\b[^{}]*)\}\}")
"""Jinja knows none of these names, unless the text itself binds one."""
_BINDING = re.compile(r"\{%[-+]?\s*(?:for|set)\s+([\w\s,()]+?)\s*(?:\bin\b|=|[-+]?%\})")
_VEILED = re.compile("\x02([^\x02\x03]*)\x03")
_NO_FILE = "\x03"


def source_of(text: str, extensions: Sequence[str], jinja_env: jinja2.Environment, *, may_be_file: bool) -> str:
    """The text to render: of a template's file, if it names one. A value such as ``conf.yaml`` names none."""
    if not text.endswith(tuple(extensions)):
        return text
    if not may_be_file or "\n" in text or jinja_env.loader is None:
        return text + _NO_FILE
    return jinja_env.loader.get_source(jinja_env, text)[0]


def veiled(text: str) -> str:
    """The text with references in a form that Jinja leaves alone."""
    bound = {name for names in _BINDING.findall(text) for name in re.findall(r"\w+", names)}
    return _REFERENCE.sub(lambda found: found[0] if found[2] in bound else f"\x02{found[1]}\x03", text)


def unveiled(rendered: Any) -> Any:
    """What was rendered, perhaps as a native object, with the references as they were."""
    if isinstance(rendered, str):
        return _VEILED.sub(r"{{\1}}", rendered).removesuffix(_NO_FILE)
    if isinstance(rendered, dict):
        return {key: unveiled(value) for key, value in rendered.items()}
    return [unveiled(value) for value in rendered] if isinstance(rendered, list) else rendered

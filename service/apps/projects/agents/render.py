"""Templates, and text made safe for the language that it is written into."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from string import Template
from typing import Any, Final

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def render(template: str, values: Mapping[str, str] | None = None) -> str:
    """A file of `service/apps/projects/templates`; without values it is taken as it is, `$` and all."""
    file = resources.files("service.apps.projects").joinpath("templates", f"{template}.tmpl")
    text = file.read_text("utf-8")
    return text if values is None else Template(text).substitute(values)


def quoted(text: str, quote: str = '"') -> str:
    """A string literal that means `text` in Python and in TOML (toml.io/en/v1.0.0#string), all of it visible."""
    return quote + "".join(f"\\{one}" if one in (quote, "\\") else _visible(one) for one in text) + quote


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def python(value: Any) -> str:
    """A literal of a text, number, truth value or None; of the quotes, those that need fewer escapes."""
    if not isinstance(value, str):
        return repr(value)
    return quoted(value, "'" if value.count('"') > value.count("'") else '"')


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a heading or a paragraph of one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def json_text(value: Any) -> str:
    """JSON for files that people read."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; cells are Markdown already."""
    names = list(heads)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def block(lines: Iterable[str], depth: int) -> str:
    """Lines of code, each `depth` steps of four spaces further in."""
    return "\n".join(" " * 4 * depth + line for line in lines)

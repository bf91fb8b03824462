"""What validation found, in words: which key, what was expected, what was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from retailops.config.source import Keys, shown

_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|token|credentials?)($|_)|access_?key|api_?key|private_?key"
)
NO_SECRETS = (
    "looks like a secret; none belongs in this file. Take it out (and change it, if the file was shared): "
    "credentials come from the environment or the cloud's own credential chain"
)

_WORDS = {
    "int_type": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "float_type": "must be a number, not {input}",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, not {input}",
    "string_type": "must be text, not {input}; put quotes around it",
    "string_too_long": "must be at most {max_length} characters long",
    "path_type": "must be a path, not {input}",
    "tuple_type": "must be a list like [a, b], not {input}",
    "list_type": "must be a list like [a, b], not {input}",
    "too_short": "must have at least {min_length} entry",
    "dict_type": "must be a section with keys under it, not {input}",
    "model_type": "must be a section with keys under it, not {input}",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "greater_than": "must be more than {gt}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "less_than": "must be less than {lt}, not {input}",
    "literal_error": "must be {expected}, not {input}",
}


def looks_secret(key: str) -> bool:
    """Whether a key's name says that its value shouldn't be in a file."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")
    return bool(_SECRET.search(snake))


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` when a known word is near, or nothing."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"; did you mean '{names[near[0]]}'?" if near else ""


def unknown_key(keys: Keys, model: type[BaseModel]) -> str:
    """What to say of a key that the file's shape doesn't have."""
    name = str(keys[-1])
    if looks_secret(name):
        return NO_SECRETS
    section = section_at(model, keys[:-1])
    siblings = list(section.model_fields) if section else []
    near = meant(name, siblings)
    if near:
        return f"unknown key{near}"
    elsewhere = [path for path in leaves(model) if path.split(".")[-1] == name]
    if elsewhere:
        return f"unknown key here; did you mean '{elsewhere[0]}'?"
    return f"unknown key; known here: {', '.join(siblings)}" if siblings else "unknown key"


def wrong_value(error: Any, description: str | None) -> str:
    """What to say of a pydantic error other than an unknown key."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return f"{shown(error['input'])} isn't possible here. {description or ''}".strip()
    template = _WORDS.get(kind)
    if template is None:
        return str(error["msg"])
    limits = {name: _round(limit) for name, limit in context.items()}
    text = template.format(input=shown(error["input"]), **limits)
    if kind == "literal_error" and isinstance(error["input"], str):
        text += meant(error["input"], re.findall(r"'([^']*)'", context["expected"]))
    return text


def _round(limit: object) -> object:
    """1.0 → 1, as a person writes it."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def section_at(model: type[BaseModel], keys: Keys) -> type[BaseModel] | None:
    """The section model that a path of keys leads to, or None when it isn't a section."""
    for key in keys:
        field = model.model_fields.get(str(key))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return None
        model = field.annotation
    return model


def leaves(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted keys of everything that can be set, in order."""
    found: list[str] = []
    for name in model.model_fields:
        below = section_at(model, (name,))
        found += leaves(below, f"{prefix}{name}.") if below else [prefix + name]
    return found

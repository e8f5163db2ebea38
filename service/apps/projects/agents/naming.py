"""What people call the things of a brief, and values to try them with."""

from typing import Any, Final

from service.apps.projects.brief import Brief, Entity, Field, Kind

_IRREGULAR: Final = {
    "addresses": "address",
    "analyses": "analysis",
    "buses": "bus",
    "children": "child",
    "data": "data",
    "men": "man",
    "movies": "movie",
    "news": "news",
    "people": "person",
    "series": "series",
    "statuses": "status",
    "women": "woman",
}
_SAME: Final = ("ss", "us", "is")
_SAMPLES: Final[dict[Kind, tuple[Any, Any]]] = {
    Kind.INT: (7, -12),
    Kind.FLOAT: (1.5, 20.25),
    Kind.BOOL: (True, False),
    Kind.DATE: ("2026-01-31", "2024-02-29"),
}


def label(name: str) -> str:
    """`due_date` is "Due date"."""
    words = " ".join(name.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def singular(name: str) -> str:
    """The label of one of them, by the common rules of English: `tasks` is "Task"."""
    head, underscore, last = name.rstrip("_").rpartition("_")
    return label(f"{head}{underscore}{_singular_word(last)}")


def _singular_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > len("ties"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(_SAME) and len(word) > len("as"):
        return word[:-1]
    return word


def required(entity: Entity) -> Field | None:
    """The one field that can't be empty, so that a record has something to be known by: the first that can be.

    No relation: entities that lead to each other could never have a first record.
    """
    return next((field for field in entity.fields if field.kind not in (Kind.BOOL, Kind.RELATION)), None)


def samples(entity: Entity) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two records without their ids and relations, different in every field."""
    first, second = {}, {}
    for field in entity.fields:
        if field.kind is Kind.RELATION:
            continue
        text = label(field.name)
        pair = _SAMPLES.get(field.kind, (f"{text} of the first", f"{text} of the second"))
        first[field.name], second[field.name] = pair
    return first, second


def counted(number: int, noun: str) -> str:
    """`1 entity`, `2 entities`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("ty") else f"{number} {noun}s"


def field_count(brief: Brief) -> int:
    return sum(len(entity.fields) for entity in brief.entities)


def listed(brief: Brief) -> str:
    """The entities by name: `tasks, people and notes`."""
    names = [entity.name for entity in brief.entities]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

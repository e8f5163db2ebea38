"""The brief: a grammar small enough to write in a text field, read into entities.

    brief  = entity *( ";" entity ) [ ";" ]
    entity = name ":" field *( "," field )
    field  = name ( kind / "->" name )              ; the second name is an entity's, of this brief
    name   = letter *( letter / digit / "_" )       ; ASCII, 1-40 characters, upper case is folded
    kind   = "text" / "int" / "float" / "bool" / "date"

White space, line breaks included, separates words and means nothing else. A relation (`->`) may lead to an entity
that comes later, or to its own; circles are allowed. Example:

    tasks: title text, done bool, due date, owner -> people; people: name text, email text, age int

static/app/projects/brief/grammar.js reads the same for the pages; tests/support/briefs.json holds both to the same
answers, word for word.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from service.apps.projects.hints import SYNONYMS, ascii_name, is_prose, near
from service.apps.projects.limits import BRIEF_MAX, ENTITIES_MAX, FIELDS_MAX, WORD_MAX
from service.apps.projects.texts import cut
from service.core.errors import InvalidError

EXAMPLE: Final = "tasks: title text, done bool, due date"
PROSE: Final = f"This reads like a description. Twinwire needs entities and fields, for example: {EXAMPLE}"
_ARROW: Final = "->"
_SEPARATORS: Final = frozenset({":", ";", ",", _ARROW})
_TOKEN: Final = re.compile(r"->|[:;,]|(?:(?!->)[^\s:;,])+")
_ENTITY: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\s*:", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z", re.ASCII)
_SHOWN_MAX: Final = 40

RESERVED_ENTITIES: Final = frozenset({"api", "static"})
"""First URL segments that the generated application needs for itself."""

RESERVED_FIELDS: Final = frozenset({"id"})
"""Columns that every generated table has."""

SQLITE_PREFIX: Final = "sqlite_"
"""Table names that begin so belong to SQLite (sqlite.org/lang_createtable.html)."""


class Kind(StrEnum):
    """What a field holds. A date is a calendar day without a time; a relation is a record of another entity."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATE = "date"
    RELATION = "relation"


TYPES: Final = (Kind.TEXT, Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.DATE)
"""Kinds that a brief names by a word."""

_KNOWN: Final = f"{', '.join(TYPES)}, or -> and an entity"


@dataclass(frozen=True, slots=True)
class Field:
    """`to` is the entity that a relation leads to; None for every other kind."""

    name: str
    kind: Kind
    to: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.kind}" if self.to is None else f"{self.name} {_ARROW} {self.to}"


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(map(str, self.fields))}"


@dataclass(frozen=True, slots=True)
class Brief:
    """Entities in the order written; `str` gives the text that parses back to an equal brief."""

    entities: tuple[Entity, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.entities))


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or a separator and where it begins; the end of the brief is an empty one."""

    text: str
    start: int

    @property
    def is_word(self) -> bool:
        return self.text != "" and self.text not in _SEPARATORS

    @property
    def shown(self) -> str:
        if not self.text:
            return "the end of the brief"
        return repr(cut(self.text, _SHOWN_MAX))


def parse_brief(text: str) -> Brief:
    """The brief in `text`. Raises InvalidError (field `brief`) that says what is wrong and where."""
    if len(text) > BRIEF_MAX:
        raise InvalidError(f"the brief has {len(text):,} characters, at most {BRIEF_MAX:,}", field="brief")
    if not text.strip():
        raise InvalidError(f"the brief is empty; write for example: {EXAMPLE}", field="brief")
    parser = _Parser(text)
    try:
        return parser.brief()
    except InvalidError as error:
        if not parser.entities and is_prose(_runs(text), TYPES):
            raise InvalidError(PROSE, field="brief") from error
        raise


def _runs(text: str) -> Iterator[list[str]]:
    """The words between separators."""
    run: list[str] = []
    for token in _tokens(text):
        if token.is_word:
            run.append(token.text)
        else:
            yield run
            run = []


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        yield _Token(match[0], match.start())
    yield _Token("", len(text.rstrip()))


class _Parser:
    """Recursive descent with one token of look-ahead; every method raises InvalidError."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._rest = _tokens(text)
        self._token = next(self._rest)
        self._relations: list[_Token] = []
        self.entities: dict[str, Entity] = {}

    def brief(self) -> Brief:
        while self._token.text:
            if len(self.entities) == ENTITIES_MAX:
                self._fail(self._token, f"more than {ENTITIES_MAX} entities")
            entity = self._entity(self.entities)
            self.entities[entity.name] = entity
            if self._token.text:
                self._expect(";", "',' and another field, or ';' and another entity")
        for target in self._relations:
            name = target.text.lower()
            if name not in self.entities:
                meant = near(name, self.entities)
                hint = f"did you mean '{meant}'?" if meant else f"there are {', '.join(self.entities)}"
                self._fail(target, f"there is no entity {name!r}; {hint}")
        return Brief(tuple(self.entities.values()))

    def _entity(self, before: dict[str, Entity]) -> Entity:
        token = self._token
        name = self._name("an entity name")
        if name in RESERVED_ENTITIES or name.startswith(SQLITE_PREFIX):
            self._fail(token, f"the entity name {name!r} is reserved, choose another one")
        if name in before:
            self._fail(token, f"there are two entities with the name {name!r}")
        self._expect(":", f"':' and the fields of {name!r}")
        fields: dict[str, Field] = {}
        while True:
            field = self._field(name, fields)
            fields[field.name] = field
            if self._token.text != ",":
                return Entity(name, tuple(fields.values()))
            self._advance()

    def _field(self, entity: str, before: dict[str, Field]) -> Field:
        token = self._token
        name = self._name(f"a field name of {entity!r}")
        if name in RESERVED_FIELDS:
            self._fail(token, f"the field name {name!r} is reserved: every record has one already")
        if name in before:
            self._fail(token, f"{entity!r} has two fields with the name {name!r}")
        if len(before) == FIELDS_MAX:
            self._fail(token, f"more than {FIELDS_MAX} fields in {entity!r}")
        if self._token.text == _ARROW:
            return Field(name, Kind.RELATION, self._target(name))
        return Field(name, self._kind(name))

    def _target(self, field: str) -> str:
        """The entity after an arrow; whether there is one is known at the end of the brief."""
        self._advance()
        self._relations.append(self._token)
        return self._name(f"the entity that {field!r} leads to")

    def _kind(self, field: str) -> Kind:
        token = self._token
        if not token.is_word:
            self._fail(token, f"expected the type of {field!r} ({_KNOWN}), found {token.shown}")
        if token.text.lower() not in TYPES:
            self._fail(token, f"{token.shown} is not a type; use one of {_KNOWN}{self._hint(token.text)}")
        self._advance()
        return Kind(token.text.lower())

    def _hint(self, word: str) -> str:
        """What a word in the place of a type may stand for: a type, or an entity that lacks its arrow."""
        named = dict.fromkeys(found[1].lower() for found in _ENTITY.finditer(self._text))
        meant = SYNONYMS.get(word.lower()) or near(word, [*TYPES, *list(named)[:ENTITIES_MAX]])
        if meant is None:
            return ""
        return f"; did you mean '{meant if meant in TYPES else f'{_ARROW} {meant}'}'?"

    def _name(self, wanted: str) -> str:
        token = self._token
        if not token.is_word:
            self._fail(token, f"expected {wanted}, found {token.shown}")
        if _NAME.match(token.text) is None:
            plain = ascii_name(token.text)
            rule = "a letter a-z, then letters, digits and _" + (f"; did you mean '{plain}'?" if plain else "")
            self._fail(token, f"{token.shown} can't be {wanted}: it has to be {rule}")
        if len(token.text) > WORD_MAX:
            self._fail(token, f"{token.shown} is too long for {wanted}: at most {WORD_MAX} characters")
        self._advance()
        return token.text.lower()

    def _expect(self, separator: str, wanted: str) -> None:
        if self._token.text != separator:
            self._fail(self._token, f"expected {wanted}, found {self._token.shown}")
        self._advance()

    def _advance(self) -> None:
        self._token = next(self._rest, self._token)

    def _fail(self, token: _Token, problem: str) -> NoReturn:
        line = self._text.count("\n", 0, token.start) + 1
        column = token.start - (self._text.rfind("\n", 0, token.start) + 1) + 1
        where = f"line {line}, column {column} (character {token.start + 1})"
        raise InvalidError(f"{where}: {problem}", field="brief")

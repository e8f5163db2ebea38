"""What a room of settings is: variables of the environment that begin with `TWINWIRE_`, read once, with bounds."""

from typing import Any, Final, Literal, get_origin

from pydantic import ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "TWINWIRE_"


class Room(BaseSettings):
    """The settings of one room, from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        str_strip_whitespace=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        """What is nothing but white space is empty, and an empty variable counts as unset."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if not is_blank(value)}

    @field_validator("*", mode="before")
    @classmethod
    def _tidy(cls, value: object, field: ValidationInfo) -> object:
        """What surrounds a value came with its line: a carriage return, mostly. Words may be in capitals."""
        if not isinstance(value, str):
            return value
        info = cls.model_fields[field.field_name or ""]
        return value.strip().lower() if get_origin(info.annotation) is Literal else value.strip()


def is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()

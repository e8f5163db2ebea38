"""Which language model is asked, and how much of it a run may have."""

import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_KEY: Final = re.compile(r"[A-Za-z0-9._~+/:-]+=*\Z", re.ASCII)
"""What follows `Bearer` (RFC 6750, 2.1), and `:`. Of it JSON and errors write only `/` otherwise, now and then."""
_MASKABLE: Final = 8
"""Characters that a key has at least: a shorter one is a word, and what the model writes would lose it."""
_KEY_MAX: Final = 512
"""Characters of a key at most: what a model says is looked through for it, piece by piece."""
_COMPLETIONS: Final = "/chat/completions"


class ModelSettings(BaseSettings):
    """The environment, `TWINWIRE_LLM_*`. What is refused is not repeated: it may be the key, in the wrong place."""

    model_config = SettingsConfigDict(
        env_prefix="TWINWIRE_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        str_strip_whitespace=True,
        hide_input_in_errors=True,
    )

    llm_url: str = Field(
        "",
        description="Base URL of an OpenAI-compatible endpoint, http://127.0.0.1:11434/v1: agents that ask its model"
        " take the place of the twelve; empty for those.",
    )
    llm_model: str = Field(
        "", max_length=200, validate_default=True, description="The model's name, as the endpoint knows it."
    )
    llm_key: SecretStr = Field(
        SecretStr(""), description="The key that the endpoint wants, sent as `Bearer`; empty if it wants none."
    )
    llm_tokens_max: int = Field(
        200_000,
        ge=1_000,
        le=1_000_000_000,
        description="Tokens that a run may use, asked and answered.",
        json_schema_extra={"unit": "tokens", "answer": "the run fails, and says so"},
    )
    llm_seconds_max: float = Field(
        900.0,
        ge=1,
        le=86_400,
        description="Seconds that a run may wait for the model.",
        json_schema_extra={"unit": "seconds", "answer": "the run fails, and says so"},
    )
    llm_answer_tokens: int = Field(
        8_192,
        ge=256,
        le=1_000_000,
        description="Tokens of one answer at most: the `max_tokens` that are asked for.",
        json_schema_extra={"unit": "tokens", "answer": "handed back to the model as cut off"},
    )
    llm_silence: float = Field(
        120.0,
        ge=0.1,
        le=3_600,
        description="Seconds without a byte from the endpoint after which it is given up.",
        json_schema_extra={"unit": "seconds", "answer": "asked again, four times in all"},
    )

    @field_validator("llm_url")
    @classmethod
    def _is_a_base(cls, text: str) -> str:
        try:
            parts = urlsplit(text)
            is_base = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port or an address that is none
            is_base = False
            parts = urlsplit("")
        if text and not is_base:
            raise ValueError("is a URL such as https://models.example.org/v1")
        if parts.username is not None or parts.password is not None:
            raise ValueError("has a name or a password in it: the key has a variable of its own, TWINWIRE_LLM_KEY")
        if parts.query or parts.fragment or re.search(r"[\x00-\x20\x7f]", text):
            raise ValueError("is a base URL, without ?, # or white space")
        return text.rstrip("/").removesuffix(_COMPLETIONS).rstrip("/")

    @field_validator("llm_model")
    @classmethod
    def _is_named(cls, name: str, others: ValidationInfo) -> str:
        if others.data.get("llm_url") and not name:
            raise ValueError("has to name the model, since TWINWIRE_LLM_URL is set")
        if not name.isprintable():
            raise ValueError("has a control character in it")
        return name

    @field_validator("llm_key")
    @classmethod
    def _is_a_key(cls, secret: SecretStr) -> SecretStr:
        key = secret.get_secret_value().strip()
        if key and not (_MASKABLE <= len(key) <= _KEY_MAX and _KEY.match(key)):
            rule = f"{_MASKABLE}-{_KEY_MAX} of A-Z a-z 0-9 . _ ~ + / : - and = at its end"
            raise ValueError(f"is {rule}; leave it empty if the endpoint wants none")
        return SecretStr(key)

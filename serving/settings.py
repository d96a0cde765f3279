"""What an installation may set: read once from the environment (`HOLOS_*`) into one frozen object."""

import os
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nlp.errors import InputError
from serving.registry import Registry

PREFIX = "HOLOS_"
MIB = 1024 * 1024
_DATA = Path(__file__).resolve().parent.parent / "data"

SHIPPED = Path("models") / "default"

Precision = Literal["auto", "fp32", "fast"]


_PRINTABLE = re.compile(r"[!-~]+")
"""What may stand in a header after `Bearer`."""


def _is_base(url: str) -> bool:
    """Whether paths can be put behind it: http or https, a host, and nothing that is no part of an address."""
    if not _PRINTABLE.fullmatch(url):
        return False
    try:
        found = urlsplit(url)
        named = found.hostname and (found.port is None or found.port > 0)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(named) and "@" not in found.netloc and not {*url} & {*"?#\\"}


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holos"


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "holos"


def _models_home() -> Path:
    return _data_home() / "models"


def _database() -> str:
    return f"sqlite:///{_data_home() / 'holos.db'}"


def _model_in_use(data: dict[str, Any]) -> Path:
    return Registry(data["models_dir"]).champion_folder() or data["data_dir"] / SHIPPED


class Settings(BaseSettings):
    """One installation's configuration; every field is also the variable `HOLOS_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(default=_DATA, description="folder of the taxonomy, policies, encoder graph and models")
    models_dir: Path = Field(
        default_factory=_models_home, description="registry of models: versions, the champion and the lineage"
    )
    model_dir: Path = Field(
        default_factory=_model_in_use,
        description="model folder in use; unset: the champion, or the model that ships where there is none",
    )
    database: str = Field(
        default_factory=_database,
        repr=False,  # it may hold a password
        description="where everything is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
    )
    background: bool = Field(
        default=True, description="whether `holos serve` does the background work too; false where `holos worker` runs"
    )
    demo: bool = Field(
        default=False, description="whether callers on this very computer need no key: for trials on made-up data"
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="address people reach this server at, for links in messages",
    )
    webhook_private: bool = Field(
        default=False, description="whether webhooks may go to private addresses and plain http: for trials only"
    )
    titles_url: str | None = Field(
        default=None, description="base URL of an OpenAI-compatible endpoint that writes titles of issues; unset: none"
    )
    titles_model: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        validate_default=True,
        description="the endpoint's name of the model to ask; needed with its URL",
    )
    titles_key: SecretStr | None = Field(
        default=None, repr=False, description="key of the endpoint, sent as a Bearer token; unset: none is sent"
    )
    cache_dir: Path = Field(default_factory=_cache_home, description="where filled encoders are kept between starts")
    datasets: Path | None = Field(default=None, description="folder of public data sets; training alone reads it")
    encoder: Path | None = Field(default=None, description="folder of an exported hub encoder; unset: the bundled one")
    precision: Precision = Field(default="auto", description="arithmetic of the encoder: auto, fp32 or fast")
    threads: int | None = Field(default=None, ge=1, le=1024, description="threads of the encoder; unset: its choice")
    max_items: int = Field(default=1000, ge=1, le=1000, description="responses in one request")
    max_body_bytes: int = Field(default=4 * MIB, ge=1024, description="bytes in one request body")
    max_import_bytes: int = Field(default=64 * MIB, ge=1024, description="bytes in one file sent to be imported")
    host: str = Field(default="127.0.0.1", min_length=1, description="address that `holos serve` listens on")
    port: int = Field(default=3000, ge=0, le=65535, description="port that `holos serve` listens on; 0: any free one")
    workers: int = Field(default=1, ge=1, le=256, description="processes of `holos serve`")

    @field_validator("titles_url")
    @classmethod
    def _base_url(cls, url: str | None) -> str | None:
        if url is not None and not _is_base(url):
            raise PydanticCustomError(
                "base_url",
                "give an address such as https://llm.example.com/v1, without user, password and what follows ? or #;"
                " a key goes into HOLOS_TITLES_KEY",
            )
        return url

    @field_validator("titles_model")
    @classmethod
    def _model_of_the_endpoint(cls, model: str | None, info: ValidationInfo) -> str | None:
        if model is None and info.data.get("titles_url") is not None:
            raise PydanticCustomError(
                "model_missing", "name the model that the endpoint is to use, or unset HOLOS_TITLES_URL"
            )
        return model

    @field_validator("titles_key")
    @classmethod
    def _fit_for_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not _PRINTABLE.fullmatch(key.get_secret_value()):
            raise PydanticCustomError("key_unfit", "give one word of printable ASCII characters")
        return key

    @property
    def follows_champion(self) -> bool:
        """Whether the model in use is whichever is champion, not a folder that was named."""
        return "model_dir" not in self.model_fields_set

    @property
    def shipped_model(self) -> Path:
        """The model that is in use while there is no champion."""
        return self.data_dir / SHIPPED


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; what is given here (and is not None) wins over the environment.

    Raises InputError that names every unknown or wrong variable.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise InputError(f"unknown setting {', '.join(unknown)}; the settings are {', '.join(sorted(known))}")
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise InputError("; ".join(_wrong(problem) for problem in error.errors(include_input=False))) from None


def _wrong(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    return f"setting {PREFIX}{name.upper()}: {problem['msg']}"

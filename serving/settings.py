"""What an installation may set: read once from the environment (`HOLOS_*`) into one frozen object."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nlp.errors import InputError
from serving.registry import Registry

PREFIX = "HOLOS_"
MIB = 1024 * 1024
_DATA = Path(__file__).resolve().parent.parent / "data"

SHIPPED = Path("models") / "default"

Precision = Literal["auto", "fp32", "fast"]


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

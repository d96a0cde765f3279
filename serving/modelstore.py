"""The BentoML model store: promoted models are kept there too, and the champion travels in a Bento.

A Bento's model is found by the Bento's own list, never by `holos:latest`, which is the model saved last and not the
champion.
"""

import os
from pathlib import Path
from typing import Any

# before bentoml is imported anywhere: it counts imports as well
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

import bentoml
import yaml
from bentoml.exceptions import NotFound
from bentoml.models import BentoModel

from serving.registry import Registry, Stored, copy_parts

NAME = "holos"
_SOURCE = Path(__file__).resolve().parents[1]
BENTO_FILE = "bento.yaml"


def tag_of(version: str) -> str:
    """BentoML's tags are in lower case."""
    return f"{NAME}:{version.lower()}"


def save(stored: Stored) -> str:
    """Puts a version into the model store, once; gives its tag."""
    tag = tag_of(stored.version)
    try:
        if bentoml.models.get(tag).info.metadata.get("digest") == stored.digest:
            return tag
        bentoml.models.delete(tag)  # of another registry, or changed by hand
    except NotFound:
        pass
    with bentoml.models.create(tag, metadata={"digest": stored.digest, "base": stored.base or ""}) as made:
        copy_parts(stored.folder, Path(made.path))
    return tag


class Champion(BentoModel):
    """The champion as a part of the service: a build bakes it in; a server that is no Bento does without it."""

    registry: Registry
    version: str

    def to_info(self, alias: str | None = None) -> Any:
        save(self.registry.stored(self.version))
        return super().to_info(alias)

    def resolve(self, base_path: Any = None, **store: Any) -> Any:
        # without a place to copy it to, this is the start of a server, which reads the registry instead
        return super().resolve(base_path, **store) if base_path is not None else self.stored


def champion(registry: Registry) -> Champion | None:
    """The champion, to be baked in where a Bento is built; None where the model that ships is in use."""
    pointer = registry.champion()
    if pointer is None or pointer.version is None:
        return None
    made = Champion(tag_of(pointer.version))
    for name, value in (("registry", registry), ("version", pointer.version)):
        object.__setattr__(made, name, value)  # the parent is frozen
    return made


def baked(source: Path = _SOURCE) -> BentoModel | None:
    """The model of the Bento that this code runs in; None outside, and in a Bento that was built without one."""
    path = source.parent / BENTO_FILE
    if source.name != "src" or not path.is_file():
        return None
    info = yaml.safe_load(path.read_text("utf-8"))
    listed = [
        *info.get("models", ()),
        *(model for each in info.get("services", ()) for model in each.get("models", ())),
    ]
    tags = [str(model["tag"]) for model in listed]
    return next((BentoModel(tag) for tag in tags if tag.startswith(f"{NAME}:")), None)


def folder_of(model: Any) -> Path | None:
    """Where a baked model lies."""
    stored = model.stored if isinstance(model, BentoModel) else None
    return Path(stored.path) if stored else None

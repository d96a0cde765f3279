"""Puts together what a process stands on: the database brought up to date, the policies, the reader of verbatims."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from nlp.artifact import read_rules
from nlp.pipeline import Analysis
from nlp.taxonomy import Taxonomy
from nlp.text import normalise
from nlp.types import Response
from serving import shipped
from serving.batcher import Classifier
from serving.issues.encoder import BareEncoder
from serving.keys import NewKey, first_key
from serving.parts import IssueVectors, Parts, utc_now
from serving.settings import Settings
from serving.store.database import Database
from serving.store.migrate import migrate


class Reader(Protocol):
    """What reads verbatims: a `serving.engine.Engine`, or a classifier by itself (`Alone`)."""

    async def analyse(self, responses: Sequence[Response]) -> list[Analysis]: ...

    def taxonomy(self) -> Taxonomy: ...

    def encoder(self, model: str) -> str: ...


class Alone:
    """A classifier that one caller has for itself, as a command does: no queue, no exchange."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    async def analyse(self, responses: Sequence[Response]) -> list[Analysis]:
        return await asyncio.to_thread(lambda: list(self._classifier.analyse(responses)))

    def taxonomy(self) -> Taxonomy:
        return getattr(self._classifier, "taxonomy", None) or shipped.taxonomy()

    def encoder(self, model: str) -> str:
        encoder = getattr(self._classifier, "encoder", None)
        return encoder.version if encoder else model


def open_database(settings: Settings) -> Database:
    """The database of the settings, with every table; raises InputError where it cannot be used."""
    database = Database(settings.database)
    migrate(database)
    return database


def first_start(settings: Settings) -> NewKey | None:
    """Brings the database up to date; the key of a new installation, None where there is or was one."""
    database = open_database(settings)
    try:
        return first_key(database, utc_now())
    finally:
        database.close()


def assemble(
    database: Database, settings: Settings, reader: Reader, issue_vectors: IssueVectors | None = None
) -> Parts:
    """Raises PolicyError for a policy file that is wrong; `issue_vectors` of the settings' own encoder if left out."""
    rules = read_rules(settings.data_dir)
    return Parts(
        database,
        settings,
        reader.analyse,
        rules.policy,
        redact=lambda text: rules.redactor.redact(normalise(text)).text,
        taxonomy=reader.taxonomy,
        encoder=reader.encoder,
        issue_vectors=issue_vectors or BareEncoder(settings),
    )

"""Puts together what a process stands on: the database brought up to date, the policies, the reader of verbatims."""

from nlp.artifact import read_rules
from nlp.text import normalise
from serving.engine import Engine
from serving.keys import NewKey, first_key
from serving.parts import Parts, utc_now
from serving.settings import Settings
from serving.store.database import Database
from serving.store.migrate import migrate


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


def assemble(database: Database, settings: Settings, engine: Engine) -> Parts:
    """Raises PolicyError for a policy file that is wrong."""
    rules = read_rules(settings.data_dir)
    return Parts(
        database,
        settings,
        engine.analyse,
        rules.policy,
        redact=lambda text: rules.redactor.redact(normalise(text)).text,
        taxonomy=engine.taxonomy,
        encoder=engine.encoder,
    )

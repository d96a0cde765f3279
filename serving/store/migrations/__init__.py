"""Versions of the database, one after the other; `serving.store.migrate` brings a database to the newest."""

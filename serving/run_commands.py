"""`holos demo` and `holos worker`: a throw-away installation to look at, and background work by itself."""

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp.errors import InputError
from serving.console import FAILED, complain, errors
from serving.learn import ModelOption

if TYPE_CHECKING:
    from serving.settings import Settings

SAMPLE = Path("sample") / "feedback.csv"
HOST = "127.0.0.1"
SCENARIOS = ("day",)


def register(app: typer.Typer) -> None:
    """Adds the commands to `holos`."""
    app.command()(demo)
    app.command()(worker)


def demo(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 3000 if left out.")] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="day", help="Plays a scripted day and prints what happens, instead.")
    ] = None,
    model: ModelOption = None,
) -> None:
    """Serves a throw-away database filled with the sample feedback; every route answers this computer without a key.

    Nothing of it is left afterwards.
    """
    from serving.settings import load_settings

    with errors(), tempfile.TemporaryDirectory(prefix="holos-demo-") as folder:
        if scenario is not None and scenario not in SCENARIOS:
            raise InputError(f"there is no scenario {scenario}; play one of {', '.join(SCENARIOS)}")
        database = f"sqlite:///{Path(folder) / 'demo.db'}"
        if scenario is not None:
            _play(context, load_settings(model_dir=model, database=database))
            return
        settings = load_settings(model_dir=model, database=database, demo=True, host=HOST, port=port, workers=1)
        _fill(context, settings)
        from serving.server import serve

        serve(settings, HOST, settings.port, 1)


def worker(model: ModelOption = None) -> None:
    """Does the background work by itself: alerts, clocks of cases, imports; for servers with HOLOS_BACKGROUND=false."""
    from serving.settings import load_settings

    with errors():
        asyncio.run(_work(load_settings(model_dir=model)))


def _fill(context: typer.Context, settings: "Settings") -> None:
    from serving.access import DEMO_WORKSPACE
    from serving.assembly import open_database
    from serving.keys import ensure_workspace
    from serving.mapping import ColumnMapping
    from serving.parts import utc_now
    from serving.store_commands import import_shown, parts_for

    database = open_database(settings)
    try:
        with database.write() as connection:
            ensure_workspace(connection, DEMO_WORKSPACE, utc_now())
        parts = parts_for(context, settings, database)
        tally = import_shown(parts, settings.data_dir / SAMPLE, ColumnMapping(), DEMO_WORKSPACE)
    finally:
        database.close()
    complain(f"{tally['created']} answers of the sample are stored; try http://{HOST}:{settings.port}/v1/cases")


def _play(context: typer.Context, settings: "Settings") -> None:
    from rich.console import Console

    from serving import logs
    from serving.cli import load_classifier
    from serving.scenario.play import play

    logs.configure()
    load = context.obj or load_classifier
    if play(lambda: load(settings), settings, Console().print).differences:
        raise typer.Exit(FAILED)


async def _work(settings: "Settings") -> None:
    from functools import partial

    from serving import logs
    from serving.assembly import assemble, open_database
    from serving.background import run_until_signalled
    from serving.engine import Engine
    from serving.loading import open_pipeline
    from serving.metrics import Metrics
    from serving.models import Models

    logs.configure()
    database = await asyncio.to_thread(open_database, settings)
    models = Models(settings, open_pipeline, partial(Engine, metrics=Metrics()))
    models.start()
    try:
        await run_until_signalled(assemble(database, settings, models.engine))
    finally:
        await models.close()
        database.close()

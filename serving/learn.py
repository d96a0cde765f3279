"""Commands that train, judge and prepare models; each reaches the training package when it runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nlp.errors import HolosError, InputError
from serving.console import errors

ModelOption = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="Model folder; the model that ships, if left out.")
]


def register(app: typer.Typer) -> None:
    """Puts the commands of this module, in this order, under `holos`."""
    for command in COMMANDS:
        app.command()(command)


def train(
    data: Annotated[Path, typer.Option(metavar="LABELS", help="Labelled rows, JSON Lines.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to write.")],
    taxonomy: Annotated[Path | None, typer.Option(metavar="TAX.yaml", help="Themes to learn.")] = None,
    dev: Annotated[Path | None, typer.Option(metavar="DEV", help="Labelled rows that choose thresholds.")] = None,
    mode: Annotated[
        Literal["heads", "full"], typer.Option(help="heads: on the frozen encoder; full: the encoder learns too.")
    ] = "heads",
) -> None:
    """Trains on labelled rows and writes a model folder that every other command takes as --model."""
    run_training("train", data=data, taxonomy=taxonomy, dev=dev, out=out, mode=mode)


def evaluate(
    data: Annotated[Path, typer.Option(metavar="LABELS", help="Labelled rows, JSON Lines.")],
    model: ModelOption = None,
    against: Annotated[Path | None, typer.Option(metavar="DIR", help="A second model, on the same rows.")] = None,
    output: Annotated[Path | None, typer.Option("--out", "-o", metavar="REPORT", help="The report to write.")] = None,
) -> None:
    """Scores a model on labelled rows, or compares two."""
    run_training("evaluate", model=model, data=data, against=against, output=output)


def encoder(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A hub name or a sentence-transformers model folder.")],
    model: ModelOption = None,
) -> None:
    """Exports a hub encoder under a model's adapter and prints its folder, to be named in HOLOS_ENCODER."""
    from serving.settings import load_settings

    with errors():
        settings = load_settings(model_dir=model)
        from nlp.folder import load_model

        adapter = load_model(settings.model_dir).adapter
        try:
            from training.hub import export_hub

            typer.echo(export_hub(name, settings.cache_dir, adapter))
        except ModuleNotFoundError as error:
            raise HolosError(f"encoder needs {error.name}; install it with: pip install 'holos[train]'") from None


def run_training(command: str, **arguments: Any) -> None:
    from serving.settings import load_settings

    with errors():
        settings = load_settings(model_dir=arguments.get("model"))
        if "model" in arguments:
            arguments["model"] = settings.model_dir
        if not arguments["data"].is_file():
            raise InputError(f"{arguments['data']} does not exist or is not a file; give labelled rows with --data")
        try:
            from training import cli

            getattr(cli, command)(**arguments, data_dir=settings.data_dir, cache_dir=settings.cache_dir)
        except ModuleNotFoundError as error:
            raise HolosError(f"{command} needs {error.name}; install it with: pip install 'holos[train]'") from None


COMMANDS: tuple[Callable[..., None], ...] = (train, evaluate, encoder)

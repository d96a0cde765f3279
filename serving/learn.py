"""Commands that train, judge and prepare models; each reaches the training package when it runs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nlp.errors import HolosError, InputError, ModelError
from serving.console import FAILED, complain, errors

if TYPE_CHECKING:
    from serving.lineage import Gate
    from serving.settings import Settings

ModelOption = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="Model folder; the champion, if left out.")
]


def register(app: typer.Typer) -> None:
    """Puts the commands of this module, in this order, under `holos`."""
    for command in COMMANDS:
        app.command()(command)


def train(
    data: Annotated[
        Path, typer.Option(metavar="LABELS", help="Labelled rows: .jsonl, .csv, .parquet, Label Studio .json, folder.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to write.")],
    taxonomy: Annotated[Path | None, typer.Option(metavar="TAX.yaml", help="Themes to learn.")] = None,
    dev: Annotated[Path | None, typer.Option(metavar="DEV", help="Labelled rows that choose thresholds.")] = None,
    mode: Annotated[
        Literal["heads", "full"], typer.Option(help="heads: on the frozen encoder; full: the encoder learns too.")
    ] = "heads",
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Model folder to start from; the one that ships, if left out.")
    ] = None,
    held: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of the rows that is kept for holos promote alone.")
    ] = 0.1,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=200, help="At most; by the number of rows if left out.")
    ] = None,
    trainings: Annotated[
        int,
        typer.Option(
            min=1, max=9, help="In full mode: so many from one start, one after the other; their mean is kept."
        ),
    ] = 1,
) -> None:
    """Trains on labelled rows and writes a model folder that every other command takes as --model.

    Prints what the rows hold and what the training will take. One in full mode that was interrupted goes on where it
    was when the same command is given again.
    """
    run_training("train", **locals())


def evaluate(
    data: Annotated[Path, typer.Option(metavar="LABELS", help="Labelled rows, JSON Lines.")],
    model: ModelOption = None,
    against: Annotated[Path | None, typer.Option(metavar="DIR", help="A second model, on the same rows.")] = None,
    output: Annotated[Path | None, typer.Option("--out", "-o", metavar="REPORT", help="The report to write.")] = None,
) -> None:
    """Scores a model on labelled rows, or compares two."""
    run_training("evaluate", model=model, data=data, against=against, output=output)


def promote(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The model folder of the candidate.")],
    data: Annotated[
        Path | None, typer.Option(metavar="LABELS", help="Labelled rows to compare on; those that training held back.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote whatever the gate says; this is recorded.")] = False,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Kept in the lineage.")] = None,
) -> None:
    """Makes a model the champion if it is nowhere worse than the champion by more than data/policies/gate.yaml allows.

    Without --model, every command and every running server uses the champion.
    """
    from serving.settings import load_settings

    with errors():
        settings = load_settings()
        from serving import promotion
        from serving.registry import digest_of

        now = promotion.before(settings)
        if now.flaw:
            complain(now.flaw)
        digest = digest_of(folder)
        gate = _ask_gate(settings, folder, now.folder, data, force)
        for line in (*gate.remarks, *gate.reasons):
            complain(line)
        if not gate.passed and not force:
            champion = now.version or promotion.SHIPPED
            complain(f"refused: {champion} stays the champion; to promote all the same: --force")
            raise typer.Exit(FAILED)
        promotion.record(settings, folder, digest, gate, now.version, force=force, note=note, say=typer.echo)


def rollback(
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Kept in the lineage.")] = None,
) -> None:
    """Makes the champion before champion again, or the model that ships where there was none."""
    from serving.settings import load_settings

    with errors():
        settings = load_settings()
        from serving import promotion

        promotion.go_back(settings, note, typer.echo)


def models() -> None:
    """Lists the versions in the registry, the champion and every change of it."""
    from serving.settings import load_settings

    with errors():
        settings = load_settings()
        from rich.console import Console

        from serving import promotion
        from serving.registry import Registry

        promotion.show(Registry(settings.models_dir), Console(width=promotion.WIDTH))


def labels(
    data: Annotated[Path, typer.Argument(metavar="LABELS", help="Labelled rows, as for train.")],
    taxonomy: Annotated[Path | None, typer.Option(metavar="TAX.yaml", help="Themes that may be named.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Converts: .jsonl, .csv, .parquet, .json, or a new folder."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="XML", help="Writes the labelling screen of a Label Studio project.")
    ] = None,
) -> None:
    """Prints what labelled rows hold and what is wrong with them; converts between forms of files.

    .json is Label Studio's, a folder is Hugging Face datasets'.
    """
    run_training("labels", data=data, taxonomy=taxonomy, output=output, config=config)


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


def _ask_gate(settings: "Settings", folder: Path, champion: Path, data: Path | None, force: bool) -> "Gate":
    """What the gate says of a candidate; forced without rows or against no readable champion, only that it works."""
    from rich.console import Console

    from serving import promotion
    from serving.lineage import Gate

    options = {"encoder": settings.encoder}
    try:
        from nlp.artifact import load_pipeline
        from training.promote import HELD, weigh

        def works(why: str) -> Gate:
            load_pipeline(folder, settings.data_dir, settings.cache_dir, **options)
            return Gate(None, (why,))

        if force and data is None and not (folder / HELD).is_file():
            return works(promotion.NOT_COMPARED)
        try:
            weighed = weigh(folder, champion, data, settings.data_dir, settings.cache_dir, **options)
        except ModelError as error:
            if not force:
                raise
            return works(f"not compared: {error}")
    except ModuleNotFoundError as error:
        raise HolosError(f"promote needs {error.name}; install it with: pip install 'holos[train]'") from None
    gate = promotion.gate_of(weighed.verdict)
    Console(width=promotion.WIDTH).print(promotion.figures_table(gate))
    typer.echo(f"compared on {weighed.rows} rows of {weighed.source}")
    return gate


def review(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="The queue: .jsonl, .csv, or .json for Label Studio.")
    ],
    source: Annotated[
        Path | None, typer.Argument(metavar="INPUT", help="Responses with or without labels: .jsonl, .csv, .parquet.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Rows of the queue.")] = 100,
    labels: Annotated[
        Path | None, typer.Option(metavar="LABELS", help="Rows labelled so far: they tell which themes are rare.")
    ] = None,
    wrong: Annotated[
        Path | None, typer.Option("--errors", metavar="LABELS", help="Labelled rows to be searched for wrong labels.")
    ] = None,
    model: ModelOption = None,
    against: Annotated[Path | None, typer.Option(metavar="DIR", help="A second model, to disagree with.")] = None,
) -> None:
    """Lists which answers to label next, each with the reason, and which labels are probably wrong.

    Rows of INPUT that carry labels are searched for wrong ones; the others are asked for.
    """
    with errors():
        if source is None and wrong is None:
            raise InputError("name the responses to choose from, or labelled rows with --errors")
    run_training(
        "review",
        data=source or wrong,
        count=count,
        labels=labels,
        wrong=wrong,
        model=model,
        against=against,
        output=out,
        given=source,
    )


def drift(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="Responses: .jsonl, .csv or .parquet.")],
    after: Annotated[Path | None, typer.Argument(metavar="[AFTER]", help="Later responses.")] = None,
    split_at: Annotated[
        str | None, typer.Option(metavar="DATE", help="Part BEFORE at this date instead, by answered_at or created_at.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="REPORT", help="The report to write: .html or .json.")
    ] = None,
    model: ModelOption = None,
) -> None:
    """Says whether responses changed between two periods, and in what: language, words, meaning, themes, scores."""
    run_training("drift", data=before, after=after, split_at=split_at, output=output, model=model)


def run_training(command: str, **arguments: Any) -> None:
    from serving.settings import load_settings

    with errors():
        settings = load_settings(model_dir=arguments.get("model"))
        if "model" in arguments:
            arguments["model"] = settings.model_dir
        if not arguments["data"].exists():
            raise InputError(f"{arguments['data']} does not exist; name a file of labelled rows")
        _keep_inputs(arguments)
        try:
            from training import cli

            getattr(cli, command)(**arguments, data_dir=settings.data_dir, cache_dir=settings.cache_dir)
        except ModuleNotFoundError as error:
            raise HolosError(f"{command} needs {error.name}; install it with: pip install 'holos[train]'") from None


def _keep_inputs(arguments: dict[str, Any]) -> None:
    """InputError where what a command writes is a file that it reads."""
    out = arguments.get("output") or arguments.get("out")
    if out is None or not out.is_file():
        return
    for given in arguments.values():
        if isinstance(given, Path) and given is not out and given.exists() and given.samefile(out):
            raise InputError(f"{out} is the input; give another name with --out")


COMMANDS: tuple[Callable[..., None], ...] = (labels, train, evaluate, review, drift, promote, rollback, models, encoder)

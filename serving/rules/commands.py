"""`holos rules`: checking a file of rules, and trying one on what is stored."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp.errors import InputError
from serving.console import errors

if TYPE_CHECKING:
    from nlp.taxonomy import Taxonomy
    from serving.rules.replay import Report
    from serving.rules.rule import RuleSet

RULES = typer.Typer(help="Routing rules: check a file, try one on stored responses.", no_args_is_help=True)

Rules = Annotated[Path, typer.Argument(metavar="FILE", help="A rule set, YAML.")]


def register(app: typer.Typer) -> None:
    """Puts `rules` with its commands under `holos`."""
    app.add_typer(RULES, name="rules")


@RULES.command()
def check(file: Rules) -> None:
    """Checks a file of rules: every mistake with its line, column and reason."""
    from serving.loading import model_frame
    from serving.settings import load_settings

    with errors():
        rules = _read(file, model_frame(load_settings()))
        typer.echo(f"{file}: {len(rules.rules)} rules, mode {rules.mode}, are fit to be put in force")


@RULES.command()
def test(
    file: Rules,
    workspace: Annotated[str, typer.Option(help="Whose responses.")] = "default",
    days: Annotated[int, typer.Option(min=1, max=3660, help="How far back.")] = 90,
    limit: Annotated[int, typer.Option(min=1, help="Responses at most, the newest.")] = 200_000,
    examples: Annotated[int, typer.Option(min=0, max=100, help="Ids of responses that would change, at most.")] = 10,
) -> None:
    """Tries a file of rules on stored responses and prints what would change; changes nothing."""
    from serving.frame.store import frame_of
    from serving.loading import model_frame
    from serving.parts import utc_now
    from serving.rules.testing import try_rules
    from serving.settings import load_settings
    from serving.store.database import Database

    with errors():
        settings, now = load_settings(), utc_now()
        database = Database(settings.database)
        with database.read() as connection:
            since, frame = now - timedelta(days=days), frame_of(connection, workspace, model_frame(settings))
            rules = _read(file, frame)
            trial = try_rules(connection, workspace, rules, frame, since, now, limit, examples)
        database.close()
        for line in lines(trial.report, trial.since, now):
            typer.echo(line)


def lines(report: "Report", since: datetime, until: datetime) -> list[str]:
    """A report as it is printed; rows of which nothing changes are left out."""
    head = [
        f"{report.responses} responses from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC",
        f"{report.changed} would be treated otherwise",
        f"cases: {report.cases.before} -> {report.cases.after} ({report.opens} more, {report.drops} fewer)",
    ]
    tables = {"priority": report.priorities, "action": report.actions, "team": report.teams}
    tables |= {"person": report.assignees, "tag": report.tags}
    moved = [
        f"{kind} {name}: {change.before} -> {change.after}"
        for kind, changes in tables.items()
        for name, change in changes.items()
        if change.before != change.after
    ]
    gone = [f"rule {rule.id}: {_number(rule.before)} -> {_number(rule.after)}" for rule in report.rules]
    failed = [f"rule {rule.id}: failed on {rule.errors}: {rule.error}" for rule in report.rules if rule.errors]
    shown = [f"{each.uid}: {_rules(each.before.matched)} -> {_rules(each.after.matched)}" for each in report.examples]
    return [*head, *moved, *gone, *failed, *shown]


def _number(matches: int | None) -> str:
    return "no such rule" if matches is None else str(matches)


def _rules(matched: tuple[str, ...]) -> str:
    return ", ".join(matched) or "no rule"


def _read(file: Path, frame: "Taxonomy") -> "RuleSet":
    from serving.rules.document import parse_rules

    try:
        source = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {type(error).__name__}") from None
    return parse_rules(source, str(file), frame)

"""What `holos promote`, `holos rollback` and `holos models` do with the registry, once the gate has spoken."""

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nlp.errors import HolosError, ModelError
from serving.lineage import Champion, Gate
from serving.registry import Registry, Stored
from serving.settings import Settings

SHIPPED = "the model that ships"
WIDTH = 120
NOT_COMPARED = "not compared with the champion: there were no labelled rows"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Before:
    """The champion that a candidate meets: its version (None: the model that ships), its folder, what is wrong."""

    version: str | None
    folder: Path
    flaw: str | None = None


def before(settings: Settings) -> Before:
    """The champion now. One that was damaged since can still be replaced."""
    registry = Registry(settings.models_dir)
    champion = registry.champion()
    if champion is None or champion.version is None:
        return Before(None, settings.shipped_model)
    try:
        return Before(champion.version, registry.stored(champion.version).folder)
    except ModelError as error:
        return Before(champion.version, registry.path(champion.version), str(error))


def gate_of(verdict: Any) -> Gate:
    """A verdict of the gate as the lineage keeps it."""
    figures = tuple(each.to_dict() for each in verdict.figures)
    return Gate(verdict.passed, verdict.reasons, verdict.remarks, figures)


def record(
    settings: Settings,
    folder: Path,
    digest: str,
    gate: Gate,
    over: str | None,
    *,
    force: bool,
    note: str | None,
    say: Say,
) -> Champion:
    """Makes the model in `folder`, still of this `digest`, the champion; saves it in the BentoML model store too."""
    registry = Registry(settings.models_dir)
    stored = registry.add(folder, digest)
    forced = force and not gate.passed
    champion = registry.promote(stored.version, gate, by=user(), forced=forced, note=note, over=over)
    say(
        f"{stored.version} is the champion{', forced' if forced else ''}; "
        f"before: {champion.change.before or SHIPPED}; back with: holos rollback"
    )
    _save(stored, say)
    return champion


def go_back(settings: Settings, note: str | None, say: Say) -> None:
    """The champion before is champion again."""
    champion = Registry(settings.models_dir).rollback(by=user(), note=note)
    say(f"{champion.version or SHIPPED} is the champion again; {champion.change.before or SHIPPED} is not any more")


def figures_table(gate: Gate) -> Table:
    """Candidate beside champion."""
    table = _table("figure", "in", "labels", "champion", "candidate", "change")
    for each in gate.figures:
        change = each["candidate"] - each["champion"]
        values = f"{each['champion']:.3f}", f"{each['candidate']:.3f}", f"{change:+.3f}"
        _add(table, each["figure"], each["group"], each["support"], *values)
    return table


def show(registry: Registry, console: Console) -> None:
    """Versions and lineage as tables."""
    champion, lineage = registry.champion(), registry.lineage()
    in_use = champion.version if champion else None
    versions = _table("version", "champion", "trained from", "promoted first", "gate passed")
    for version in registry.versions():
        changes = [change for change in lineage if change.to == version and change.kind == "promotion"]
        first = (changes[0].base or "", changes[0].at) if changes else ("", "never")
        passed = any(change.gate.passed for change in changes)
        _add(versions, version, "yes" if version == in_use else "", *first, "yes" if passed else "no")
    _add(versions, SHIPPED, "" if in_use else "yes", "", "", "")
    console.print(versions)
    if lineage:
        told = _table("when", "what", "from", "to", "by", "note")
        for change in lineage:
            what = f"{change.kind}, forced" if change.forced else change.kind
            _add(told, change.at, what, change.before or SHIPPED, change.to or SHIPPED, change.by, change.note or "")
        console.print(told)


def user() -> str:
    """Who changes the champion, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"


def _save(stored: Stored, say: Say) -> None:
    """The registry is what counts: a store that cannot be written is told, and does not undo the promotion."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what bentoml's own imports deprecate
            from serving.modelstore import save

            say(f"saved in the BentoML model store as {save(stored)}")
    except (HolosError, OSError, ImportError, RuntimeError, ValueError) as error:
        say(f"not saved in the BentoML model store ({type(error).__name__}); bentoml build will do it")


def _table(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(Text(column))
    return table


def _add(table: Table, *cells: object) -> None:
    table.add_row(*(Text(str(cell)) for cell in cells))

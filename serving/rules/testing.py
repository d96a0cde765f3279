"""Rules tried on the stored responses of a workspace before they go live."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from nlp.taxonomy import Taxonomy
from serving.rules.history import history, newest
from serving.rules.replay import NOBODY, Report, replay
from serving.rules.rule import RuleSet
from serving.rules.ruleset import current


@dataclass(frozen=True, slots=True)
class Trial:
    """A report and the beginning of what it is about: later than asked where there were too many responses."""

    since: datetime
    report: Report


def try_rules(
    connection: Connection,
    workspace: str,
    given: RuleSet | None,
    frame: Taxonomy,
    since: datetime,
    until: datetime,
    most: int,
    examples: int,
) -> Trial:
    """What the rules given would change; without any, what those in force change against having none."""
    in_force = current(connection, workspace)
    before, after = (in_force, given) if given is not None else (NOBODY, in_force)
    start = newest(connection, workspace, since, until, most) or since
    found = history(connection, workspace, [before, after], frame, start, until)
    return Trial(start, replay(found, before, after, examples))

"""The brief of whoever calls a customer: what they said, what was before, how to begin and what not to promise."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection, RowMapping, select

from serving.cases import listing, rows
from serving.cases.assignment import is_negative
from serving.cases.briefs import Briefs, Sentences
from serving.cases.state import NoContactError
from serving.rules.lineage import Lineage
from serving.store.loop_tables import case_responses, cases
from serving.store.tables import respondents, responses, workspaces

MAX_HISTORY = 10
"""Earlier answers and cases of a person that a caller can take in before a call; the newest ones."""

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]


class Person(BaseModel):
    """Whom to call, and what is known to reach them."""

    id: str
    segment: str | None
    attributes: dict[str, Any] = Field(description="as the sender gave them: phone, e-mail, name")


class Said(BaseModel):
    """An answer in the customer's (redacted) words."""

    response: str
    at: datetime
    touchpoint: str | None
    text: str


class Quote(BaseModel):
    """What the customer is unhappy with, in their words."""

    response: str
    theme: str
    label: str
    text: str


class EarlierCase(BaseModel):
    """A case of this person before this one."""

    id: str
    state: str
    theme: str | None
    opened_at: datetime
    promise: str | None
    satisfied: bool | None


class Tried(BaseModel):
    """An attempt to reach this person in this case or an earlier one."""

    case: str
    at: datetime
    channel: str
    result: str
    notes: str | None


class Brief(BaseModel):
    """All a caller needs, in the language of the call; no sentence cites a score."""

    case: str
    language: str
    person: Person | None
    said: list[Said]
    quotes: list[Quote]
    opening: str
    apology: str | None
    say: list[str]
    ask: list[str]
    closing: str
    never: list[str] = Field(description="what not to say or promise")
    earlier_answers: list[Said]
    earlier_cases: list[EarlierCase]
    attempts: list[Tried]


def compose(
    connection: Connection, workspace: str, id: str, briefs: Briefs, lineage: Lineage, language: str | None
) -> Brief:
    """The brief of a case; NoContactError where the person must not be contacted.

    `lineage`: which themes are under which, in the workspace's code frame.
    """
    row = rows.find_case(connection, workspace, id)
    if not row["contact"]:
        raise NoContactError("this person must not be contacted, so there is no brief; learn from the case instead")
    found = listing.responses_of(connection, workspace, id)
    code = briefs.code(language or (found[0]["language"] if found else None))
    sentences = briefs.languages[code]
    quotes = [quote for response in found for quote in _quotes(response, sentences)]
    signals = {signal for response in found for signal in response["signals"]}
    earlier = _earlier_cases(connection, workspace, row)
    return Brief(
        case=id,
        language=code,
        person=_person(connection, workspace, row["respondent"]),
        said=[_said(response) for response in found],
        quotes=quotes,
        opening=sentences.opening("contact_request" in signals, _company(connection, workspace)),
        apology=_apology(sentences, found, quotes, signals),
        say=_say(sentences, row, quotes),
        ask=list(sentences.questions),
        closing=sentences.single["closing"],
        never=_never(sentences, signals, {name for quote in quotes for name in lineage.above(quote.theme)}),
        earlier_answers=_earlier_answers(connection, workspace, row),
        earlier_cases=[_earlier_case(case) for case in earlier],
        attempts=[_tried(each) for case in (*earlier, row) for each in _attempts(connection, workspace, case["id"])],
    )


def _quotes(response: RowMapping, sentences: Sentences) -> Iterator[Quote]:
    text, uid = response["effective"].get("text") or "", response["uid"]
    for tag in response["effective"].get("themes") or []:
        if not is_negative(tag):
            continue
        label = sentences.themes.get(tag["id"]) or tag.get("label") or tag["id"]
        # a theme that a person added has no evidence: the whole comment stands for it
        for span in tag.get("spans") or [{"start": 0, "end": len(text)}]:
            if words := text[span["start"] : span["end"]].strip():
                yield Quote(response=uid, theme=tag["id"], label=label, text=words)


def _apology(
    sentences: Sentences, found: Sequence[RowMapping], quotes: Sequence[Quote], signals: set[str]
) -> str | None:
    if "safety_risk" in signals:
        return sentences.single["apology_safety"]
    unhappy = quotes or any(response["sentiment"] == "negative" for response in found)
    return sentences.single["apology"] if unhappy else None


def _say(sentences: Sentences, row: RowMapping, quotes: Sequence[Quote]) -> list[str]:
    labels = list(dict.fromkeys(quote.label for quote in quotes))
    said = [sentences.single["again"]] if row["attempts"] and row["first_contact_at"] is None else []
    return [*said, sentences.about(labels) if labels else sentences.single["thanks"]]


def _never(sentences: Sentences, signals: set[str], themes: set[str]) -> list[str]:
    """What always holds, then what these signals and themes ask for; `themes`: those above them too."""
    by_signal = [text for signal, text in sentences.never_signals.items() if signal in signals]
    by_theme = [text for name, text in sentences.never_themes.items() if name in themes]
    return [*by_signal, *by_theme, *sentences.never]


def _said(response: Mapping[str, Any]) -> Said:
    at, text = response["answered_at"], response["text"]
    return Said(response=response["uid"], at=at, touchpoint=response["touchpoint"], text=text)


def _person(connection: Connection, workspace: str, id: str | None) -> Person | None:
    statement = select(respondents).where(respondents.c.workspace == workspace, respondents.c.id == id)
    row = connection.execute(statement).mappings().one_or_none()
    return Person(id=row["id"], segment=row["segment"], attributes=row["attributes"]) if row else None


def _company(connection: Connection, workspace: str) -> str | None:
    return connection.execute(select(workspaces.c.name).where(workspaces.c.id == workspace)).scalar()


def _earlier_answers(connection: Connection, workspace: str, row: RowMapping) -> list[Said]:
    """Answers of the same person that are not part of this case."""
    here = select(case_responses.c.response).where(
        case_responses.c.workspace == workspace, case_responses.c.case == row["id"]
    )
    statement = select(responses).where(
        responses.c.workspace == workspace,
        responses.c.respondent == row["respondent"],
        responses.c.uid.not_in(here),
    )
    newest = statement.order_by(responses.c.answered_at.desc(), responses.c.uid).limit(MAX_HISTORY)
    return [_said(each) for each in connection.execute(newest).mappings()]


def _earlier_cases(connection: Connection, workspace: str, row: RowMapping) -> list[RowMapping]:
    statement = select(cases).where(
        cases.c.workspace == workspace, cases.c.respondent == row["respondent"], cases.c.id != row["id"]
    )
    newest = statement.order_by(cases.c.opened_at.desc(), cases.c.id).limit(MAX_HISTORY)
    return list(connection.execute(newest).mappings())


def _earlier_case(row: RowMapping) -> EarlierCase:
    outcome = row["outcome"] or {}
    done = {"promise": outcome.get("promise"), "satisfied": outcome.get("satisfied")}
    return EarlierCase(id=row["id"], state=row["state"], theme=row["theme"], opened_at=row["opened_at"], **done)


def _attempts(connection: Connection, workspace: str, id: str) -> Sequence[RowMapping]:
    return listing.attempts_of(connection, workspace, id)


def _tried(row: RowMapping) -> Tried:
    return Tried(**{name: row[name] for name in Tried.model_fields})

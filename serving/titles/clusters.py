"""Titles for the issues of a file: asked for one after the other, as far as the endpoint answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.settings import Settings
from serving.titles.endpoint import DECLINED_IN_A_ROW, DeclinedError, Endpoint, EndpointError
from serving.titles.line import RefusedTitleError, title_in
from serving.titles.prompt import Subject, messages

LONGEST = 600.0
"""Seconds for all issues of a file; somebody sits and waits for it."""


async def give_titles(
    clusters: Sequence[dict[str, Any]],
    themes: Mapping[str, str],
    language: str | None,
    settings: Settings,
    redact: Callable[[str], str],
    say: Callable[[str], None],
) -> None:
    """Puts a `title` into each cluster of `holos cluster` that the settings' endpoint gives one, at once as it comes.

    `themes`: labels by id; `language`: None for each issue's most frequent; `say` takes remarks. Never raises for what
    the endpoint does: it ends where an answer cannot be read or LONGEST is over, a line or a request that is refused
    leaves one issue without.
    """
    asking = _Asking()
    try:
        async with asyncio.timeout(LONGEST), Endpoint(settings) as endpoint:
            for found in clusters:
                await asking.one(endpoint, found, _subject(found, themes, language), redact)
    except (EndpointError, TimeoutError) as error:
        why = str(error) if isinstance(error, EndpointError) else f"{LONGEST / 60:g} minutes are over"
        count = len(clusters)
        say(f"no titles for {count - asking.answered} of {count} issues: {why} (HOLOS_TITLES_URL)")
    if asking.refused:
        say(f"{asking.refused} of the endpoint's titles refused; these issues have their labels alone")


@dataclass(slots=True)
class _Asking:
    """How far the asking is: issues that were answered, those of them without a title, declined requests in a row."""

    answered: int = 0
    refused: int = 0
    declined: int = 0

    async def one(
        self, endpoint: Endpoint, found: dict[str, Any], subject: Subject, redact: Callable[[str], str]
    ) -> None:
        """Asks for one issue; raises EndpointError where the next would meet the same."""
        try:
            answer = await endpoint.ask(messages(subject, redact))
            found["title"] = title_in(answer, subject.quotes, redact)
            self.declined = 0
        except RefusedTitleError:
            self.refused, self.declined = self.refused + 1, 0
        except DeclinedError:
            if self.declined + 1 >= DECLINED_IN_A_ROW:
                raise
            self.refused, self.declined = self.refused + 1, self.declined + 1
        self.answered += 1


def _subject(found: Mapping[str, Any], themes: Mapping[str, str], language: str | None) -> Subject:
    own = next((code for code in found["languages"] if code != "und"), None)
    told = [themes.get(theme, theme) for theme in found["themes"]]
    return Subject(found["quotes"], found["keywords"], told, language or own)

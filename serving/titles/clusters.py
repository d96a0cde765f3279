"""Titles for the issues of a file: asked for one after the other, as far as the endpoint answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serving.settings import Settings
from serving.titles.endpoint import Endpoint, EndpointError
from serving.titles.line import RefusedTitleError, title_in
from serving.titles.prompt import Subject, messages


async def give_titles(
    clusters: Sequence[dict[str, Any]],
    themes: Mapping[str, str],
    language: str | None,
    settings: Settings,
    redact: Callable[[str], str],
    say: Callable[[str], None],
) -> None:
    """Puts a `title` into each cluster of `holos cluster` that the settings' endpoint gives one.

    `themes`: labels by id; `language`: None for each issue's most frequent; `say` takes remarks. Never raises for what
    the endpoint does: the first answer that cannot be read ends it, a line that is refused leaves one issue without.
    """
    refused = 0
    async with Endpoint(settings) as endpoint:
        for number, found in enumerate(clusters):
            subject = _subject(found, themes, language)
            try:
                answer = await endpoint.ask(messages(subject, redact))
                found["title"] = title_in(answer, subject.quotes, redact)
            except RefusedTitleError:
                refused += 1
            except EndpointError as error:
                say(f"no titles for {len(clusters) - number} of {len(clusters)} issues: {error} (HOLOS_TITLES_URL)")
                break
    if refused:
        say(f"{refused} of the endpoint's titles refused; these issues have their labels alone")


def _subject(found: Mapping[str, Any], themes: Mapping[str, str], language: str | None) -> Subject:
    own = next((code for code in found["languages"] if code != "und"), None)
    told = [themes.get(theme, theme) for theme in found["themes"]]
    return Subject(found["quotes"], found["keywords"], told, language or own)

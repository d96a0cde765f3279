"""What issues may be called: in the workspace's language, by the themes of its code frame, none like another."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from serving import shipped
from serving.cases.briefs import load_briefs
from serving.frame.effective import Frame
from serving.frame.store import frame_of
from serving.issues.known import ENDED
from serving.parts import Parts
from serving.store.issue_tables import clusters
from serving.store.language import language_of

SHIPPED_IN = "en"
"""The language that the labels of the shipped code frame are in."""
_NO_FRAME = Frame("", ())


@dataclass(frozen=True, slots=True)
class Called:
    """What an issue is called: `name` by people, `label` by the run that last saw it."""

    name: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Naming:
    """What a run names issues by; `called`: by id, those there are already."""

    language: str | None = None
    """None: each issue is named in the language that most of its answers are in."""
    frame: Frame = _NO_FRAME
    themes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By language, what the themes that ship are called in it."""
    called: Mapping[str, Called] = field(default_factory=dict)

    def theme(self, id: str, language: str | None) -> str:
        """What a theme is called in a language; as its code frame calls it where that is not the one that ships."""
        id = self.frame.named(id)
        label = self.frame.label(id)
        if language == SHIPPED_IN or label != _shipped().get(id):
            return label
        return self.themes.get(language or "", {}).get(id, label)

    def taken(self, renamed: Collection[str]) -> set[str]:
        """Names that no issue may be given in a run that names these anew: people's, and those of the others."""
        named = {each.name for each in self.called.values() if each.name}
        return named | {each.label for id, each in self.called.items() if id not in renamed}


def naming_of(connection: Connection, parts: Parts, workspace: str) -> Naming:
    """How a workspace's issues are to be named now; PolicyError where the file that names themes is wrong."""
    languages = load_briefs(parts.settings.data_dir).languages
    of = clusters.c
    known = connection.execute(
        select(of.id, of.name, of.label).where(of.workspace == workspace, of.state != ENDED)
    ).all()
    return Naming(
        language_of(connection, workspace),
        frame_of(connection, workspace, parts.taxonomy()),
        {code: sentences.themes for code, sentences in languages.items()},
        {row.id: Called(row.name, row.label) for row in known},
    )


def _shipped() -> Mapping[str, str]:
    return {theme.id: theme.label for theme in shipped.taxonomy().themes}

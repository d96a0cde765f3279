"""The lineage of a frame is worked out once, and found again without reading the frame."""

from typing import Any

from nlp.taxonomy import Theme
from serving.frame.effective import Frame
from serving.outbox.about import About, within
from serving.outbox.targets import Scope
from serving.rules.lineage import descendants, lineage_of, theme_ids

THEMES = (Theme("a", "A", ""), Theme("b", "B", "", "a"))


class Unread(Frame):
    """A frame that must not be compared or hashed by what it holds."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")


def frame(of: type[Frame] = Unread, **more: Any) -> Frame:
    return of("v", THEMES, own_version=1, **more)


def test_the_lineage_of_a_frame_is_found_without_reading_the_frame() -> None:
    mine, same = frame(), frame()
    assert lineage_of(mine) is lineage_of(mine) is not lineage_of(same)
    assert descendants("a", mine) == ["a", "b"] and theme_ids(mine) == {"a", "b"}
    assert within(Scope(themes=("a",)), About(themes=frozenset({"b", "other"})), mine)


def test_frames_of_one_version_and_other_content_have_a_lineage_each() -> None:
    for _ in range(100):  # more than are remembered: no frame gets what a forgotten one of its address had
        assert lineage_of(frame(Frame)).above("b") == ("b", "a")
        assert lineage_of(frame(Frame, moved=frozenset({"a.c"}))).above("a.c") == ("a.c",)

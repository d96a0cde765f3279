"""What issues hold of answers that go: quotes, titles made of them, and words of names that stood in them alone."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, update

from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import responses

AT_ONCE = 500
UNNAMED = "…"
"""The label of an issue of whose words none are left; the next full run names it anew."""
UNTITLED: Mapping[str, None] = {"title": None, "title_of": None}
"""The columns of an issue whose title is gone; an endpoint may be asked for another."""
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def forget(connection: Connection, workspace: str, uids: Sequence[str]) -> int:
    """Takes answers that are about to be deleted out of the issues they are in; tells how many issues that changed.

    Their rows in `cluster_members` go with the answers themselves. An issue that loses all its members loses its words.
    """
    touched = _issues_of(connection, workspace, uids)
    quoted = forget_quotes(connection, workspace, uids)
    going = _texts(connection, workspace, uids)
    for id, count in touched.items():
        _forget_words(connection, workspace, id, going, uids, count)
    return len(set(touched) | quoted)


def forget_quotes(connection: Connection, workspace: str, uids: Collection[str]) -> set[str]:
    """Removes the quotes of these answers, and titles made of them; the issues that had some."""
    gone, mine = set(uids), clusters.c.workspace == workspace
    rows = connection.execute(select(clusters.c.id, clusters.c.quotes, clusters.c.title_of).where(mine)).all()
    return {row.id for row in rows if _without(connection, workspace, row, gone)}


def forget_quotes_in(connection: Connection, workspace: str, id: str, uids: Collection[str]) -> None:
    """Removes the quotes of answers that left one issue, and the title made of them."""
    asked = select(clusters.c.id, clusters.c.quotes, clusters.c.title_of)
    row = connection.execute(asked.where(clusters.c.workspace == workspace, clusters.c.id == id)).one()
    _without(connection, workspace, row, set(uids))


def made_of(title_of: Any) -> frozenset[str]:
    """The answers that a title was made of, by what the column says."""
    found = title_of.get("quotes") if isinstance(title_of, Mapping) else None
    return frozenset(found) if isinstance(found, list) else frozenset()


def _without(connection: Connection, workspace: str, row: Row[Any], gone: set[str]) -> bool:
    """Takes answers that are gone out of an issue's quotes and title; whether there were any."""
    quotes = row.quotes
    left = [each for each in quotes if each.get("response") not in gone] if isinstance(quotes, list) else quotes
    if left == quotes and not gone & made_of(row.title_of):
        return False
    # the title goes with any of the quotes: another process may have written it since the row was read
    mine = (clusters.c.workspace == workspace, clusters.c.id == row.id)
    connection.execute(update(clusters).where(*mine).values(quotes=left, **UNTITLED))
    return True


def _forget_words(
    connection: Connection, workspace: str, id: str, going: str, uids: Collection[str], count: int
) -> None:
    of, mine = clusters.c, (clusters.c.workspace == workspace, clusters.c.id == id)
    row = connection.execute(select(of.keywords, of.label, of.title, of.size).where(*mine).with_for_update()).one()
    words = [word for word in row.keywords if isinstance(word, str)]
    left = _texts(connection, workspace, _members(connection, workspace, id) - set(uids))
    lost = _only_in(going, left, words)
    new: dict[str, Any] = {"size": max(0, row.size - count)}
    if lost or not left:
        words = [word for word in row.keywords if word not in lost] if left else []
        label = ", ".join(words[:2]) or UNNAMED
        new |= {"keywords": words, "label": label[:1].upper() + label[1:]}
    if lost or not left or _only_in(going, left, _WORD.findall(_folded(row.title or ""))):
        new |= UNTITLED
    connection.execute(update(clusters).where(*mine).values(new))


def _only_in(going: str, left: str, words: Iterable[str]) -> set[str]:
    """The words that stand in texts that go and in none that is left."""
    return {word for word in words if (folded := _folded(word)) in going and folded not in left}


def _issues_of(connection: Connection, workspace: str, uids: Sequence[str]) -> Mapping[str, int]:
    of, found = cluster_members.c, dict[str, int]()
    for start in range(0, len(uids), AT_ONCE):
        mine = and_(of.workspace == workspace, of.response.in_(uids[start : start + AT_ONCE]))
        for id, count in connection.execute(select(of.cluster, func.count()).where(mine).group_by(of.cluster)):
            found[id] = found.get(id, 0) + count
    return dict(sorted(found.items()))


def _members(connection: Connection, workspace: str, id: str) -> set[str]:
    of = cluster_members.c
    return set(connection.execute(select(of.response).where(of.workspace == workspace, of.cluster == id)).scalars())


def _texts(connection: Connection, workspace: str, uids: Collection[str]) -> str:
    """The verbatims of these answers, in lower case, one a line."""
    ordered, found = sorted(uids), []
    for start in range(0, len(ordered), AT_ONCE):
        some = ordered[start : start + AT_ONCE]
        asked = select(responses.c.text).where(responses.c.workspace == workspace, responses.c.uid.in_(some))
        found += connection.execute(asked.order_by(responses.c.uid)).scalars()
    return _folded("\n".join(found))


def _folded(text: str) -> str:
    return text.casefold().replace("’", "'").replace("ʼ", "'")

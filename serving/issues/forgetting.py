"""What issues hold of answers that go: quotes, and words of names that stood in them alone."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from serving.store.issue_tables import cluster_members, clusters
from serving.store.tables import responses

AT_ONCE = 500
UNNAMED = "…"
"""The label of an issue of whose words none are left; the next full run names it anew."""


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
    """Removes the quotes of these answers; the issues that had some."""
    gone, changed = set(uids), set()
    mine = clusters.c.workspace == workspace
    for id, quotes in connection.execute(select(clusters.c.id, clusters.c.quotes).where(mine)).all():
        left = [each for each in quotes if each.get("response") not in gone] if isinstance(quotes, list) else quotes
        if left != quotes:
            changed.add(id)
            connection.execute(update(clusters).where(mine, clusters.c.id == id).values(quotes=left))
    return changed


def forget_quotes_in(connection: Connection, workspace: str, id: str, uids: Collection[str]) -> None:
    """Removes the quotes of answers that left one issue."""
    gone, mine = set(uids), (clusters.c.workspace == workspace, clusters.c.id == id)
    quotes = connection.execute(select(clusters.c.quotes).where(*mine)).scalar_one()
    left = [each for each in quotes if each["response"] not in gone]
    connection.execute(update(clusters).where(*mine).values(quotes=left))


def _forget_words(
    connection: Connection, workspace: str, id: str, going: str, uids: Collection[str], count: int
) -> None:
    mine = (clusters.c.workspace == workspace, clusters.c.id == id)
    row = connection.execute(select(clusters.c.keywords, clusters.c.label, clusters.c.size).where(*mine)).one()
    own = [word for word in row.keywords if isinstance(word, str) and word.casefold() in going]
    left = _texts(connection, workspace, _members(connection, workspace, id) - set(uids))
    lost = {word for word in own if word.casefold() not in left}
    new: dict[str, Any] = {"size": max(0, row.size - count)}
    if lost or not left:
        words = [word for word in row.keywords if word not in lost] if left else []
        label = ", ".join(words[:2]) or UNNAMED
        new |= {"keywords": words, "label": label[:1].upper() + label[1:]}
    connection.execute(update(clusters).where(*mine).values(new))


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
    return "\n".join(found).casefold().replace("’", "'").replace("ʼ", "'")

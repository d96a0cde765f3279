"""Whether everybody was told: each event reached the program, signed, under one id, and each mailbox got its mails."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.scenario.by_hand import Desk, digests
from serving.scenario.receivers import Call
from serving.scenario.setting_up import COURIERS, FRONT, MANAGER

FLAGGED = "response.flagged"
"""Rules name whom these are for, and the program is not among them."""
TO_MANAGER = ("case.breached", "case.escalated", "case.unreachable", FLAGGED)


def alerts_told(
    desk: Desk, events: Sequence[Mapping[str, Any]], calls: Sequence[Call], mails: Mapping[str, int]
) -> list[str]:
    """What is wrong, in words; nothing, if all is well."""
    wanted = {event["id"] for event in events if event["type"] != FLAGGED and not event["type"].startswith("channel.")}
    taken = {call.id for call in calls if call.taken}
    found = [f"{len(wanted - taken)} events were never told"] if wanted - taken else []
    if taken - wanted:
        found.append(f"{len(taken - wanted)} calls told of no event")
    if not all(call.genuine for call in calls):
        found.append("a call was not signed by us")
    bodies = {(call.id, call.body) for call in calls}
    if len(bodies) != len({call.id for call in calls}):
        found.append("a call that was tried again told something else")
    expected = {
        MANAGER: sum(desk.told[type] for type in TO_MANAGER),
        COURIERS: desk.courier_mails,
        FRONT: digests(desk.script),
    }
    return found + [
        f"{mailbox} got {mails[mailbox]} mails, {number} by hand"
        for mailbox, number in expected.items()
        if mails[mailbox] != number
    ]

"""Any JSON, mapped to responses by JMESPath expressions."""

from typing import Any

from serving.inbound.expression import Expression, Unmapped
from serving.inbound.settings import Generic
from serving.inbound.submission import Unreadable, fill
from serving.schemas import MAX_ITEMS


def items_of(payload: Any, settings: Generic) -> list[Any]:
    """The answers in a body; raises Unreadable."""
    try:
        found = Expression(settings.items).of(payload) if settings.items else payload
    except Unmapped as error:
        raise Unreadable(f"settings.items: {error}") from None
    if found is None:
        return []
    found = found if isinstance(found, list) else [found]
    if len(found) > MAX_ITEMS:
        raise Unreadable(f"the body has {len(found)} answers; {MAX_ITEMS} at most in one request")
    return found


def response(item: Any, settings: Generic, source: str) -> dict[str, Any]:
    """The body of a `ResponseIn` for one answer; raises Unreadable."""
    body: dict[str, Any] = {"source": source}
    for key, value in settings.constants.items():
        fill(body, key, value, f"constants.{key}", settings.zone)
    for key, expression in settings.expressions().items():
        try:
            found = expression.of(item)
        except Unmapped as error:
            raise Unreadable(f"settings.fields.{key}: {error}") from None
        fill(body, key, found, f"fields.{key}", settings.zone)
    if "id" not in body:
        raise Unreadable("settings.fields.id finds nothing here; without an id a redelivery would count twice")
    if "score" not in body:
        # a scale or a metric without a score says nothing
        return {key: value for key, value in body.items() if key not in ("metric", "scale")}
    return body

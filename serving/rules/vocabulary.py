"""What a condition may name: the facts of a response and the functions over them."""

from collections.abc import Mapping
from dataclasses import dataclass

from nlp.policy import BANDS, GROUPS, METRICS
from nlp.types import MOODS, SIGNALS


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its kind, what it says, and its values where they are a closed set."""

    kind: str
    """text, number, flag, list or map."""
    says: str
    column: str | None = None
    """Where `responses` has it under another name."""
    known: tuple[str, ...] | None = None


FACTS: Mapping[str, Fact] = {
    "score": Fact("number", "the score on its metric's own scale"),
    "metric": Fact("text", "what the score measures", known=METRICS),
    "band": Fact("text", "the band of the score by the priority policy", known=BANDS),
    "group": Fact("text", "the group of the score by the priority policy", known=GROUPS),
    "priority": Fact("number", "the priority that the priority policy gave, 1 to 4; missing: no case by the policy"),
    "justified": Fact("flag", "whether the comment gives a reason"),
    "sentiment": Fact("text", "the sentiment of the whole comment", known=MOODS),
    "language": Fact("text", "the language of the comment, as in `pl`"),
    "signals": Fact("list", "the signals found, a list of texts", known=SIGNALS),
    "themes": Fact("list", "the ids of the themes, a list of texts; `theme()` knows the hierarchy"),
    "text": Fact("text", "the comment with personal data hidden; never missing, may be empty"),
    "source": Fact("text", "the system it came from; empty where the sender named none"),
    "survey": Fact("text", "the survey"),
    "touchpoint": Fact("text", "the touchpoint"),
    "channel": Fact("text", "the channel of the survey"),
    "unit": Fact("text", "the branch, shop or team that it is about"),
    "employee": Fact("text", "the employee that it is about"),
    "segment": Fact("text", "the customer's segment"),
    "value": Fact("number", "what the customer is worth, in the workspace's currency"),
    "consent": Fact("flag", "whether the customer may be contacted; missing: never asked", "contact_consent"),
    "respondent_known": Fact("flag", "whether the sender said who answered"),
    "age_hours": Fact("number", "hours between the answer and its arrival here"),
    "corrected": Fact("flag", "whether a person corrected what the model found"),
    "needs_review": Fact("flag", "whether the model was unsure"),
    "attributes": Fact("map", 'whatever else the sender gave: `attributes.plan`, `attributes["plan type"]`'),
}

FUNCTIONS: Mapping[str, str] = {
    "theme": 'theme("delivery"), theme("delivery", "negative"): a theme or any theme under it, with that sentiment',
    "signal": 'signal("churn_intent"): the signal was found',
    "mentions": 'mentions("kurier", "paczk"): a word of the comment begins so, in upper or lower case',
    "count": 'count({"theme": "delivery", "unit": unit}, "7d"): how many responses like that, this one included',
    "hour": 'hour("Europe/Warsaw"): the hour there, 0 to 23',
    "weekday": 'weekday("Europe/Warsaw"): the day of the week there, 1 for Monday to 7 for Sunday',
    "working": 'working("Europe/Warsaw"), working("Europe/Warsaw", "08:00-18:00"): a weekday between these hours there',
    "holiday": 'holiday("Europe/Warsaw", "PL"): a public holiday of that country there',
    "size": "size(themes), size(text): how many items, how many characters",
    "int": "int(x): as a whole number",
    "double": "double(x): as a number with a fraction",
    "string": "string(x): as a text",
}

CLOCKS = ("hour", "weekday", "working", "holiday")
"""The functions that ask what time it is."""

MACROS = ("exists", "all", "exists_one", "filter")
"""The loops of CEL that cannot grow what they run over; `map` can, without bounds."""
METHODS = ("contains", "startsWith", "endsWith", "size", *MACROS)
"""What follows a dot. `matches` is not among them: a pattern is compiled at every response, at any cost."""

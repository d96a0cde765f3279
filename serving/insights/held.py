"""What is not told of an employee, because too few people answered about them."""

from collections.abc import Mapping
from dataclasses import dataclass

PEOPLE = 5
"""Different people a group needs to be told apart by employee. With fewer, an employee who remembers whom they served
can work out who gave which score, and one bad day would be taken for the employee; five is what employee and customer
surveys commonly ask for."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Groups that are not told apart, as one; they count in the overall figures."""

    groups: int
    n: int
    because: str


@dataclass(frozen=True, slots=True)
class Held:
    """The keys of the groups held back, and how the answer says so."""

    keys: tuple[int, ...]
    answer: HeldBack


def hold_back(people: Mapping[int, int], answers: Mapping[int, int], unnamed: int | None = None) -> Held | None:
    """Which groups (keys) to hold back, given how many people and answers each has; None if all may be told.

    Where those with too few people are one group, or have too few people together, the next smallest goes with them:
    subtracting the rest from the total would tell them apart otherwise. `unnamed` is the key of the answers that name
    no employee: they need no protection, but go last where nothing else is left to hide behind.
    """
    smallest = sorted(people, key=lambda key: (people[key], key))
    few = sum(people[key] < PEOPLE for key in people)
    if not few:
        return None
    while few < len(smallest) and (few < 2 or sum(people[key] for key in smallest[:few]) < PEOPLE):
        few += 1
    alone = few < 2 or sum(people[key] for key in smallest[:few]) < PEOPLE
    keys = (*smallest[:few], *((unnamed,) if alone and unnamed is not None else ()))
    because = f"fewer than {PEOPLE} people answered about some of them, and the others would tell which"
    return Held(keys, HeldBack(len(keys), sum(answers[key] for key in keys), because))

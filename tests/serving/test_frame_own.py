"""The workspace's own part of the code frame, and what it makes of the model's frame and of what was found."""

import pytest

from nlp.errors import InputError
from nlp.taxonomy import Group, Taxonomy, Theme, parse_taxonomy
from serving.frame.effective import Frame, as_taxonomy, effective, given, mapped, mapped_fields
from serving.frame.own import Own, became, check, examples_of, plain, restored
from serving.rules.lineage import descendants, lineage_of, theme_ids

BASE = Taxonomy(
    "base-1",
    (
        Theme("delivery.time", "Delivery time", "late or early", "delivery", ("three days late",)),
        Theme("delivery.damage", "Damage", "", "delivery"),
        Theme("price", "Price", ""),
        Theme("price.level", "Price level", "", "price"),
    ),
    (Group("delivery", "Delivery"),),
)
RAIN = Theme("weather.rain", "Rain", "left in the rain", "delivery.damage", ("the box was soaked",))


def tag(id: str, confidence: float = 0.9, mood: str = "negative", start: int = 0, **more: object) -> dict:
    return {
        **{"id": id, "label": id, "confidence": confidence, "threshold": 0.4},
        **{"sentiment": {"label": mood, "confidence": 0.8}, "spans": [{"start": start, "end": start + 5}]},
        **more,
    }


def result(*tags: dict) -> dict:
    return {"themes": list(tags), "versions": {"model": "m", "taxonomy": "base-1", "policy": "p"}}


def framed(**own: object) -> Frame:
    checked = Own(**own)
    check(checked, BASE, Own())
    return effective(BASE, checked, 1)


def test_without_an_own_part_the_frame_is_the_models() -> None:
    frame = effective(BASE, Own(), 0)
    assert (frame.themes, frame.groups, frame.version, frame.by_similarity) == (BASE.themes, BASE.groups, "base-1", ())


def test_the_own_part_comes_back_from_its_json() -> None:
    own = Own((RAIN,), {"price.level": None}, {"price": "delivery.time"}, ("delivery.damage",))
    assert restored(plain(own), examples_of(own)) == own
    assert restored(plain(own), {}).themes[0].examples == ()


def test_own_themes_are_found_by_similarity_until_the_model_knows_them() -> None:
    frame = framed(themes=(RAIN,))
    assert frame.ids == (*BASE.ids, "weather.rain") and frame.by_similarity == (RAIN,)
    assert frame.version == "base-1+1"
    learnt = Taxonomy("base-2", (*BASE.themes, Theme("weather.rain", "wet", "", "delivery.damage")), BASE.groups)
    check(Own((RAIN,)), learnt, Own((RAIN,)))
    after = effective(learnt, Own((RAIN,)), 1)
    assert after.by_similarity == () and after.ids == frame.ids and after.label("weather.rain") == "Rain"


def test_a_merged_theme_is_another_name_of_what_it_became() -> None:
    frame = framed(themes=(RAIN,), merges={"weather.rain": "delivery.damage", "delivery.damage": "delivery.time"})
    assert frame.ids == ("delivery.time", "price", "price.level")
    found = mapped(result(tag("weather.rain", 0.5, "positive", 10), tag("delivery.time"), tag("price")), frame)
    assert [each["id"] for each in found["themes"]] == ["delivery.time", "price"]
    both = found["themes"][0]
    assert (both["confidence"], both["label"]) == (0.9, "delivery.time")
    assert both["sentiment"] == {"label": "mixed", "confidence": 0.8}
    assert both["spans"] == [{"start": 0, "end": 5}, {"start": 10, "end": 15}]
    fields = {"themes": ["weather.rain", "delivery.time"], "theme_sentiments": {"weather.rain": "neutral"}}
    assert mapped_fields(fields, frame) == {
        "themes": ["delivery.time"],
        "theme_sentiments": {"delivery.time": "neutral"},
    }
    assert descendants("weather.rain", frame) == ["weather.rain", "delivery.time", "delivery.damage"]
    assert {"weather.rain", "delivery.damage"} <= theme_ids(frame)
    assert lineage_of(frame).covered([("delivery.time", "negative")]).keys() == {
        *("delivery.time", "delivery", "weather.rain", "delivery.damage")
    }


def test_a_retired_theme_is_not_given_and_stays_known() -> None:
    frame = framed(retired=("price",))
    said = given(result(tag("price"), tag("price.level")), frame)
    assert [each["id"] for each in said["themes"]] == ["price.level"]
    assert said["versions"]["taxonomy"] == "base-1+1"
    assert "price" not in frame.ids and "price" in theme_ids(frame) and frame.label("price") == "Price"


def test_a_narrower_theme_replaces_the_one_above_it() -> None:
    frame = framed(themes=(RAIN,))
    said = given(result(tag("delivery.damage"), tag("weather.rain", zero_shot=True)), frame)
    assert [each["id"] for each in said["themes"]] == ["weather.rain"]
    assert [each["id"] for each in given(result(tag("delivery.damage")), frame)["themes"]] == ["delivery.damage"]


def test_a_moved_theme_lies_under_its_new_parent_alone() -> None:
    frame = framed(moves={"delivery.time": "price"})
    assert descendants("price", frame) == ["price", "delivery.time", "price.level"]
    assert descendants("delivery", frame) == ["delivery", "delivery.damage"]
    assert lineage_of(frame).moved_from("delivery") == ("delivery.time",)
    assert lineage_of(frame).moved_from("price") == ()


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (Own((RAIN, RAIN)), "more than once"),
        (Own((Theme("price", "P", ""),)), "already"),
        (Own((Theme("delivery", "D", ""),)), "already"),
        (Own((Theme("a", "A", "", "nowhere"),)), r"themes.a.parent: there is no theme nowhere"),
        (Own((Theme("a", "A", "", "b"), Theme("b", "B", "", "a"))), "under itself"),
        (Own(moves={"nope": None}), "there is no theme nope"),
        (Own((RAIN,), moves={"weather.rain": None}), "there is no theme weather.rain"),
        (Own(moves={"price": "price.level"}), "under itself"),
        (Own(merges={"price": "nope"}), "there is no theme nope"),
        (Own(merges={"price": "price"}), "a part of itself"),
        (Own(merges={"price": "price.level", "price.level": "price"}), "a part of itself"),
        (Own(merges={"price": "delivery.time"}, retired=("delivery.time",)), "is retired"),
        (Own(merges={"price": "delivery.time"}, retired=("price",)), "merged into another"),
        (Own(merges={"price": "delivery.time"}, moves={"delivery.damage": "price"}), "is merged into delivery.time"),
        (Own(merges={"price": "price.level"}), "under itself"),
        (Own(retired=("nope",)), "there is no theme nope"),
        (Own(tuple(Theme(f"t{number}", "T", "") for number in range(501))), "500 at most"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(own: Own, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(own, BASE, Own())


def test_a_theme_that_others_were_merged_into_can_be_retired_with_them() -> None:
    had = Own(merges={"price": "delivery.damage", "delivery.damage": "delivery.time"})
    own = Own(merges=had.merges, retired=("delivery.time",))
    check(own, BASE, had)
    frame = effective(BASE, own, 2)
    said = given(result(tag("price"), tag("delivery.time"), tag("price.level")), frame)
    assert [each["id"] for each in said["themes"]] == ["price.level"]
    assert mapped(result(tag("price")), frame)["themes"][0]["id"] == "delivery.time", "stored answers keep it"
    for new in ({"price.level": "price"}, {"price": "delivery.time"}):
        with pytest.raises(InputError, match=r"delivery.time is retired; merge"):
            check(Own(merges={**had.merges, **new}, retired=own.retired), BASE, had)


def test_long_chains_of_merges_end_where_they_end_and_circles_where_they_turn() -> None:
    chain = {f"t{number}": f"t{number + 1}" for number in range(20_000)}
    assert set(became(chain).values()) == {"t20000"}
    assert became({"a": "b", "b": "c", "c": "b", "d": "a"}) == {"a": "b", "b": "b", "c": "c", "d": "b"}
    assert became({"a": "a"}) == {"a": "a"}


def test_what_an_earlier_model_knew_may_stay() -> None:
    own = Own(moves={"gone": "price"}, merges={"old": "price"}, retired=("older",))
    check(own, BASE, own)
    frame = effective(BASE, own, 3)
    assert frame.ids == BASE.ids and frame.named("old") == "price" and frame.moved == frozenset()


def test_the_frame_is_a_taxonomy_file_that_training_takes() -> None:
    frame = framed(themes=(RAIN,), retired=("delivery.damage",), merges={"price.level": "price"})
    found = parse_taxonomy(as_taxonomy(frame), "export")
    assert found.ids == ("delivery.time", "price", "weather.rain")
    assert {group.id for group in found.groups} == {"delivery", "delivery.damage"}
    assert found.themes[2] == RAIN and found.version == "base-1+1"

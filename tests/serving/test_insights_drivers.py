"""Effects on the score: known ones found again within their intervals, and what cannot be told left out and named."""

import numpy as np
import pytest
from insight_rows import Mention, Rows, day

from serving.insights.drivers import Drivers, drivers
from serving.insights.explain import Effect, LeftOut
from serving.insights.fits import least_squares, slope, tell_apart
from serving.insights.window import Window, period
from serving.store.database import Database

QUARTER = Window(period(day(0), day(90), day(90)))
# what the simulated customers' scores are made of
BLAME = {"delivery.time": -3.0, "price": -1.0, "staff": 0.0}
PRAISE = {"delivery.time": 1.0, "price": 0.5, "staff": 1.5}
MOMENTS = {"delivery": -0.8, "shop": 0.6, "web": 0.0}


def ask(database: Database, outcome: str = "score") -> Drivers:
    with database.read() as connection:
        return drivers(connection, "acme", QUARTER, outcome)


def effect_of(found: Drivers, name: str | None, sentiment: str | None = None) -> Effect:
    return next(item for item in found.effects if (item.feature.name, item.feature.sentiment) == (name, sentiment))


def holds(effect: Effect, truth: float) -> bool:
    between = effect.effect.interval
    return between is not None and between.low <= truth <= between.high


def simulate(rows: Rows, n: int, seed: int) -> np.ndarray:
    """Scores out of the effects above, on 0 to 100 so that no end of the scale bends them; late parcels anger most."""
    rng = np.random.default_rng(seed)
    moments = rng.choice(list(MOMENTS), size=n, p=[0.5, 0.3, 0.2])
    scores = np.empty(n)
    for place, moment in enumerate(moments):
        # themes go along with moments, and the spread with the theme: plain means and plain errors would be wrong
        late = rng.random() < (0.5 if moment == "delivery" else 0.1)
        said: list[Mention] = [("delivery.time", "negative" if late else "positive")] if rng.random() < 0.6 else []
        for theme in ("price", "staff"):
            if rng.random() < 0.3:
                said.append((theme, "negative" if rng.random() < 0.5 else "positive"))
        made = sum(BLAME[theme] if mood == "negative" else PRAISE[theme] for theme, mood in said)
        scores[place] = 50 + MOMENTS[str(moment)] + made + rng.normal(0, 3 if late else 1)
        more = {"metric": "rating", "scale_min": 0.0, "scale_max": 100.0, "touchpoint": str(moment), "group": None}
        rows.answer(float(scores[place]), day(float(rng.uniform(0, 89))), said, **more)
    return scores


def test_known_effects_are_found_again(database: Database) -> None:
    rows = Rows()
    scores = simulate(rows, 3000, seed=1)
    rows.write(database)
    found = ask(database)
    truths = [(BLAME, "negative"), (PRAISE, "positive")]
    effects = [(effect_of(found, theme, mood), made[theme]) for made, mood in truths for theme in made]
    effects += [(effect_of(found, name), value - mean_moment(rows)) for name, value in MOMENTS.items()]
    assert len(found.effects) == len(effects) == 9
    # nine intervals of 95 %
    assert sum(holds(effect, truth) for effect, truth in effects) >= 8
    assert all(abs(effect.effect.value - truth) < 0.4 for effect, truth in effects)
    late = effect_of(found, "delivery.time", "negative")
    assert found.effects[0].feature == late.feature
    assert late.q is not None and late.q < 1e-6
    assert late.on_all.value == pytest.approx(late.effect.value * late.feature.n / 3000)
    assert found.mean.value == pytest.approx(scores.mean())
    assert found.explained is not None and 0.2 < found.explained < 0.8
    assert (found.n, found.metric, found.left_out) == (3000, "rating", ())


def mean_moment(rows: Rows) -> float:
    return float(np.mean([MOMENTS[row["touchpoint"]] for row in rows.responses]))


def test_the_score_if_a_themes_comments_were_like_the_rest(database: Database) -> None:
    rows = Rows()
    simulate(rows, 3000, seed=4)
    rows.write(database)
    found = ask(database)
    told = {(tag["theme"], tag["sentiment"]) for tag in rows.tags}
    assert len(told) == 6
    for item in found.themes:
        blamed = sum((tag["theme"], tag["sentiment"]) == (item.theme, "negative") for tag in rows.tags)
        praised = sum((tag["theme"], tag["sentiment"]) == (item.theme, "positive") for tag in rows.tags)
        truth = -(blamed * BLAME[item.theme] + praised * PRAISE[item.theme]) / 3000
        assert item.n == blamed + praised
        assert item.gain.value == pytest.approx(truth, abs=0.1)
        assert found.mean.value is not None and item.gain.value is not None
        assert item.score.value == pytest.approx(found.mean.value + item.gain.value)
    gains = [item.gain.value for item in found.themes if item.gain.value is not None]
    assert gains == sorted(gains, reverse=True)


def test_rare_themes_and_those_that_go_together(database: Database) -> None:
    rng, rows = np.random.default_rng(9), Rows()
    for number in range(400):
        said = [("delivery.time", "negative"), ("delivery.courier", "negative")] if number % 4 == 0 else []
        said += [("garden", "negative")] if number in (3, 7) else []
        said += [("staff", "neutral")] if number % 3 == 0 else []
        rows.answer(float(rng.integers(5, 11) - (3 if number % 4 == 0 else 0)), day(1), said, touchpoint="web")
    rows.write(database)
    found = ask(database)
    [only] = found.effects
    assert (only.feature.name, only.feature.n) == ("delivery.courier", 100)
    assert [feature.name for feature in only.told_with] == ["delivery.time"]
    assert holds(only, -3)
    assert {(item.feature.name, item.because) for item in found.left_out} == {
        ("garden", "rare"),
        ("delivery.time", "same_as_another"),
    }


def test_rare_touchpoints_do_not_pass_for_the_most_common_one(database: Database) -> None:
    rng, rows = np.random.default_rng(10), Rows()
    for number in range(600):
        rows.answer(float(8 if number % 2 else 6) + float(rng.integers(-1, 2)), day(1), touchpoint="ab"[number % 2])
    for number in range(30):
        rows.answer(0.0 if number % 3 else 1.0, day(1), touchpoint=f"rare-{number % 2}")
    rows.write(database)
    found = ask(database)
    assert {item.feature.name for item in found.effects} == {"a", "b"}
    # against the mean of all, the rare ones included
    mean = found.mean.value
    assert mean is not None
    assert effect_of(found, "b").effect.value == pytest.approx(8 - mean, abs=0.15)
    assert effect_of(found, "a").effect.value == pytest.approx(6 - mean, abs=0.15)
    assert {item.feature.name for item in found.left_out} == {"rare-0", "rare-1"}


def test_the_net_score_as_outcome(database: Database) -> None:
    rows = Rows()
    for number in range(200):
        late = number % 2 == 0
        score = (2 if number % 8 else 9) if late else (10 if number % 5 else 7)
        rows.answer(score, day(1), [("delivery", "negative")] if late else [])
    rows.write(database)
    found = ask(database, "net")
    # 25 of 100 late ones are promoters, the others detractors; of the rest 80 are promoters and 20 passives
    assert found.mean.value == pytest.approx((-75 + 25 + 80) / 2)
    late = effect_of(found, "delivery", "negative")
    assert late.effect.value == pytest.approx(-50 - 80)
    assert found.themes[0].score.value == pytest.approx(80)


def test_nothing_to_explain(database: Database) -> None:
    assert (ask(database).n, ask(database).effects, ask(database).explained) == (0, (), None)
    rows = Rows()
    for number in range(100):
        rows.answer(7, day(1), [("price", "negative")] if number % 2 else [])
    rows.write(database)
    found = ask(database)
    assert (found.n, found.mean.value, found.mean.interval, found.effects, found.themes) == (100, 7.0, None, (), ())


def test_more_effects_than_responses_can_bear(database: Database) -> None:
    rng, rows = np.random.default_rng(3), Rows()
    for _ in range(120):
        said = [(f"theme-{number:02}", "negative") for number in range(30) if rng.random() < 0.3]
        rows.answer(float(rng.integers(0, 11)), day(1), said)
    rows.write(database)
    found = ask(database)
    assert len(found.effects) <= 12
    assert LeftOut in {type(item) for item in found.left_out}
    assert {item.because for item in found.left_out} >= {"too_few_responses"}


def test_errors_are_those_of_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    columns = rng.random((500, 4)) < [0.5, 0.2, 0.1, 0.4]
    outcome = columns @ np.array([1.0, -2.0, 0.0, 0.5]) + rng.normal(0, 1 + columns[:, 1])
    ours, theirs = least_squares(columns, outcome), api.OLS(outcome, api.add_constant(columns.astype(float)))
    fit = theirs.fit(cov_type="HC3")
    assert ours.coefficients == pytest.approx(fit.params)
    assert ours.covariance == pytest.approx(fit.cov_params())
    assert ours.explained == pytest.approx(fit.rsquared)
    rise = slope(outcome, outcome**2 + rng.normal(size=500))
    fit = api.OLS(outcome**2, api.add_constant(outcome)).fit(cov_type="HC3")
    assert rise is not None and rise[0] == pytest.approx(fit.params[1], abs=0.3)
    plain = slope(outcome, outcome**2)
    assert plain is not None and plain == pytest.approx((fit.params[1], fit.bse[1]))


def test_columns_that_others_determine_are_not_kept() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(1000) < 0.4, rng.random(1000) < 0.5
    same, either, never = a.copy(), a | b, np.zeros(1000, dtype=bool)
    same[:5] ^= True
    apart = tell_apart(np.column_stack([a, b, same, either, never]), range(5))
    assert apart.kept[:2] == (0, 1)
    assert apart.along_with == {2: 0}
    assert 4 not in apart.kept

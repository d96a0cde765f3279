"""`emerging.yaml`: what ships, and how what is wrong in it is named."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from nlp.emerging import Sensitivity
from nlp.errors import PolicyError
from serving.issues.alarm_policy import load_alarm_policy, parse_alarm_policy
from serving.settings import Settings

DATA = Path(__file__).parents[2] / "data"


def shipped() -> dict[str, Any]:
    return yaml.safe_load((DATA / "policies" / "emerging.yaml").read_text("utf-8"))


def test_what_ships_is_the_sensitivity_that_was_measured() -> None:
    policy = load_alarm_policy(Settings().data_dir)
    assert (policy.sensitivity, policy.zone) == (Sensitivity(), ZoneInfo("UTC"))
    rates = [policy.levels[level].rate for level in ("calm", "normal", "keen")]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (("level",), "loud", "level: must be one of calm, normal, keen"),
        (("language",), "de", "language: must be one of pl, uk, ru, en"),
        (("zone",), "Mars/Base", "zone: there is no time zone 'Mars/Base'"),
        (("zone",), "../etc", "zone: there is no time zone"),
        (("loud",), True, "the file: unknown key loud"),
        (("levels",), {}, "levels: must be a mapping that is not empty"),
        (("levels", "calm", "support"), 4.5, "levels.calm.support: must be a whole number"),
        (("levels", "calm", "rate"), 2, "levels.calm.rate: must be a number from 0 to 1"),
        (("levels", "calm", "ratio"), "high", "levels.calm.ratio: must be a number"),
        (("levels", "keen", "often"), 1, "levels.keen: unknown key often"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(key: tuple[str, ...], value: Any, message: str) -> None:
    data = shipped()
    place = data
    for word in key[:-1]:
        place = place[word]
    place[key[-1]] = value
    with pytest.raises(PolicyError, match=f"^x.yaml: {message}"):
        parse_alarm_policy(data, "x.yaml")


def test_a_missing_key_and_a_file_that_is_no_mapping_are_named(tmp_path: Path) -> None:
    data = shipped()
    del data["levels"]["calm"]["quiet"]
    with pytest.raises(PolicyError, match=r"levels.calm: quiet is missing"):
        parse_alarm_policy(data, "x.yaml")
    with pytest.raises(PolicyError, match="must be a mapping"):
        parse_alarm_policy([], "x.yaml")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_alarm_policy(tmp_path)

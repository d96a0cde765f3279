"""Before the doors open: connectors, keys, a webhook and the mailboxes of those who are told, all over HTTP."""

from dataclasses import dataclass

from serving.scenario.client import Api
from serving.scenario.receivers import Post, Program
from serving.scenario.tools import SETTINGS, Webhook

FORMBRICKS_SECRET = "whsec_bWVyaWRpYW4gYWZ0ZXIgeW91ciBvcmRlcg=="
"""Formbricks makes the secret, so the scenario brings one; that of Typeform is made here."""
MANAGER, COURIERS, FRONT = "manager@meridian.example", "couriers@meridian.example", "front@meridian.example"
DIGEST_AT = "17:00"


@dataclass(frozen=True, slots=True)
class Tool:
    """A survey tool that is connected: where it sends, and what it signs with."""

    address: str
    secret: str

    def send(self, api: Api, sent: Webhook, expect: int = 200) -> dict[str, int]:
        answer = api.ask("POST", self.address, expect, content=sent.body, headers=dict(sent.headers))
        return dict(answer.json())


def connect(admin: Api) -> dict[str, Tool]:
    """The two tools, by the kind of their connector."""
    found: dict[str, Tool] = {}
    for kind, settings in SETTINGS.items():
        given = {"secret": FORMBRICKS_SECRET} if kind == "formbricks" else {}
        body = {"kind": kind, "name": "Meridian", "settings": settings, **given}
        made = admin.post("/v1/connectors", body, 201)
        found[kind] = Tool(made["address"], given.get("secret") or made["secret"])
    return found


def tell(admin: Api, program: Program, post: Post) -> None:
    """The program hears of everything, the manager of what goes wrong, couriers of their cases, the front line at 5."""
    program.secret = admin.post("/v1/webhooks", {"url": program.url, "types": []}, 201)["secret"]
    channels = (
        {"name": "manager", "url": post.address(MANAGER), "role": "manager"},
        {
            **{"name": "couriers", "url": post.address(COURIERS), "role": "team", "types": ["case.opened"]},
            "scope": {"teams": ["courier-desk"]},
        },
        {
            **{"name": "front line", "url": post.address(FRONT), "role": "frontline", "language": "pl"},
            "digest": {"at": [DIGEST_AT]},
        },
    )
    for channel in channels:
        admin.post("/v1/channels", {"zone": "Europe/Warsaw", **channel}, 201)


def hire(admin: Api) -> str:
    """The key of those who work on cases: they read and act, and set nothing up."""
    made = admin.post("/v1/keys", {"name": "customer care", "scopes": ["read", "act"]}, 201)
    return str(made["key"])

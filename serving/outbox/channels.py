"""Messages to people: e-mail and chat through apprise, whose blocking sends run in threads."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread
import httpcore

from nlp.errors import InputError
from serving.outbox.guard import RefusedError, check, resolve
from serving.outbox.retry import Answer

TIMEOUT = 30.0
"""Seconds that a service has for one message; a mail server talks for longer than a webhook."""
SENDERS = 64
"""Messages sent at one time, each in a thread of its own."""

SERVICES: Mapping[str, str | None] = {
    "NotifyEmail": "smtp_host",
    "NotifySlack": None,
    "NotifyWorkflows": "host",  # Microsoft Teams
    "NotifyDiscord": None,
    "NotifyGoogleChat": None,
    "NotifyTelegram": None,
    "NotifyWebexTeams": None,
    "NotifyMattermost": "host",
    "NotifyRocketChat": "host",
    "NotifyMatrix": "host",
    "NotifyZulip": None,
    "NotifyPagerDuty": None,
    "NotifyOpsgenie": None,
    "NotifyTwilio": None,
    "NotifyVonage": None,
}
"""The services of apprise that may be used, and which part of each names a server that somebody chose.

Left out is what runs programs on this machine, shows windows, or posts JSON anywhere: webhooks are for that.
"""
SHOWN = "mailto, slack, workflows (Teams), discord, gchat, tgram, wxteams, mmost, rocket, matrix, zulip, twilio, ..."


@dataclass(frozen=True, slots=True)
class Note:
    """A message to people, in plain text."""

    title: str
    body: str


async def send(url: str, note: Note, private: bool, senders: anyio.CapacityLimiter) -> Answer:
    """Status 200 once the service has taken the message; never raises for what the network or the service does."""
    try:
        with anyio.fail_after(TIMEOUT):
            return await anyio.to_thread.run_sync(_send, url, note, private, limiter=senders, abandon_on_cancel=True)
    except TimeoutError:
        return Answer(error=f"no answer within {TIMEOUT:g} s")


def check_address(url: str) -> str:
    """An address of apprise, if it is of a service that may be used; InputError says what is wrong with it."""
    _plugin(url)
    return url


def masked(url: str) -> str:
    """The address with what is secret in it hidden."""
    try:
        return str(_plugin(url).url(privacy=True)).partition("?")[0]
    except InputError:
        return "****"


def _send(url: str, note: Note, private: bool) -> Answer:
    try:
        plugin = _plugin(url)
        _guard(plugin, private)
    except InputError as error:
        return Answer(error=str(error))
    except RefusedError as error:
        return Answer(error=f"the address is refused: {error}")
    except httpcore.ConnectError as error:
        return Answer(error=f"no connection: {error}")
    # a redirect could lead where the check did not look
    plugin.redirects = False
    if plugin.notify(body=note.body, title=note.title, body_format=_apprise().NotifyFormat.TEXT):
        return Answer(200)
    return Answer(error="the service did not take the message")


def _guard(plugin: Any, private: bool) -> None:
    part = SERVICES[type(plugin).__name__]
    host = getattr(plugin, part) if part else None
    if host and not private:
        check(resolve(host, plugin.port or 443), private)


def _plugin(url: str) -> Any:
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="Holos", app_desc="Holos", app_url="", storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is None:
        raise InputError("url: this is no address of a service; mailto://user:password@host/to@example.com is one")
    if type(plugin).__name__ not in SERVICES:
        raise InputError(f"url: this service cannot be used; those that can: {SHOWN}; for programs make a webhook")
    return plugin


@cache
def _apprise() -> ModuleType:
    with warnings.catch_warnings():
        # it tries parts of the standard library that are on their way out
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        apprise.Apprise.instantiate("mailto://user@example.com")  # loads its services
    return apprise

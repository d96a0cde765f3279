"""Answers in the shape of OpenAI's chat completions, for a `receivers.Receiver`; and an installation that asks it."""

import json
from dataclasses import replace
from typing import Any

from receivers import Manner, Received, Receiver, status

from serving.parts import Parts
from serving.settings import Settings

KEY = "sk-made-up-3f9c2a7d"


def says(line: Any, ended: Any = "stop") -> Manner:
    """A completion with this content, and why it ended."""
    choice = {"index": 0, "message": {"role": "assistant", "content": line}, "finish_reason": ended}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "model": "small", "choices": [choice]}
    return status(200, json.dumps(body).encode(), Content_Type="application/json")


def base(receiver: Receiver) -> str:
    return f"http://127.0.0.1:{receiver.port}/v1"


def asking(receiver: Receiver, **more: Any) -> Settings:
    return Settings(titles_url=base(receiver), titles_model="small", **more)


def with_titles(parts: Parts, receiver: Receiver, **more: Any) -> Parts:
    return replace(parts, settings=asking(receiver, **more))


def told(received: Received) -> dict[str, Any]:
    """What a request says of an issue."""
    found: dict[str, Any] = json.loads(json.loads(received.body)["messages"][1]["content"])
    return found

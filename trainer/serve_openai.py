"""OpenAI's chat API over an engine: /v1/models and /v1/chat/completions with `tools`. Calls are returned, never run."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from gennx.trainer.engine import Engine, openai_message
from gennx.trainer.errors import TrainerError


class ChatRequest(BaseModel):
    """The part of OpenAI's request that matters here; decoding is greedy whatever temperature is asked for."""

    messages: list[dict[str, Any]] = Field(min_length=1)
    tools: list[dict[str, Any]] = Field(default_factory=list)
    model: str = ""
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stream: bool = False


def refusal(text: str) -> JSONResponse:
    """An error in OpenAI's form."""
    return JSONResponse({"error": {"message": text, "type": "invalid_request_error"}}, status_code=400)


def chunks(answer: dict[str, Any]) -> Iterator[str]:
    """An answer as server-sent events: one chunk with everything, one that ends it."""
    head = {key: answer[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    choice = answer["choices"][0]
    delta = dict(choice["message"])
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(delta["tool_calls"])]
    for part in ({"delta": delta, "finish_reason": None}, {"delta": {}, "finish_reason": choice["finish_reason"]}):
        yield f"data: {json.dumps({**head, 'choices': [{'index': 0, **part}]}, ensure_ascii=False)}\n\n"
    yield "data: [DONE]\n\n"


def build_app(engine: Engine) -> FastAPI:
    """The web application."""
    app = FastAPI(title="gennx-serve", docs_url=None, redoc_url=None)

    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": engine.name, "object": "model", "owned_by": "gennx"}]}

    def complete(request: ChatRequest) -> JSONResponse | StreamingResponse:
        limit = request.max_completion_tokens or request.max_tokens or engine.max_new_tokens
        try:
            tools = engine.tools_for(request.messages, request.tools)
            turn, read, written = engine.answer(request.messages, tools, limit)
        except (TrainerError, KeyError, TypeError) as error:
            return refusal(f"messages cannot be read: {error}")
        finish = "tool_calls" if turn.calls else "length" if written >= limit else "stop"
        answer = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": engine.name,
            "choices": [{"index": 0, "message": openai_message(turn), "finish_reason": finish}],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }
        if request.stream:
            return StreamingResponse(chunks(answer), media_type="text/event-stream")
        return JSONResponse(answer)

    app.add_api_route("/v1/models", models, methods=["GET"])
    app.add_api_route("/v1/chat/completions", complete, methods=["POST"], response_model=None)
    return app

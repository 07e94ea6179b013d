"""LiteLLM's own key check and pre-call hooks, without its router, on a stub of its database.

Its database is reached through an engine that Prisma fetches from its own host; where that cannot be had, this stub answers for
it from memory. What LiteLLM decides, caches and counts is its own code; what its queries would take is missing here.
"""

import asyncio
import contextlib
import secrets
import time
from types import SimpleNamespace

import litellm
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from litellm.proxy import proxy_server
from litellm.proxy._types import LiteLLM_VerificationTokenView, ProxyException, UserAPIKeyAuth, hash_token
from litellm.proxy.auth.user_api_key_auth import user_api_key_auth

PRICE = 0.001
rows, queries = {}, 0


class StubbedDatabase:
    """The two queries of the key check: the key's row as a view, and the row itself where its spending begins to be counted."""

    def __init__(self):
        self.db = SimpleNamespace(litellm_verificationtoken=self)

    async def get_data(self, token=None, **_):
        row = self.find(token if not token.startswith("sk-") else hash_token(token))
        return LiteLLM_VerificationTokenView(**row) if row else None

    async def find_unique(self, where, **_):
        row = self.find(where["token"])
        return SimpleNamespace(**row) if row else None

    def find(self, token):
        global queries
        queries += 1
        return rows.get(token)


@contextlib.asynccontextmanager
async def lifespan(_):
    proxy_server.prisma_client = StubbedDatabase()
    proxy_server.master_key = "sk-" + secrets.token_hex(24)
    proxy_server.proxy_logging_obj.startup_event(llm_router=None, redis_usage_cache=None)
    litellm.suppress_debug_info = True
    # Where it knows the model's price and how long an answer may be, it reserves what a call can cost.
    price = {"input_cost_per_token": 0.0, "output_cost_per_token": PRICE, "max_output_tokens": 1, "max_tokens": 1}
    litellm.register_model({"openai/measured": {**price, "litellm_provider": "openai", "mode": "chat"}})
    yield


app = FastAPI(lifespan=lifespan)
app.add_exception_handler(ProxyException, proxy_server.openai_exception_handler)


@app.post("/chat/completions")
async def check(request: Request, caller: UserAPIKeyAuth = Depends(user_api_key_auth)):
    """As its handler begins and, but for the model's answer, ends: the hooks before the call, and what it cost after it."""
    data = {"model": "openai/measured", "messages": [], "metadata": {}}
    await proxy_server.proxy_logging_obj.pre_call_hook(user_api_key_dict=caller, data=data, call_type="acompletion")
    units = float(request.headers.get("x-units", "1"))
    if units > 1:
        await asyncio.sleep(0.02)
    await proxy_server.increment_spend_counters(
        token=caller.token, team_id=None, user_id=None, response_cost=PRICE * units,
        budget_reservation=caller.budget_reservation,
    )
    return {"code": "ok"}


@app.post("/keys")
async def keys(wanted: dict):
    made = []
    for _ in range(wanted["count"]):
        key = "sk-" + secrets.token_urlsafe(24)
        budget = {"max_budget": wanted["most"] * PRICE} if wanted["policy"] == "full" else {}
        limit = {"rpm_limit": wanted["most"]} if wanted["policy"] == "limit" else {"rpm_limit": 1_000_000_000}
        rows[hash_token(key)] = {"token": hash_token(key), "models": [], "spend": 0.0, **limit, **budget}
        made.append(key)
    return {"keys": made}


@app.post("/revoke")
async def revoke(wanted: dict):
    """What `/key/delete` does: the row goes, and so does its place in this instance's cache."""
    rows.pop(hash_token(wanted["key"]), None)
    proxy_server.user_api_key_cache.delete_cache(hash_token(wanted["key"]))
    return {}


@app.get("/calls")
async def calls():
    return {"calls": queries}


@app.get("/healthz")
async def healthz():
    return {"at": time.time()}


@app.exception_handler(Exception)
async def failed(_, error):
    return JSONResponse({"code": type(error).__name__, "message": str(error)[:300]}, 500)

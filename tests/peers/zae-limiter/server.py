"""zae-limiter behind starlette: token buckets in DynamoDB. It limits, and knows no keys; a key here is an entity, its plan a resource."""

import asyncio
import contextlib
import os
import secrets

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from zae_limiter import Limit, RateLimiter, RateLimiterUnavailable, RateLimitExceeded, Repository, ResourceDisabled

MOST_A_DAY = 1_000_000_000
plans = {}


async def open_limiter():
    repository = Repository("peers", "us-east-1", f"http://{os.environ['STORE']}", _skip_deprecation_warning=True)
    await repository.create_table()
    repository = await Repository.builder().stack("peers").region("us-east-1") \
        .endpoint_url(f"http://{os.environ['STORE']}").build()
    return RateLimiter(repository=repository)


async def plan(policy, most):
    """The resource of a plan, whose limits are stored once. The budget is a quota of a year."""
    name = f"{policy}-{most}"
    if name not in plans:
        day = Limit.quota("day", MOST_A_DAY if policy == "full" else most, cron="0 0 * * *")
        budget = [Limit.quota("budget", most, cron="0 0 1 1 *")]
        await app.state.limiter.set_resource_defaults(name, [day, *(budget if policy == "full" else [])])
        plans[name] = True
    return name


async def decide(key, more=0):
    policy, most, _ = key.split("-")
    consume = {"day": 1, **({"budget": 1} if policy == "full" else {})}
    try:
        async with app.state.limiter.acquire(entity_id=key, resource=f"{policy}-{most}", consume=consume) as lease:
            if more:
                await asyncio.sleep(0.02)
                await lease.adjust(budget=more)
    except RateLimitExceeded:
        return 429, "rate_limit_exceeded"
    except ResourceDisabled:
        return 403, "resource_disabled"
    except RateLimiterUnavailable:
        return 503, "rate_limiter_unavailable"
    return 200, "ok"


def said(verdict):
    return JSONResponse({"code": verdict[1]}, verdict[0])


async def check(request):
    return said(await decide(request.headers.get("x-api-key", "")))


async def spend(request):
    return said(await decide(request.headers.get("x-api-key", ""), more=4))


async def keys(request):
    wanted = await request.json()
    name = await plan(wanted["policy"], wanted["most"])
    return JSONResponse({"keys": [f"{name}-{secrets.token_hex(12)}" for _ in range(wanted["count"])]})


async def revoke(request):
    wanted = await request.json()
    await app.state.limiter._repository.disable_entity(wanted["key"])
    return JSONResponse({})


async def healthz(_):
    return JSONResponse({})


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.limiter = await open_limiter()
    yield


app = Starlette(
    routes=[
        Route("/healthz", healthz),
        Route("/limit", check),
        Route("/full", check),
        Route("/spend", spend),
        Route("/keys", keys, methods=["POST"]),
        Route("/revoke", revoke, methods=["POST"]),
    ],
    lifespan=lifespan,
)

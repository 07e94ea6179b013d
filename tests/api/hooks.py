"""What valid data must be beside what JSON Schema can say of it.

The description has one number for a rate and one for its burst, but cannot say that the second is not above the first; it
has a form for scopes, but the words are the policy's. Data that is meant to be valid is put right here. Data that is
meant to be invalid is left as it is.
"""

import base64
import datetime
import hashlib
import json
import os

import schemathesis

SCOPES = ["demo:read", "demo:write", "demo:*", "keys:manage", "projects:*", "billing:read"]
ORIGINS = ["https://app.example.com", "*.example.org:8443", "localhost"]
# What ends its own credential is asked with one that is there to be ended, or nobody could ask anything after it.
ENDING = {("POST", "/auth/logout"), ("DELETE", "/v1/api-keys/self")}
CREDENTIAL, SPARE = os.environ["FAREGATE_CREDENTIAL"], os.environ["FAREGATE_SPARE"]
# Nor may anybody find, by its id, a key or a session that somebody asks with, and end, freeze or rotate it.
OWN = set(os.environ["FAREGATE_KEYS"].split())
if CREDENTIAL.count(".") == 2:
    claims = CREDENTIAL.split(".")[1]
    OWN.add("jti_" + json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"])


@schemathesis.hook
def before_call(context, case, kwargs):
    if (case.method.upper(), case.operation.path) in ENDING:
        for place in (case.headers, case.cookies, kwargs.get("headers"), kwargs.get("cookies")):
            for name in place or {}:
                if isinstance(place[name], str):
                    place[name] = place[name].replace(CREDENTIAL, SPARE)
    if (case.path_parameters or {}).get("id") in OWN:
        kind, name = case.path_parameters["id"].split("_")
        case.path_parameters["id"] = f"{kind}_{'0' * len(name)}"
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.path_parameters and "address" in case.path_parameters:
        case.path_parameters["address"] = case.path_parameters["address"].lower()
    # A cursor is whatever an earlier answer named, and means nothing else.
    if case.query:
        case.query.pop("cursor", None)
        # Nor can JSON Schema say which of two times is the later one, and how far apart they may be.
        for name, days in (("from", 2), ("to", 1)):
            if name in case.query:
                at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
                case.query[name] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        if "environment" in case.query:
            case.query["environment"] = environment(case.query["environment"])
    if not isinstance(case.body, dict):
        return
    case.body = body = whole(case.body)
    for name, put_right in FIELDS.items():
        if name in body:
            body[name] = put_right(body[name])
    # The price of a call is its route's unless that leaves it open, and has a bound of its own.
    if "cost_usd" in body and "path" in body:
        body |= {"method": "POST", "path": "/demo/metered", "cost_usd": "0.05"}
    # Only some routes take signed URLs.
    if case.operation.path == "/v1/signed-urls":
        body |= {"path": "/demo/media/cat.png?size=2", "method": "GET"}
    # All notes together are counted in bytes, which JSON Schema cannot count.
    if isinstance(body.get("metadata"), dict):
        body["metadata"] = {name: text[:8] for name, text in list(body["metadata"].items())[:10]}
    # The same key for another body is refused, and short keys are generated again and again.
    if case.headers and "Idempotency-Key" in case.headers:
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        case.headers["Idempotency-Key"] = case.headers["Idempotency-Key"][:128] + digest


def whole(value):
    """JSON Schema has 5.0 for a whole number; here it is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value


def amount(value):
    """At most six digits after the point: floats that are multiples of a millionth are often written with more."""
    return round(value, 6) if isinstance(value, float) else value


def scopes(value):
    if isinstance(value, list):
        return [SCOPES[len(str(scope)) % len(SCOPES)] for scope in value]
    return ["read-only", "full-access", "demo:read, billing:read"][len(value) % 3]


def allowlist(value):
    return value and [ORIGINS[len(origin) % len(ORIGINS)] for origin in value]


def environment(value):
    return ["sandbox", "production"][len(value) % 2]


def limits(value):
    """Below the plan's, and no burst above its rate."""
    if not value:
        return value
    most = {"per_minute": 1_000, "per_day": 1_000_000, "concurrent": 100}
    value = {name: min(number, most.get(name, 1_000_000)) for name, number in value.items()}
    if "burst" in value:
        rate = next((value[name] for name in ("per_second", "per_10_seconds", "per_minute") if name in value), 100)
        value["burst"] = min(value["burst"], rate)
        if "per_minute" in value or rate == 100:
            value["burst"] = 0
    return value


FIELDS = {
    "address": str.lower,
    "project_id": lambda value: os.environ["FAREGATE_PROJECT"],
    "amount_usd": amount,
    "budget_usd": amount,
    "max_cost_usd": amount,
    "actual_usd": lambda value: 0,
    "scopes": scopes,
    "allowlist": allowlist,
    "limits": limits,
    "plan": lambda value: "studio",
    "environment": environment,
    "url": lambda value: "https://hooks.example.com/faregate",
    "expires_at": lambda value: value and "2099-12-31T23:59:59Z",
}

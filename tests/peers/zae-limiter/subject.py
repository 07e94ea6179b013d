"""zae-limiter: token buckets and quotas in DynamoDB, without keys."""

from peer import Python


class Zae(Python):
    name = "zae-limiter, DynamoDB"
    folder = "zae-limiter"
    store = "dynamodb"
    shown = ("zae-limiter", "starlette", "uvicorn")
    notes = (
        "It verifies no key: a key is an entity, and `disable_entity` stands in for revoking it.",
        "Limits are stored as defaults of a resource, one for each plan; `lease.adjust` books what a call cost more.",
    )


PEERS = {"zae-limiter": Zae}

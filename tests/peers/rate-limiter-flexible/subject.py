"""node-rate-limiter-flexible's DynamoDB limiter: limits without keys."""

from peer import Node


class Flexible(Node):
    name = "rate-limiter-flexible, DynamoDB"
    folder = "rate-limiter-flexible"
    store = "dynamodb"
    notes = (
        "It verifies no key: a key is a name, and `block` stands in for revoking it.",
        "Its budget is a limiter of a year; `penalty` books what a call cost more.",
    )


PEERS = {"rate-limiter-flexible": Flexible}

"""A plain design of our own: GetItem, check, UpdateItem."""

from peer import Node


class Baseline(Node):
    name = "Plain design (GetItem, check, UpdateItem), Node"
    folder = "baseline"
    store = "dynamodb"


PEERS = {"baseline": Baseline}

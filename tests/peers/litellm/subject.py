"""LiteLLM's key check and pre-call hooks, its database stubbed."""

import json

from driver import http
from peer import Python

BODY = b'{"model":"openai/measured","max_tokens":1,"messages":[{"role":"user","content":"a"}]}'


class LiteLlm(Python):
    name = "LiteLLM, key check (database stubbed)"
    folder = "litellm"
    shown = ("litellm", "fastapi", "uvicorn")
    code_member = "type"
    # Keys are in the stub alone and would not outlive a crash.
    trials = ("burst", "revoke", "spend")
    notes = (
        "Its database is a stub in its process: no query is paid for, and nothing can be said of a crash or an outage.",
        "Its limit is of a minute.",
    )

    def keys(self, policy, count, most):
        made = self.post("/keys", {"policy": policy, "count": count, "most": most})["keys"]
        return [http("POST", "/chat/completions", key, [("authorization", f"Bearer {key}")], BODY) for key in made]

    def spend(self, request):
        headers = {"authorization": f"Bearer {request.key}", "x-units": "5"}
        return self.ask("POST", "/chat/completions", headers, BODY)[0] == 200

    def environment(self, store):
        # Its prices come with it; nothing is fetched.
        return {**super().environment(store), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}

    def calls_made(self):
        return json.loads(self.ask("GET", "/calls")[1])["calls"]


PEERS = {"litellm": LiteLlm}

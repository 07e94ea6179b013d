#!/usr/bin/env bash
# Walks every row of the wiring table (docs/aws.md) on a live deployment, prints what differs, and exits with 1 if anything does.
#
#   infra/smoke.sh https://api.example.com
#
# It signs in with the development wallet of the local program (`cargo run -- wallet address`), makes three keys and ends
# them again. The deployed policy must have the routes of infra/policies/default.yaml; FAREGATE_KEY, a key with `demo:*`, spares
# the sign-in and skips what needs one. SMOKE_WIRING=gateway (default) or backend says which wiring is deployed.
set -euo pipefail

origin=${1:?usage: infra/smoke.sh ORIGIN}
wiring=${SMOKE_WIRING:-gateway}
program=${FAREGATE:-cargo run --quiet --}
scratch=$(mktemp -d)
keys=() differences=0 rows=0
trap 'finish' EXIT

finish() {
  local status=$? id
  for id in "${keys[@]}"; do
    call DELETE "/v1/api-keys/$id" "authorization: Bearer $token" > /dev/null || true
  done
  rm -rf "$scratch"
  exit "$status"
}

call() { # method path [header] [body]; prints the status, leaves headers and body in the scratch folder
  local arguments=(--silent --show-error --max-time 20 --request "$1" --dump-header "$scratch/headers" --output "$scratch/body"
    --write-out '%{http_code}')
  [[ -z ${3:-} ]] || arguments+=(--header "$3")
  [[ -z ${4:-} ]] || arguments+=(--header 'content-type: application/json' --data "$4")
  curl "${arguments[@]}" "$origin$2"
}

row() { # name wanted-status wanted-code found-status [header that must be there…]
  local name=$1 wanted=$2 code=$3 found=$4 header problems=()
  shift 4
  rows=$((rows + 1))
  [[ $found == "$wanted" ]] || problems+=("status $found in place of $wanted")
  [[ -z $code || $(member code) == "$code" ]] || problems+=("code «$(member code)» in place of $code")
  for header in "$@"; do
    grep --quiet --ignore-case "^$header:" "$scratch/headers" || problems+=("no $header")
  done
  if ((${#problems[@]})); then
    differences=$((differences + 1))
    printf 'DIFFERS  %s: %s\n' "$name" "$(IFS=';'; echo "${problems[*]}")"
  else
    printf 'ok       %s\n' "$name"
  fi
}

member() { # a member of the answer's body, or of its data
  python3 -c '
import json, sys
try: body = json.load(open(sys.argv[1]))
except ValueError: body = {}
found = body.get(sys.argv[2], (body.get("data") or {}).get(sys.argv[2], "")) if isinstance(body, dict) else ""
print(found if isinstance(found, str) else json.dumps(found))' "$scratch/body" "$1"
}

make_key() { # name and settings as JSON; prints the key
  call POST /v1/api-keys "authorization: Bearer $token" "$1" > "$scratch/status"
  [[ $(< "$scratch/status") == 201 ]] || { echo "no key: $(cat "$scratch/body")" >&2; exit 1; }
  member id > "$scratch/id"
  member key
}

token=
key=${FAREGATE_KEY:-}
if [[ -z $key ]]; then
  address=$($program wallet address)
  row 'nonce' 200 '' "$(call GET "/auth/nonce/$address")"
  nonce=$(member nonce)
  signature=$(member message | $program wallet sign)
  row 'sign-in' 200 '' "$(call POST /auth/verify '' "{\"address\":\"$address\",\"signature\":\"$signature\",\"nonce\":\"$nonce\"}")"
  token=$(member access_token)
  key=$(make_key '{"name":"smoke","budget_usd":0.02}') && keys+=("$(< "$scratch/id")")
fi
limits=(x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset RateLimit RateLimit-Policy)
# Where API Gateway answers, what is neither 401 nor 429 arrives as 403.
through() { [[ $wiring == backend ]] && echo "$1" || echo 403; }

row 'admitted' 200 '' "$(call GET /demo/free "x-api-key: $key")"
[[ $wiring == gateway ]] || row 'admitted, with limits' 200 '' "$(call GET /demo/free "x-api-key: $key")" "${limits[@]}"
if [[ $wiring == backend ]]; then missing=missing_credentials; else missing=invalid_api_key; fi
row '401 without a credential' 401 "$missing" "$(call GET /demo/free)" www-authenticate
row '401 with junk' 401 invalid_api_key "$(call GET /demo/free 'x-api-key: junk')" www-authenticate
row '400 with two credentials' "$(through 400)" ambiguous_credentials \
  "$(curl --silent --output "$scratch/body" --dump-header "$scratch/headers" --write-out '%{http_code}' \
    --header "x-api-key: $key" --header "authorization: Bearer sk_test_other" "$origin/demo/free")"
row '404 for a path that no route names' "$(through 404)" unknown_route "$(call GET /demo/nowhere "x-api-key: $key")"
# Seven in a fresh minute, which may end on the way.
for _ in {1..20}; do
  status=$(call GET /demo/limited "x-api-key: $key")
  [[ $status != 429 ]] || break
done
row '429 with all headers' 429 rate_limited "$status" retry-after "${limits[@]}"

if [[ -n $token ]]; then
  read_only=$(make_key '{"name":"smoke, reads","scopes":"read-only"}') && keys+=("$(< "$scratch/id")")
  row '403 for want of scope' 403 insufficient_scope "$(call POST /demo/paid "x-api-key: $read_only")"
  for _ in 1 2 3; do status=$(call POST /demo/paid "x-api-key: $key"); done
  row '402 when the budget is spent' "$(through 402)" insufficient_credits "$status"
  ended=$(make_key '{"name":"smoke, ended"}') && id=$(< "$scratch/id")
  row 'admitted before its end' 200 '' "$(call GET /demo/free "x-api-key: $ended")"
  row 'ended' 204 '' "$(call DELETE "/v1/api-keys/$id" "authorization: Bearer $token")"
  row '401 at the very next call' 401 invalid_api_key "$(call GET /demo/free "x-api-key: $ended")"
fi

printf '%d rows, %d differ\n' "$rows" "$differences"
((differences == 0))

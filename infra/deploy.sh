#!/usr/bin/env bash
# Builds all functions in one go and deploys template.yaml with them. `sam build` does the same with one build per function.
#
#   infra/deploy.sh                                        asks for the parameters
#   infra/deploy.sh TableName=… SecretsPrefix=… …          takes them from the command line
#
# KEYS_PATH=/api/keys puts the collection of keys where the policy has it (management.keys).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

functions=$(sed -nE 's/^ +BuildProperties: \{ Binary: ([a-z]+) \}$/\1/p' template.yaml)
packages=()
for function in $functions; do packages+=(--package "faregate-$function"); done
cargo lambda build --release --arm64 --locked --output-format zip --lambda-dir target/lambda "${packages[@]}"

# The same template, its functions' code already built.
awk -v keys="${KEYS_PATH:-/v1/api-keys}" '
  /^    CodeUri: \.$/ { next }
  /^    Metadata:$/ { next }
  /^      BuildMethod: rust-cargolambda$/ { next }
  /^      BuildProperties: \{ Binary: / { function_name = $4; next }
  /^      ContentUri: / { sub("infra/", "../infra/") }
  /^          \/v1\/api-keys/ && !/\/verify:$/ { sub("/v1/api-keys", keys) }
  { print }
  /^    Properties:$/ && function_name { print "      CodeUri: lambda/" function_name "/bootstrap.zip"; function_name = "" }
' template.yaml > target/deploy.yaml

if (($#)); then
  sam deploy --template-file target/deploy.yaml --parameter-overrides "$@"
else
  sam deploy --template-file target/deploy.yaml --guided
fi

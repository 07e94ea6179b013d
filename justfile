# The recipes; `.ci/run` holds what the checks do. Get just with `pip install rust-just` or `cargo install just`.

# What is here.
default:
    @just --list

# Everything that must hold before a change lands.
check:
    .ci/run

# The gate on this machine: `just run --memory`, `just run --help`.
run *options:
    cargo run -- {{ options }}

# Every test; `just test a_nonce_works_once` for one.
test *filter:
    cargo test --workspace -- {{ filter }}

# The generated expressions against a second DynamoDB engine.
grammar:
    .ci/run grammar

# The same on DynamoDB Local, for those who agree to its terms: FAREGATE_DYNAMODB_LOCAL_LICENSE=accepted.
aws-grammar:
    .ci/run aws_grammar

# Formats the workspace and the fuzz targets.
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml
    cargo fmt --manifest-path tests/mutants/Cargo.toml

# Lints, as strict as the checks are.
lint:
    .ci/run fmt clippy

# The documentation of the crates, opened.
doc:
    cargo doc --workspace --no-deps --open

# Licences, sources and banned crates.
deny:
    .ci/run deny

# Known vulnerabilities; fetches the advisory database.
advisories:
    .ci/run advisories

# Dependencies that nothing uses.
machete:
    .ci/run unused

# That the domain does no IO.
pure:
    .ci/run pure

# Histories of many instances, each from a seed: `FAREGATE_SEED=123 just simulate 1` for one of them.
simulate seeds="10000":
    FAREGATE_SEEDS={{ seeds }} .ci/run simulation

# Takes each guard out of the store's writes in turn, and sees that a history goes wrong without it.
sabotage seeds="40":
    FAREGATE_GUARDS=all FAREGATE_SEEDS={{ seeds }} cargo test --package faregate-tests --test simulation a_guard -- --nocapture

# Lines and branches that the tests run, and what of a decision they do not.
coverage:
    .ci/run coverage

# Which faults put into domain and store no test notices.
mutants seconds="45":
    MUTANTS_SECONDS={{ seconds }} .ci/run mutants

# Every fuzz target for a while.
fuzz-smoke seconds="20":
    FUZZ_SECONDS={{ seconds }} .ci/run fuzz

# Ten minutes for every fuzz target; what is news comes into fuzz/corpus.
fuzz-long seconds="600":
    FUZZ_SECONDS={{ seconds }} .ci/run fuzz_long

# One fuzz target until it finds something: `just fuzz key`.
fuzz target:
    mkdir -p fuzz/scratch/{{ target }} fuzz/artifacts
    cd fuzz && cargo run --release --bin {{ target }} -- -artifact_prefix=artifacts/ scratch/{{ target }} corpus/{{ target }}

# DynamoDB calls, write units and CPU per decision.
bench:
    cargo bench --package faregate-tests

# As many calls as the running program answers, while its ledger is killed over and over; then the audit.
load minutes="10":
    LOAD_SECONDS=$(( {{ minutes }} * 60 )) .ci/run load

# The authorizer's stripped size.
size:
    .ci/run size

# Every function's stripped size.
sizes:
    .ci/run sizes

# A foreign wallet against the running program.
wallet:
    .ci/run wallet

# The console: built anew, compared with the tree, and used in a browser.
console:
    .ci/run console

# The console on an account of ten thousand keys and a million calls: SCALE_KEYS=1000 SCALE_ROWS=50000 just console-scale.
console-scale:
    .ci/run console_scale

# A new pepper in the data folder, under a running program: docs/rotation.md.
rotate-pepper *options:
    cargo run --quiet -- {{ options }} secrets rotate pepper

# The walk over a live deployment, against the running program in each wiring.
smoke:
    .ci/run smoke

# Whatever is generated from infra/openapi.yaml: the template's paths and docs/api.md.
api:
    FAREGATE_UPDATE=1 cargo test --package faregate --lib -- the_templates_paths the_page_in_docs

# The running program against infra/openapi.yaml.
schemathesis:
    .ci/run schemathesis

# The deployment template.
template:
    .ci/run template

# All functions built once for arm64 and deployed: `just deploy TableName=… StreamArn=… SecretsPrefix=… PublicOrigin=… BackendUrl=…`.
deploy *parameters:
    infra/deploy.sh {{ parameters }}

# Functions and templates in an emulated AWS account.
deployed:
    .ci/run deployed

# The same with every function as it is deployed.
released:
    .ci/run released

# How long each release binary takes to start and to answer, beside a Node and a Python authorizer.
cold-start runs="20":
    COLD_START_RUNS={{ runs }} .ci/run cold_start

# The gate beside what people would use instead, all under the same work: `just peers`, `just peers 1 "faregate envoy"`.
peers seconds="3" names="":
    PEERS_SECONDS={{ seconds }} PEERS="{{ names }}" .ci/run peers

# Where the instructions of a warm decision go, and its processor time.
profile:
    .ci/run profile

# How many instructions each release binary carries out to start and to answer; does not depend on the machine's load.
instructions:
    .ci/run instructions

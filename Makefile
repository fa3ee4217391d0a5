# `make` alone prints what there is. Recipes are one or two lines each; what is longer lives in scripts/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Processor of the deployed functions: arm64 or x86_64.
ARCH ?= arm64
# Where `make contract` copies from.
SHARED ?= ../shared

# The Python tools (sam, cfn-lint, cargo-lambda), after scripts/setup.sh python.
TOOLS := $(shell scripts/setup.sh path)

# The functions are those of template.yaml: PushRulesFunction is the binary push-rules.
FUNCTIONS := $(shell sed -nE 's/^  ([A-Za-z]+)Function:$$/\1/p' template.yaml \
	| sed -E 's/([a-z])([A-Z])/\1-\2/g' | tr '[:upper:]' '[:lower:]')

# Those that link LanceDB have a profile of their own (Cargo.toml).
LANCEDB := indexer maintenance migrate search
LIGHT := $(filter-out $(LANCEDB),$(FUNCTIONS))

export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0

.PHONY: help
help: ## Print this help
	@sed -nE 's/^([a-z-]+):.* ## (.*)/  \1\t\2/p' Makefile | expand -t 20

.PHONY: setup
setup: ## Install what the tests need, or say what is missing
	scripts/setup.sh

.PHONY: dev
dev: ## Start everything as one process on http://127.0.0.1:9000, data under .data/
	cargo run --bin local

.PHONY: watch
watch: tools ## Start the functions one by one as Lambda does, behind http://127.0.0.1:9000
	scripts/watch.sh

.PHONY: test
test: setup ## Run every test, on SQLite, PostgreSQL and MariaDB
	cargo build --workspace --all-targets
	scripts/with-servers.sh cargo test --workspace
	$(MAKE) validate
	scripts/start-smoke.sh cargo run --bin local
	scripts/start-smoke.sh scripts/watch.sh
	scripts/with-servers.sh scripts/replay-watch.sh

.PHONY: check
check: ## Check format and lints of the code and of the scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	for script in scripts/*.sh scripts/protoc .ci/run; do bash -n "$$script"; done
	if command -v shellcheck >/dev/null; then shellcheck -x -P scripts -S warning scripts/*.sh scripts/protoc .ci/run; fi

.PHONY: bench
bench: ## Measure the budgets; prints a table and JSON
	scripts/setup.sh
	cargo build --release $(LIGHT:%=--bin %)
	cargo build --profile large $(LANCEDB:%=--bin %) --bin bench
	scripts/with-servers.sh cargo run --profile large --quiet --bin bench

# One compilation for all functions of a profile; the second call only packs what the first has built. `sam
# build` takes the bootstraps, the zips are for every other way of deployment.
.PHONY: build
build: tools ## Build the release zips target/lambda/*/bootstrap.zip (ARCH=x86_64 for x86-64)
	for format in binary zip; do \
	  PATH="$(TOOLS):$$PATH" cargo-lambda lambda build $(BUILD_FLAGS) --release $(LIGHT:%=--bin %) --output-format $$format; \
	  PATH="$(TOOLS):$$PATH" cargo-lambda lambda build $(BUILD_FLAGS) --profile large $(LANCEDB:%=--bin %) --output-format $$format; \
	done
BUILD_FLAGS = --$(subst _,-,$(ARCH)) --lambda-dir target/lambda

# What CI builds: those that link LanceDB take an hour.
.PHONY: zips
zips: tools ## Build the release zips of the functions without LanceDB, and check that none has more than 5 MB
	PATH="$(TOOLS):$$PATH" cargo-lambda lambda build $(BUILD_FLAGS) --release $(LIGHT:%=--bin %) --output-format zip
	for name in $(LIGHT); do \
	  bytes=$$(stat --format %s "target/lambda/$$name/bootstrap.zip"); \
	  echo "zips: $$name has $$bytes bytes"; \
	  if ((bytes > 5000000)); then echo "zips: that is more than 5 MB" >&2; exit 1; fi; \
	done

# Called by `sam build` for each function of template.yaml, with ARTIFACTS_DIR set.
build-%Function:
	name=$$(sed -E 's/([a-z])([A-Z])/\1-\2/g' <<<'$*' | tr '[:upper:]' '[:lower:]'); \
	cp "target/lambda/$$name/bootstrap" "$(ARTIFACTS_DIR)/bootstrap"

.PHONY: validate
validate: tools ## Check template.yaml without touching AWS, and the description of the API
	$(TOOLS)/sam validate --lint
	$(TOOLS)/cfn-lint template.yaml
	$(TOOLS)/openapi-spec-validator functions/system/openapi.json

.PHONY: stack
stack: tools ## Create and delete the stack on a local stand-in for AWS
	scripts/stack.sh

# Between the two last lines the functions answer 503: their code is new and the schema is old.
.PHONY: deploy
deploy: build ## Deploy to your AWS account, asking for the parameters, and update the schema
	$(TOOLS)/sam build
	$(TOOLS)/sam deploy --guided
	$(MAKE) schema

# The name that `sam deploy --guided` asked for.
STACK ?= $(shell sed -nE 's/^stack_name = "(.*)"$$/\1/p' samconfig.toml | tail -n 1)

.PHONY: schema
schema: tools ## Bring the database of the deployed STACK to the schema of its code
	$(TOOLS)/sam remote invoke MigrateFunction --stack-name "$(STACK)" --event '{"command": "schema"}'

.PHONY: openapi
openapi: ## Write functions/system/openapi.json, the description of the API, anew
	WRITE_OPENAPI=1 cargo test --workspace --test openapi the_document_is_what_the_code_says

.PHONY: contract
contract: ## Refresh contract/, the unchanged copy of SHARED/contract and SHARED/fixtures
	test -d "$(SHARED)/contract" -a -d "$(SHARED)/fixtures"
	rm -rf contract
	cp -R --no-preserve=mode "$(SHARED)/contract" contract
	cp -R --no-preserve=mode "$(SHARED)/fixtures" contract/fixtures

.PHONY: contract-status
contract-status: ## Say whether contract/ differs from SHARED; never fails
	@scripts/contract-status.sh "$(SHARED)"

.PHONY: tools
tools:
	@scripts/setup.sh python

# Kindred: everything a newcomer types.  `make` alone prints the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
BUF = $(firstword $(wildcard node_modules/@bufbuild/buf-*/bin/buf) buf)
export KINDRED_VENV := $(VENV)

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ready ## carry 20+ ER referrals end to end on this machine and check every promise
	@$(BIN)/kindred demo

.PHONY: up down status logs clean-data
up: ready ## start the system on this machine and leave it running
	@$(BIN)/kindred up
down: ready ## stop what `make up` started; the data stay
	@$(BIN)/kindred down
status: ready ## how each process stands, and where
	@$(BIN)/kindred status
logs: ready ## the last lines of every log (NAME=intake-api for one of them)
	@$(BIN)/kindred logs $(NAME)
clean-data: ready ## forget all data, keys and mails of this checkout
	@$(BIN)/kindred clean-data

.PHONY: cluster-up cluster-down cluster-status
cluster-up cluster-down cluster-status: export KINDRED_VAR := $(abspath $(or $(KINDRED_VAR),var)/cluster)
cluster-up: ready ## three RabbitMQ and three MongoDB nodes, two of each api and worker, beside `make up`, on this machine
	@$(BIN)/kindred up --cluster
cluster-down: ready ## stop what `make cluster-up` started; the data stay
	@$(BIN)/kindred down
cluster-status: ready ## how each node and process of the cluster stands
	@$(BIN)/kindred status

.PHONY: test
test: ready-dev ## run every test against a real RabbitMQ and a real MongoDB (T=path for some)
	@$(BIN)/python -m cli.local.testbed pytest $(or $(T),tests --ignore=tests/bench --ignore=tests/providers)

.PHONY: faults
faults: ready-dev ## the fault matrix: everything killed, frozen and filled; ends with its table (FAULT_SEED=, FAULTS_MINUTES=120, T=path)
	@deploy/bootstrap.sh faults
	@$(BIN)/python -m cli.local.testbed pytest -p tests.faults.table -m "slow_faults or in_matrix" --timeout=1800 \
	  $(or $(T),tests)

.PHONY: cluster-faults
cluster-faults: ## the rows of the fault matrix that need three nodes of broker and database (F-15, F-16, F-21)
	@$(MAKE) --no-print-directory faults T=tests/cluster

.PHONY: overload backlog
overload: ready-dev ## ten times what the system carries, for OVERLOAD_SECONDS (60): who is refused, how soon, and what comes back
	@PYTHONPATH=.:gen $(BIN)/python -m tests.faults.overload
backlog: ready-dev ## each listener dead for BACKLOG_REFERRALS (600): do the others notice, how quickly is it drained
	@PYTHONPATH=.:gen $(BIN)/python -m tests.faults.backlog

.PHONY: soak
soak: ready-dev ## a seeded nemesis for SOAK_MINUTES (30), judged every round; slopes of memory and descriptors
	@SOAK_MINUTES=$(or $(SOAK_MINUTES),30) $(BIN)/python -m cli.local.testbed tests.faults.soak

.PHONY: attacks
attacks: ready-dev ## play the database administrator, the thief of keys and the liar: each attack is found and named
	@$(BIN)/python -m cli.local.testbed pytest -v --no-header -p no:randomly tests/store/test_audit_attacks.py \
	  tests/store/test_audit_attacks_wide.py tests/store/test_audit_keepers.py tests/store/test_audit_exports.py

.PHONY: security
security: ready-dev ## walk every door as every persona, attack the running doors, scan the code; prints the counts
	@$(BIN)/python -m cli.local.testbed pytest -q --no-header tests/security tests/house/test_no_phi_leaves.py
	@$(BIN)/bandit -q -r chassis services cli -ll --skip B104,B108,B310 && echo "bandit: nothing of medium or high severity"

# It speaks to nobody outside this machine; only its mongod is needed of the testbed, so no broker is started.
.PHONY: providers
providers: ready-dev ## every key service and an OpenID provider that are not ours, over TLS: wrap, rotate, away and back, sign in
	@deploy/bootstrap.sh providers
	@AMQP_URI=none KINDRED_PROVIDERS_VENV=$(abspath $(BIN)/../providers) $(BIN)/python -m cli.local.testbed \
	  pytest -v --no-header -p no:randomly $(or $(T),tests/providers)

.PHONY: kills
kills: ready-dev ## 10^6 events into the audit log while its processes are killed: 0 lost, 0 twice (N=events T=seconds S=seed)
	@$(BIN)/python -m cli.local.testbed tests.faults.audit_kills $(or $(N),1000000) $(or $(T),3600) $(S)

.PHONY: monitoring
monitoring: ready-dev ## a real Prometheus reads the rules, sees each alarm fire, and watches a running system (brings Prometheus)
	@deploy/bootstrap.sh monitoring
	@$(BIN)/python -m cli.local.testbed pytest tests/house/test_monitoring.py tests/journeys/test_monitored.py

.PHONY: conformance
conformance: ready-dev ## what we say of each file of ../shared/data/fhir and hl7v2, and which rule says so
	@$(BIN)/python -m cli.local.testbed tests.conformance.report

.PHONY: fuzz
fuzz: ready-dev ## 20,000 spoiled Bundles, orders and Tasks, then 20,000 HL7 messages (N=count S=seed of the Bundles)
	@$(BIN)/python -m cli.local.testbed tests.conformance.hostile.run $(or $(N),20000) $(or $(S),1)
	@$(BIN)/python -m cli.local.testbed pytest -m slow_faults --timeout=1800 tests/security/test_hl7_fuzz.py

.PHONY: bench
bench: ready-dev ## measure, and print ratios to the raw limits (B=intake_bench for one part)
	@$(BIN)/python -m cli.local.testbed tests.bench.$(or $(B),system_bench)

.PHONY: performance
performance: ready-dev ## measure docs/performance.md anew and draw it; a quarter of an hour with nothing else on the machine
	@mkdir -p var/performance && for each in budget.hops growth.knee_bench growth.replicas_bench growth.size_bench; do \
	  echo "$$each ..."; $(BIN)/python -m cli.local.testbed tests.bench.$$each > var/performance/$$each.txt || exit 1; done
	@PYTHONPATH=.:gen $(BIN)/python -m tests.bench.growth.drawn var/performance/*.txt

.PHONY: capacity
capacity: ready-dev ## the machines, disk and cost of a network, a state and the country, from measured figures
	@PYTHONPATH=.:gen $(BIN)/python -m tests.bench.capacity.model

.PHONY: check check-style check-types check-imports check-protos check-gen check-house
check: check-style check-types check-imports check-protos check-gen check-house ## style, types, import contracts, protos, docs and names
check-style: ready-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
check-types: ready-check
	$(BIN)/mypy
check-imports: ready-check
	$(BIN)/lint-imports
check-protos: ready-check
	$(BUF) lint protos
	$(BUF) breaking protos --against protos/released.binpb
check-gen: ready-check
	@fresh="$$(mktemp -d)"; trap 'rm -rf "$$fresh"' EXIT; PYTHON=$(BIN)/python protos/generate.sh "$$fresh"; \
	  diff -r -x __pycache__ gen/kindred "$$fresh/kindred" && echo "gen/ is what protos/ says."
check-house: ready-check
	$(BIN)/python -m pytest -q tests/house

.PHONY: image
image: ## build the container image twice with buildah, and fail unless both are the same bit for bit
	@deploy/image.sh

.PHONY: sbom advisories
sbom: ready-dev ## what the system is made of, as CycloneDX documents in var/sbom/, from the hash-pinned locks
	@mkdir -p var/sbom
	@for lock in runtime local dev; do $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application \
	  --of JSON --sv 1.6 --output-reproducible -o var/sbom/$$lock.cdx.json requirements/$$lock.txt 2>/dev/null \
	  && echo "var/sbom/$$lock.cdx.json" || exit 1; done
# Asks the package index's own list, or a mirror of OSV in your network (ADVISORIES=URL), and fails where either
# knows nothing of a package: what could not be looked up has not been found good.
advisories: ready-dev ## known holes in what is locked; ADVISORIES=URL of an OSV mirror where the internet is out of reach
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/runtime.txt -r requirements/local.txt \
	  $(if $(ADVISORIES),-s osv --osv-url $(ADVISORIES),)

.PHONY: format gen released lock
format: ready-dev ## let ruff format and mend what it can
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
gen: ready-dev ## write gen/ from protos/
	PYTHON=$(BIN)/python protos/generate.sh
released: ready-check ## make today's protos the ones that later changes must not break
	$(BUF) build protos -o protos/released.binpb
lock: ## renew requirements/*.txt, with hashes, from requirements/*.in
	deploy/lock.sh

.PHONY: ready ready-dev ready-check
ready:
	@deploy/bootstrap.sh run
ready-dev:
	@deploy/bootstrap.sh dev
ready-check:
	@deploy/bootstrap.sh check

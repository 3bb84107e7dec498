# Everything the README promises. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python

.PHONY: help setup demo test lint format stubs page pictures models wheel deb test-pi servers lock check-wheels engines exporters bench-journey bench-ingest bench-conventions bench-rules bench-buffer bench-backlog bench-imports bench-history bench-cloud bench-tail bench-view bench-prometheus bench-page bench-score backtest false-alarms soak campaigns crash crash-lake crash-mutants sim sim-mutants fuzz fuzz-api flood outage reconnect card-day small clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

.venv/.stamp: requirements/dev.txt pyproject.toml .ci/venv
	@.ci/venv

setup: .venv/.stamp page models ## make .venv, the page and the shipped models

page: .venv/.stamp ## build the page (rebuilds only what changed)
	@$(PY) cloud/web/build.py

pictures: setup servers ## take the pictures of README and guide anew, from a running system; five minutes
	@TIDEGATE_PICTURES=1 $(PY) -m pytest -q tests/browser/test_pictures.py

models: .venv/.stamp ## build the shipped ONNX models from their code
	@$(PY) -m edge.detect.shipped.build

demo: setup ## broker, cloud, gateway, sensors and a page; Ctrl-C ends it (or DEMO_SECONDS=45)
	@$(PY) -m deploy.demo

test: setup servers ## the whole suite (what takes longer: make campaigns)
	@$(PY) -m pytest -n 4 --dist worksteal

campaigns: setup servers ## the tests that are too long for the suite (WHICH=tests/brokers: of a folder)
	@$(PY) -m pytest -m campaign -n 3 --dist worksteal $(WHICH)

lint: setup ## what every change must pass: ruff, mypy, import contracts, the page's checks
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PY) cloud/web/build.py --check

format: .venv/.stamp ## format the Python
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

stubs: .venv/.stamp ## regenerate the gRPC stubs
	@$(PY) -m protos.generate

wheel: setup ## build the wheel, and that of the Python client alone, into dist/
	@rm -rf dist && $(PY) -m hatchling build -t wheel
	@cd cloud/client && ../../$(PY) -m hatchling build -t wheel -d ../../dist

deb: setup ## build the gateway's Debian packages, arm64 and amd64, into dist/; six minutes (ARCH=arm64: one)
	@$(PY) -m deploy.debian $(foreach arch,$(ARCH),--arch $(arch))

test-pi: setup ## the guide of the Pi typed on arm64 Debian under emulation, with a cloud outside; as root, ten minutes and more (SUITE=bookworm: one)
	@$(PY) -m tests.pi $(foreach suite,$(SUITE),--suite $(suite)) $(if $(DEB),--deb $(DEB))

servers: ## install the real servers the tests use (Debian packages)
	@.ci/servers

lock: .venv/.stamp ## pin the requirements again
	@.ci/lock

check-wheels: .venv/.stamp ## the edge must install on a Pi from wheels alone
	@$(PY) .ci/check_wheels.py

bench-journey: setup servers ## what a message costs on its way through the edge
	@$(PY) -m benchmarks.journey

bench-conventions: setup ## what it costs to understand a message, by convention
	@$(PY) -m benchmarks.conventions

bench-ingest: setup servers ## ingest at the speed of the broker, beside subscribers that only count
	@$(PY) -m benchmarks.ingest

bench-rules: .venv/.stamp ## what a rule costs for a reading, beside a loop over the readings
	@$(PY) -m benchmarks.rules

bench-buffer: .venv/.stamp ## the buffer alone, beside SQLite with a row a message
	@$(PY) -m benchmarks.buffer

bench-backlog: .venv/.stamp ## what delivery costs over backlogs of several sizes
	@$(PY) -m benchmarks.backlog

IMPORT_READINGS ?= 1000000
bench-imports: .venv/.stamp ## what it costs to bring a file in, beside parsing it (IMPORT_READINGS=100000)
	@$(PY) -m benchmarks.imports $(IMPORT_READINGS)

engines: .servers/history/.stamp ## install engines that are no dependency: tables are tried with them

.servers/history/.stamp: requirements/history.txt .venv/.stamp
	@rm -rf .servers/history && .venv/bin/uv pip install -q --python $(PY) --target .servers/history --require-hashes -r requirements/history.txt && touch $@

exporters: .servers/exporters/.stamp ## install scikit-learn and skl2onnx: `model pack` is tried with their exports

.servers/exporters/.stamp: requirements/exporters.txt .venv/.stamp
	@rm -rf .servers/exporters && .venv/bin/uv pip install -q --python $(PY) --target .servers/exporters --require-hashes -r requirements/exporters.txt && touch $@

HISTORY_READINGS ?= 100000000
HISTORY_DEVICES ?= 1000
bench-history: setup servers .servers/history/.stamp ## history beside ClickHouse and PostgreSQL; twenty minutes (HISTORY_READINGS=2000000 HISTORY_DEVICES=20: one)
	@$(PY) -m benchmarks.history --readings $(HISTORY_READINGS) --devices $(HISTORY_DEVICES)

CLOUD_GATEWAYS ?= 1000
CLOUD_SECONDS ?= 120
bench-cloud: setup ## the whole cloud under a thousand gateways and twenty readers; ten minutes (CLOUD_GATEWAYS=20 CLOUD_SECONDS=10: two)
	@$(PY) -m benchmarks.cloud --gateways $(CLOUD_GATEWAYS) --seconds $(CLOUD_SECONDS) --beside

bench-tail: .venv/.stamp ## what a reading takes in the tail of the live view, beside the same rows as decoded
	@$(PY) -m benchmarks.tail

bench-view: .venv/.stamp ## what showing a reading costs the first process, with blocks decoded in it and apart
	@$(PY) -m benchmarks.view

PROMETHEUS_DAYS ?= 30
bench-prometheus: .venv/.stamp ## ten series over thirty days as Grafana asks them, beside our own history (PROMETHEUS_DAYS=2)
	@$(PY) -m benchmarks.prometheus --days $(PROMETHEUS_DAYS)

PAGE_READINGS ?= 100000
PAGE_SECONDS ?= 10
bench-page: setup ## how smoothly a chart of 100,000 readings moves under a hand, beside the page left alone (PAGE_READINGS=20000 PAGE_SECONDS=2)
	@$(PY) -m benchmarks.page --readings $(PAGE_READINGS) --seconds $(PAGE_SECONDS)

MINUTES ?= 60
SOAK_READINGS ?= 50000000
soak: setup servers ## the whole agent's memory, files and threads over days of readings in an hour, an outage in the middle (MINUTES=4 SOAK_READINGS=2400000)
	@$(PY) -m benchmarks.soak $(MINUTES) $(SOAK_READINGS)

bench-score: .venv/.stamp models ## windows a second on one core, and memory, of every shipped model
	@$(PY) -m benchmarks.scoring

backtest: .venv/.stamp models ## detection over labelled sets beside baselines (NAB_DIR=… SKAB_DIR=…, one or both; it says where they come from)
	@$(PY) -m benchmarks.backtest $(if $(NAB_DIR),--nab $(NAB_DIR)) $(if $(SKAB_DIR),--skab $(SKAB_DIR))

CALM_SERIES ?= 210
CALM_DAYS ?= 30
false-alarms: .venv/.stamp models ## alarms on simulated series in which nothing is wrong, beside the stated rate; ten minutes (CALM_SERIES=45 CALM_DAYS=7: one)
	@$(PY) -m benchmarks.false_alarms --series $(CALM_SERIES) --days $(CALM_DAYS)

ROUNDS ?= 20
SEEDS ?= 200
STEPS ?= 5000
sim: .venv/.stamp ## both halves in simulated bad worlds, a share of them over failing disks (SEEDS=2000; SEED=7 replays)
	@$(PY) -m tests.sim --steps $(STEPS) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

sim-mutants: .venv/.stamp ## show that the simulation misses each rule taken out of the product
	@$(PY) -m tests.sim --steps $(STEPS) --seeds $(SEEDS) --mutants

crash: setup servers ## real processes under faults, every reading counted (ROUNDS=200 SEED=1; ROLES=apart: ingest and consolidation in their own)
	@$(PY) -m tests.crash.campaign --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(if $(ROLES),--consolidation $(ROLES))

crash-lake: .venv/.stamp ## whoever consolidates, killed and its power cut at every step (400 rounds and more must reach all), its tables opened by other engines (ROUNDS=500 SEED=1)
	@$(PY) -m tests.crash.lake_campaign --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

crash-mutants: setup servers ## show that the campaign misses each rule of persist-then-acknowledge
	@$(PY) -m tests.crash.mutants $(if $(SEED),--seed $(SEED))

SECONDS ?= 60
fuzz: .venv/.stamp ## blocks, sync messages and settings files as strangers make them (SECONDS=600; TARGET=block INPUT=file checks one again)
	@$(PY) -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(TARGET),--target $(TARGET)) $(if $(INPUT),--input $(INPUT))

EXAMPLES ?= 500
fuzz-api: .venv/.stamp ## what a machine makes of our own OpenAPI document, for the HTTP API (EXAMPLES=2000 a route; SEED=7)
	@$(PY) -m tests.fuzz.api --examples $(EXAMPLES) $(if $(SEED),--seed $(SEED))

DELAY ?= 2
FLOOD_SECONDS ?= 10
flood: setup servers ## garbage at full speed on one topic, and what that delays another (FLOOD_SECONDS=4 DELAY=2)
	@$(PY) -m tests.flood --seconds $(FLOOD_SECONDS) --delay $(DELAY)

READINGS ?= 60000000
DAYS ?= 30
CAP_MB ?= 512
outage: .venv/.stamp ## days without a cloud in simulated time, then all of it drained (READINGS=1000000 DAYS=0.5 CAP_MB=8.5)
	@$(PY) -m tests.outage --readings $(READINGS) --days $(DAYS) --cap-mb $(CAP_MB)

GATEWAYS ?= 1000
BACKLOG_KB ?= 640
reconnect: setup ## a cloud is killed, and all its gateways come back with a backlog (GATEWAYS=100 BACKLOG_KB=64)
	@$(PY) -m tests.reconnect --gateways $(GATEWAYS) --backlog-kb $(BACKLOG_KB)

LIMIT_MB ?= 160
small: setup servers ## the agent under a hard limit of memory, with a model and a month to deliver (READINGS=1000000 DAYS=0.5 LIMIT_MB=160)
	@$(PY) -m tests.small --readings $(READINGS) --days $(DAYS) --limit-mb $(LIMIT_MB)

CARD_SENDS ?= 4
CARD_LINGER_S ?= 900
card-day: setup servers ## what a day at five messages a second writes to a card and sends by a metered line; 75 minutes of it in real time (CARD_SENDS=2 CARD_LINGER_S=45)
	@$(PY) -m tests.card_day --sends $(CARD_SENDS) --linger-s $(CARD_LINGER_S)

clean: ## remove everything that was built
	rm -rf .venv dist build .demo cloud/web/dist cloud/web/node_modules edge/detect/shipped/*.onnx edge/detect/shipped/more

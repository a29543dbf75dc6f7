# Each target calls the real tool; what needs logic is in scripts/. `make help` lists them.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
PYTHON_CODE := alerts core execution markets mlmodels risk sentiment simexchange tradingsite tests scripts

# The long files first, each whole on one of two workers, so that both end together.
BOTH_CORES := -n 2 --dist loadfile --no-loadscope-reorder
TESTS := $(addprefix tests/,functional faults browser integration contract architecture unit)
NO_DATABASE := $(addprefix tests/,architecture unit integration/simexchange contract/simexchange)

.DEFAULT_GOAL := help
.PHONY: $(shell awk -F ':.*## ' '/^[a-z-]+:.*## / { print $$1 }' Makefile)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' Makefile

setup: ## create .venv with what the system needs to run
	@sh scripts/setup.sh

setup-dev: ## the same, and what tests and checks need
	@sh scripts/setup.sh dev

lock: setup-dev ## pin requirements/*.in and tests/requirements.in anew
	@sh scripts/lock.sh

demo: setup ## trade on the local exchange: everything in one command
	@exec $(BIN)/python manage.py trade --demo

run: setup ## everything, in the mode that .env says
	@exec $(BIN)/python manage.py trade

worker: setup ## one worker on all queues
	@exec $(BIN)/celery -A tradingsite worker -Q orders,pipeline.0,train,default --pool solo -n all@%h

beat: setup ## the schedule
	@exec $(BIN)/celery -A tradingsite beat --scheduler django_celery_beat.schedulers:DatabaseScheduler

stream: setup ## market data stream
	@exec $(BIN)/python manage.py stream_market_data

guard: setup ## the guardian
	@exec $(BIN)/python manage.py guard

backtest: setup ## run_backtest with its defaults; more by `manage.py run_backtest --help`
	@exec $(BIN)/python manage.py run_backtest

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: setup-dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: setup-dev ## mypy
	@$(BIN)/mypy

contracts: setup-dev ## who may import whom
	@$(BIN)/python scripts/contracts.py

system-check: setup-dev ## Django's system checks
	@$(BIN)/python manage.py check --settings tradingsite.settings.test --fail-level WARNING

migrations-check: setup-dev ## no model change without its migration
	@$(BIN)/python manage.py makemigrations --settings tradingsite.settings.test --check --dry-run

test-unit: setup-dev ## the tests without a database
	@$(BIN)/python -m pytest -q tests/unit

test-architecture: setup-dev ## the tree keeps its own rules
	@$(BIN)/python -m pytest -q tests/architecture

test: setup-dev ## every test that needs no outside service, on SQLite
	@env -u DATABASE_URL $(BIN)/python -m pytest $(BOTH_CORES) $(TESTS)

test-postgres: setup-dev ## what touches a database, on a PostgreSQL that it starts itself
	@sh scripts/with_postgres.sh $(BIN)/python -m pytest $(BOTH_CORES) $(filter-out $(NO_DATABASE),$(TESTS)) $(NO_DATABASE:%=--ignore=%)
	@sh scripts/with_postgres.sh $(BIN)/python -m pytest -q tests/faults/test_database.py -k fi25

test-faults: setup-dev ## processes that die, lines that break, an exchange that lies; then the database
	@env -u DATABASE_URL $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/faults
	@sh scripts/with_postgres.sh $(BIN)/python -m pytest -q tests/faults/test_database.py

test-tft: setup-dev ## the transformer, with torch in a folder of its own
	@env -u DATABASE_URL sh scripts/test_tft.sh

chaos: setup-dev ## random compositions of faults: make chaos SEED=7 RUNS=200
	@env -u DATABASE_URL CHAOS_SEED=$(or $(SEED),1) CHAOS_RUNS=$(or $(RUNS),50) $(BIN)/python -m pytest -q -x tests/faults/test_chaos.py

test-clients: setup-dev ## real clients, freqtrade and hummingbot against the local exchange
	@env -u DATABASE_URL $(BIN)/python -m pytest -m "clients or contract" tests/contract/simexchange

fuzz-sim: setup-dev ## 100,000 hostile requests, 10,000 sequences with faults against the local exchange
	@SIM_REQUESTS=$(or $(REQUESTS),100000) SIM_SEQUENCES=$(or $(SEQUENCES),10000) $(BIN)/python -m pytest -q -n 2 --timeout 0 tests/integration/simexchange/test_hostile_requests.py tests/unit/simexchange/engine/test_conservation.py

schedules: setup-dev ## many fault schedules in one process: make schedules SEED=1 RUNS=10000
	@env -u DATABASE_URL SCHEDULE_SEED=$(or $(SEED),1) SCHEDULES=$(or $(RUNS),1000) LOG_LEVEL=ERROR $(BIN)/python -m pytest -q -s -p no:logging tests/faults/test_schedules.py

parity: setup-dev ## live through 5,000 replayed bars, then hold every row against a replay
	@env -u DATABASE_URL PARITY_BARS=$(or $(BARS),5000) $(BIN)/python -m pytest -q tests/functional/test_replay_parity.py

mutation: setup-dev ## change the code that carries money: does a test notice? ONLY=module or group
	@env -u DATABASE_URL nice -n 10 $(BIN)/python scripts/mutation.py $(ONLY)

coverage: setup-dev ## the tests with line and branch coverage
	@env -u DATABASE_URL $(BIN)/python -m pytest $(BOTH_CORES) --cov --cov-report=term --cov-report=html $(TESTS)

check: lint types contracts system-check migrations-check test-unit test-architecture ## all that each commit must pass

bench: setup-dev ## measure; writes DATA_DIR/bench.json
	@$(BIN)/python -m bench

real-data: setup-dev ## judge recipes on recorded hours: make real-data DATA=../shared/data
	@$(BIN)/python scripts/real_data_table.py $(or $(DATA),../shared/data)/candles/spot_1h

honesty: setup-dev ## what the recipe makes of noise and planted signals: 200 markets
	@$(BIN)/python -m bench.honesty --seeds $(or $(SEEDS),200)

bench-peers: setup-dev ## measure beside other systems, each in its own environment
	@$(BIN)/python -m bench --peers

clean: ## remove caches; var/ and .venv stay
	@rm -rf .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov staticfiles
	@find $(PYTHON_CODE) -name __pycache__ -prune -exec rm -rf {} +

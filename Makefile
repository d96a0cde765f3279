# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
OUT ?= out
JOBS ?= 2
export BENTOML_DO_NOT_TRACK = True

.PHONY: demo setup test bench model lint lock clean

# The default, torch-free install; repeated only when what it installs has changed.
$(VENV)/.default: pyproject.toml requirements/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e .
	touch $@

$(VENV)/.all: $(VENV)/.default
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e '.[train,test]'
	touch $@

setup: $(VENV)/.all

demo: $(VENV)/.default
	@mkdir -p $(OUT)
	$(BIN)/holos classify data/sample/feedback.csv -o $(OUT)/feedback.jsonl -o $(OUT)/feedback.xlsx --summary
	@echo
	@echo "Full results: $(OUT)/feedback.jsonl and $(OUT)/feedback.xlsx"
	@echo "The API starts now on http://127.0.0.1:$(PORT); in another terminal try:"
	@echo "  curl -s http://127.0.0.1:$(PORT)/v1/classify -H 'Content-Type: application/json' \\"
	@echo "    -d '{\"items\": [{\"text\": \"The courier was late and nobody answers the phone\", \"metric\": \"nps\", \"score\": 2}]}'"
	@echo "and, with the sample stored, whom to call:"
	@echo "  curl -s http://127.0.0.1:$(PORT)/v1/cases"
	@echo "Documentation: README.md, and http://127.0.0.1:$(PORT)/openapi.json for every route. Ctrl-C stops it."
	$(BIN)/holos demo --port $(PORT)

test: setup
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart 0

bench: setup
	$(BIN)/holos evaluate --data "$${HOLOS_DATASETS:?names the folder of the public sets}/gold_dev.jsonl"
	$(BIN)/python -m tests.benchmarks.encode --texts 1000 --repeat 5
	$(BIN)/python -m tests.benchmarks.classify --texts 1000 --repeat 5
	$(BIN)/python -m tests.benchmarks.start

# Trains the shipped model anew (about an hour on two cores); HOLOS_DATASETS names the folder of the public sets.
model: setup
	$(BIN)/python -m training.default --datasets "$(HOLOS_DATASETS)"
	$(BIN)/python -m training.card --datasets "$(HOLOS_DATASETS)"

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

# Pins what is installed now, so that every machine gets the same.
lock: setup
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements/constraints.txt

clean:
	rm -rf $(VENV) $(OUT) build *.egg-info

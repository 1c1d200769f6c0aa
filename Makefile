# Everything a person does with this repository. `make` or `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help

SOURCE ?= file
FILE ?= samples/scene.flac
PARAMS ?= config/edge.yaml
SINGLE_PROCESS ?= true
MONITOR ?= false
ARGS ?=
TESTS ?=
export FILE PARAMS  # so that a recipe can quote what holds spaces

# A shell in which the environment, ROS 2 and the messages are found.
ENVIRONMENT := . scripts/env.sh

ifeq ($(SOURCE),file)
SOURCE_ARGS := --source file --file "$$FILE" --exit-at-end
else
SOURCE_ARGS := --source $(SOURCE)
endif
ifeq ($(SINGLE_PROCESS),false)
SOURCE_ARGS += --processes
endif
ifeq ($(MONITOR),true)
SOURCE_ARGS += --monitor
SETUP_ARGS += --monitor
endif

.PHONY: help setup workshop named assistant build test lint docs bench corpus-demo train-demo clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## ?(.*)/\1|\2/' \
	  | while IFS='|' read -r target text; do printf '  make %-11s %s\n' "$$target" "$$text"; done
	@echo '  variables: SOURCE=file|mic|none  FILE=path  PARAMS=path  SINGLE_PROCESS=true|false  MONITOR=true|false  ARGS="more arguments"  TESTS="pytest arguments"'

setup:  ## create .venv, install what runs the assistant (ROS 2 too), build the messages
	@scripts/setup_environment.sh $(SETUP_ARGS)

workshop:  ## the same, and what training, export, tests and linters need (PyTorch among it)
	@scripts/setup_environment.sh --workshop

# What cannot work is said before anything is installed.
named:
	@case "$(SOURCE)" in file|mic|none) ;; \
	  *) echo "SOURCE: expected file, mic or none, got '$(SOURCE)'" >&2; exit 2;; esac
	@test "$(SOURCE)" != file || test -e "$$FILE" || { echo "FILE: no recording or bag at '$$FILE'" >&2; exit 2; }
	@test -f "$$PARAMS" || { echo "PARAMS: no parameter file at '$$PARAMS'" >&2; exit 2; }

assistant: named setup  ## listen to the sample scene, to FILE=... or to SOURCE=mic, and print what is heard
	@$(ENVIRONMENT) && python -m audio_interaction_ros.nodes.assistant $(SOURCE_ARGS) --print $(ARGS) \
	  --ros-args --params-file "$$PARAMS"

build: setup  ## colcon build of both packages, for `ros2 run` and `ros2 launch`
	@$(ENVIRONMENT) && colcon build

test: workshop  ## run the tests; TESTS="-m unit" or TESTS=test/audio picks some
	@$(ENVIRONMENT) && export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST OMP_NUM_THREADS=$${OMP_NUM_THREADS:-2} \
	  && python -m pytest -q $(TESTS)

lint: workshop  ## ruff and mypy
	@$(ENVIRONMENT) && python -m ruff check . && python -m mypy

docs: workshop  ## write the documentation as a site to site/; a broken link ends it
	@$(ENVIRONMENT) && NO_MKDOCS_2_WARNING=1 python -m mkdocs build && echo "open site/index.html"

bench: workshop  ## measure; prints a table with the machine and writes JSON
	@$(ENVIRONMENT) && python -m bench $(ARGS)

corpus-demo: workshop  ## build about an hour of training streams of all seven abilities, and a page
	@$(ENVIRONMENT) && OMP_NUM_THREADS=1 python -m train demo --out work/corpus-demo $(ARGS)

train-demo: workshop  ## train a tiny model on those streams and stream one of them through the runtime
	@test -f work/corpus-demo/streams.jsonl || $(MAKE) corpus-demo ARGS=
	@$(ENVIRONMENT) && python -m train fit demo --streams work/corpus-demo/streams.jsonl --out work/train-demo --cpu $(ARGS) \
	  && python -m train listen work/corpus-demo/streams.jsonl --model work/train-demo/model

clean:  ## remove what was made here: .venv, build, install, log and caches
	rm -rf .venv build install log .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

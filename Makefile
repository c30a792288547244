# SPDX-License-Identifier: GPL-3.0-or-later
# Every target but `clean` and `help` sets up first what it needs: see blender_scripts/set_up.py.

# Blender's Python module exists for these two alone. `make demo PYTHON=/path/to/python3.13` picks one.
PYTHON ?= python3
SUPPORTED := import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 13)))
ifeq ($(origin PYTHON),file)
# Neither asked for on the command line nor in the environment: take the first that will do. Where
# none does, python3 stays, and the set-up says what is wrong with it.
FOUND := $(shell for p in python3 python3.11 python3.13; do $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
ifneq ($(FOUND),)
PYTHON := $(FOUND)
endif
endif

VENV := .venv/py$(shell $(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])' 2>/dev/null)
BIN := $(VENV)/bin
PYTEST_ARGS ?=
ZIP_ARGS ?=

# Real portraits for tests and benchmarks, where there are any.
HOLOTALK_PHOTOS ?= $(abspath $(wildcard ../shared/photos))
ifneq ($(HOLOTALK_PHOTOS),)
export HOLOTALK_PHOTOS
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-train gui-test lint bench train zip clean set-up set-up-test set-up-train python

help:
	@echo 'make demo    set up, then write hologram.mp4 from the built-in portrait'
	@echo 'make test    set up, then run the tests (PYTEST_ARGS="-k camera" for some of them)'
	@echo 'make test-train  the tests of the training, with TensorFlow'
	@echo 'make gui-test  HoloTalk in a real Blender window (root on Linux; SHOTS=folder keeps the screenshots)'
	@echo 'make lint    check style and types'
	@echo 'make bench   measure likeness, geometry, speed and memory; draw bench/portraits.png'
	@echo 'make train   from nothing to weights: render people, train, convert, judge; hours, resumed when stopped'
	@echo 'make zip     build the installable add-on, four zips in dist/ (ZIP_ARGS=linux-x64 for one of them)'
	@echo 'make clean   remove what was built and the virtual environments (not the fetched data)'
	@echo 'PYTHON=/path/to/python picks the Python, 3.11 or 3.13; now: $(PYTHON)'

set-up: python
	@$(PYTHON) blender_scripts/set_up.py

set-up-test: python
	@$(PYTHON) blender_scripts/set_up.py --extra test

set-up-train: python
	@$(PYTHON) blender_scripts/set_up.py --extra test --extra data --extra train

python:
	@command -v $(PYTHON) >/dev/null || { \
		echo 'set-up: there is no $(PYTHON): install Python 3.11 or 3.13 (Debian and Ubuntu: sudo apt-get install python3 python3-venv), then run make again' >&2; \
		exit 2; }

demo: set-up
	$(BIN)/holotalk demo -o hologram.mp4

# TensorFlow and Blender do not get on in one process: where TensorFlow is loaded first, as after `make train`
# it would be, Blender 4.5 crashes as it asks for graphics. What needs TensorFlow has processes of its own.
NEED_TENSORFLOW = tests/test_engine.py tests/test_cae_training.py tests/test_parsing_training.py \
	tests/test_training_data.py::test_the_data_as_a_tensorflow_dataset

test: set-up-test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(NEED_TENSORFLOW:%=--deselect=%) \
		--ignore=tests/test_engine.py --ignore=tests/test_cae_training.py \
		--ignore=tests/test_parsing_training.py $(PYTEST_ARGS)

test-train: set-up-train
	$(BIN)/python -m pytest -n 2 --dist loadfile $(NEED_TENSORFLOW) $(PYTEST_ARGS)

# Blender and the screen for it come into a folder of their own: see tests/gui/chroot.py.
gui-test: set-up-test
	HOLOTALK_GUI=1 HOLOTALK_GUI_SHOTS='$(if $(SHOTS),$(abspath $(SHOTS)))' \
		$(BIN)/python -m pytest -s -n 0 tests/gui $(PYTEST_ARGS)

lint: set-up-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: set-up-test
	$(BIN)/python blender_scripts/evaluate.py --sheet bench/portraits.png
	$(BIN)/python blender_scripts/evaluate_data.py

# TRAIN_ARGS: see blender_scripts/make_weights.py; the weights go to model_weights, all else to build/training.
train: set-up-train
	$(BIN)/python blender_scripts/make_weights.py $(TRAIN_ARGS)

zip: set-up
	$(BIN)/python build_addon.py $(ZIP_ARGS)

clean:
	rm -rf .venv build dist bench *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis hologram.mp4
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

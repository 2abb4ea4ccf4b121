# Hone's front door. `make demo` and `make test` work on a bare Debian or Ubuntu machine: they
# install what is missing (root or sudo), build, and run.

BUILD   ?= build
JOBS    ?= $(shell nproc)
PYTHON  := .venv/bin/python
CMAKE   := cmake -G Ninja

.PHONY: all build setup test test-c test-python test-tf-matrix asan tsan clang fuzz demo bench bench-gpu bench-kernels \
        python format check-format layers analyze coverage install clean

all: build

setup:
	@sh tools/setup.sh

build:
	@$(CMAKE) -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release > $(BUILD).log 2>&1 || (cat $(BUILD).log; false)
	@rm -f $(BUILD).log
	@ninja -C $(BUILD) -j$(JOBS)

# The Python package, installed into .venv from this tree.
python:
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(PYTHON) -m pip install -q --no-build-isolation --no-deps .

# Everything: what CI runs, with the counts of all runners in the last line.
test: setup
	@$(PYTHON) tools/test.py

test-c: build
	@cd $(BUILD) && ctest --output-on-failure -j$(JOBS)

test-python: python
	@$(PYTHON) -m pytest -q tests

# The core of the TensorFlow tests in 1.15, 2.4, 2.12 and the newest: tools/tf_matrix.py says how.
test-tf-matrix: setup
	@$(PYTHON) tools/tf_matrix.py

# On a machine with an NVIDIA GPU: kernels, operators, models, times. Not part of `make test`. What passed
# at this commit is not repeated.
test-gpu: build python
	@$(PYTHON) tools/test_gpu.py --jobs 4 --markdown docs/gpu.md

# There too, against PyTorch: bench/gpu.py says what it needs.
bench-gpu: python
	@$(PYTHON) bench/gpu.py --markdown docs/performance.md

asan:
	@$(CMAKE) -S . -B build-asan -DCMAKE_BUILD_TYPE=Debug -DHONE_SANITIZE=address,undefined > /dev/null
	@ninja -C build-asan -j$(JOBS)
	@cd build-asan && ctest --output-on-failure -j$(JOBS)

tsan:
	@$(CMAKE) -S . -B build-tsan -DCMAKE_BUILD_TYPE=Debug -DHONE_SANITIZE=thread > /dev/null
	@ninja -C build-tsan -j$(JOBS) test_pool test_engine
	@cd build-tsan && ctest --output-on-failure -R 'test_pool|test_engine$$'

clang:
	@CC=clang $(CMAKE) -S . -B build-clang -DCMAKE_BUILD_TYPE=Release > /dev/null
	@ninja -C build-clang -j$(JOBS) hone hone_tensorflow

# A longer run of the fuzz targets: make fuzz SECONDS_EACH=600
SECONDS_EACH ?= 600
fuzz:
	@CC=clang $(CMAKE) -S . -B build-fuzz -DCMAKE_BUILD_TYPE=Release -DHONE_FUZZ=ON > /dev/null
	@ninja -C build-fuzz -j$(JOBS) fuzzers
	@sh tools/fuzz.sh build-fuzz $(SECONDS_EACH)

demo: setup build python
	@$(PYTHON) examples/demo.py

# Every cell of bench/suite.py against every peer, written into docs/performance.md: hours. Some cells:
# make bench CELLS="resnet50 bert" THREADS=2. The peers live in an environment of their own.
CELLS   ?=
THREADS ?= 1 2
PEERS   := .cache/bench/peers
$(PEERS)/bin/python: requirements-peers.txt
	@python3 -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install -q --disable-pip-version-check -r requirements-peers.txt
	@touch $@

bench: setup build python $(PEERS)/bin/python
	@ninja -C $(BUILD) peak
	@$(PYTHON) bench/models.py --suite $(if $(CELLS),--cells $(CELLS)) --threads $(THREADS) \
	  --peers ort openvino torch torch_compiled --markdown docs/performance.md

bench-kernels: build
	@$(BUILD)/bench/cpu_kernels

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

check-format:
	@python3 tools/check_format.py

layers:
	@python3 tools/check_layers.py

# clang-tidy over everything, or over some rooms of src/: make analyze ROOMS="import engine"
analyze: build
	@BUILD=$(BUILD) python3 tools/analyze.py $(ROOMS)

coverage:
	@$(CMAKE) -S . -B build-coverage -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=--coverage > /dev/null
	@ninja -C build-coverage -j$(JOBS)
	@cd build-coverage && ctest -j$(JOBS)

install: build
	@cmake --install $(BUILD)

clean:
	@rm -rf build build-asan build-tsan build-clang build-fuzz build-coverage .cache/stand_in

# SPDX-License-Identifier: LGPL-2.1-or-later
# The commands that people type. The build itself is meson.build; this file only says what to run.
MESON ?= meson
NINJA ?= ninja
FUZZ_SECONDS ?= 300
PREFIX ?= /usr/local

.PHONY: all demo check build asan fuzz-build bench lint fuzz soak install deps clean format

# The order of what a target needs is an order.
.NOTPARALLEL:

all: build

# Runs the demonstration, which needs no test tools.
demo:
	packaging/install-deps build guest
	$(MAKE) build
	demo/run

# Everything that must hold before a change goes in.
check: deps build
	tests/run

build: build/build.ninja
	$(NINJA) -C build

build/build.ninja:
	$(MESON) setup build --prefix=$(PREFIX)

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer.
asan: build/asan/build.ninja
	$(NINJA) -C build/asan

build/asan/build.ninja:
	$(MESON) setup build/asan -Db_sanitize=address,undefined -Db_lundef=false

# libFuzzer comes with clang only.
fuzz-build: build/fuzz/build.ninja
	$(NINJA) -C build/fuzz

build/fuzz/build.ninja:
	CC=clang $(MESON) setup build/fuzz -Dfuzz=true -Dtests=false -Db_sanitize=address,undefined -Db_lundef=false

bench: build
	bench/run
	bench/slowdown
	bench/guard

lint: build
	tests/lint

# FUZZ_SECONDS for each target; what is found lies in build/fuzz/artifacts.
fuzz: fuzz-build
	tests/fuzz/run --seconds $(FUZZ_SECONDS)

# Long runs; each script says what it is about and leaves its result in docs/.
soak: build
	tests/soak/run

install: build
	$(MESON) install -C build

# Installs what is missing, and says what and why.
deps:
	packaging/install-deps

format:
	git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

clean:
	rm -rf build

# Compiled by clang as well: another pair of eyes on every warning.
.PHONY: clang-build
clang-build: build/clang/build.ninja
	$(NINJA) -C build/clang

build/clang/build.ninja:
	CC=clang $(MESON) setup build/clang

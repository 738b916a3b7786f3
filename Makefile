# crashcheck: the commands that people and CI run. `make help` lists them.

# Pinned tools, run from the module proxy.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT  = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# A reserved domain: set IMAGE to a name in your registry.
IMAGE   ?= registry.example.com/crashcheck:$(VERSION)
GO      ?= go

# The product and its unit tests are one module. The suites that test it from outside are separate modules.
MODULES = . test/suites test/e2e test/bench

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/crashcheck, static and stripped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/crashcheck ./cmd/crashcheck

.PHONY: demo
demo: build ## run crashcheck on five simulated releases
	$(GO) run ./test/demo -crashcheck bin/crashcheck

.PHONY: test
test: ## run the unit tests
	$(GO) test ./...

.PHONY: race
race: ## run the unit tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

.PHONY: suites
suites: ## run the suites that test the binary, the manifests and the documentation (Linux)
	cd test/suites && $(GO) test -count=1 -timeout 15m ./...

.PHONY: readme
readme: ## run the commands of the README in a copy of the work tree
	$(GO) run ./test/readme commands

.PHONY: library
library: ## use the packages from another module, as the README shows
	$(GO) run ./test/readme example

# The wrapper starts the emulator, so binfmt_misc does not need an entry for it.
.PHONY: arm64
arm64: build ## build the image for arm64 and run its binary in an emulator: demo, recorded streams (Linux, root)
	@mkdir -p bin/arm64
	cd test/e2e && $(GO) run ./cmd/image -arch arm64 -out ../../bin/arm64/binary
	@printf '#!/bin/sh\nexec qemu-aarch64-static "$${0%%/*}/binary" "$$@"\n' > bin/arm64/crashcheck
	@chmod +x bin/arm64/crashcheck
	$(GO) run ./test/demo -crashcheck bin/arm64/crashcheck
	$(GO) run ./test/arm64 bin/crashcheck bin/arm64/crashcheck

.PHONY: faults
faults: ## print the table of simulated faults with the verdict of each (Linux)
	cd test/suites/faults && $(GO) test -count=1 -run '^TestFaults$$' -timeout 15m -args -table

SOAK ?= 30s

.PHONY: soak
soak: ## inject random faults into many runs, for the time SOAK (Linux)
	cd test/suites/faults && $(GO) test -count=1 -run '^TestSoak$$' -timeout 60m -v -args -soak $(SOAK)

.PHONY: bench
bench: ## measure crashcheck and its alternatives on a real API server (Linux, root; 15 min)
	cd test/bench && $(GO) run .

.PHONY: bench-test
bench-test: ## run the tests of the performance suite
	cd test/bench && $(GO) test -count=1 ./...

.PHONY: microbench
microbench: ## run the Go benchmarks
	$(GO) test -run '^$$' -bench . ./pkg/...

# The end-to-end tests run as root. See test/e2e/README.md.
.PHONY: e2e
e2e: ## run the end-to-end tests on a real control plane, node and Argo Rollouts (Linux, root)
	cd test/e2e && $(GO) test -count=1 -timeout 85m .

.PHONY: e2e-oldest
e2e-oldest: ## run the tests that need no node on the oldest supported Kubernetes
	cd test/e2e && E2E_KUBERNETES=oldest $(GO) test -count=1 -timeout 85m .

.PHONY: cluster-up
cluster-up: ## start the cluster of the end-to-end tests and keep it running (Linux, root)
	cd test/e2e && $(GO) run ./cmd/cluster up

.PHONY: cluster-down
cluster-down: ## stop that cluster
	cd test/e2e && $(GO) run ./cmd/cluster down

# A number of runs, not a time: when a time ends, Go 1.26 sometimes reports "context deadline exceeded" (golang/go#75804).
FUZZTIME ?= 50000x

.PHONY: fuzz
fuzz: ## run each fuzz test FUZZTIME times
	@set -e; packages=$$($(GO) list ./pkg/... ./cmd/...); for package in $$packages; do \
		tests=$$($(GO) test -list '^Fuzz' $$package); for target in $$(echo "$$tests" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

.PHONY: lint
lint: ## check every module (gofmt, go vet, staticcheck, go.mod) and the GitHub workflows
	@unformatted=$$(gofmt -l cmd pkg test) || exit 1; test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	@set -e; for module in $(MODULES); do echo "lint $$module"; ( cd $$module; \
		$(GO) vet ./...; \
		$(GO) run $(STATICCHECK) ./...; \
		$(GO) mod tidy -diff ); \
	done
	$(GO) run $(ACTIONLINT)

.PHONY: docs
docs: VERSION = v0.1.0
docs: build ## update the generated parts of the documentation: a log, tables, summaries
	$(GO) run ./test/demo -crashcheck bin/crashcheck > bin/demo.txt
	cd test/suites/faults && $(GO) test -count=1 -run '^TestFaults$$' -timeout 15m -args -summary | grep '^|' > ../../../bin/faults.md
	cd test/suites && $(GO) run ./docs

.PHONY: size
size: ## check that the binary for linux/amd64 stays below 15 MB
	@CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -trimpath -ldflags "-s -w" -o bin/crashcheck-linux-amd64 ./cmd/crashcheck
	@bytes=$$(wc -c < bin/crashcheck-linux-amd64); echo "bin/crashcheck-linux-amd64: $$bytes bytes"; test $$bytes -lt 15000000

.PHONY: image
image: ## build the container image with docker (or DOCKER=podman)
	$(or $(DOCKER),docker) build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: dist
dist: ## build the binaries of a release, and their checksums, into bin/dist
	@rm -rf bin/dist
	@set -e; for platform in $(PLATFORMS); do os=$${platform%/*}; arch=$${platform#*/}; \
		file=bin/dist/crashcheck-$$os-$$arch; test $$os != windows || file=$$file.exe; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $$file ./cmd/crashcheck; \
	done
	@cd bin/dist && sha256sum crashcheck-* | tee checksums.txt

.PHONY: clean
clean: ## remove the files that the other targets have built
	rm -rf bin

# crashcheck: what people and CI run. `make help` lists it.

# Pinned tools, run from the module proxy.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT  = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= crashcheck/crashcheck:$(VERSION)
GO      ?= go

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/crashcheck, static and stripped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/crashcheck ./cmd/crashcheck

.PHONY: demo
demo: build ## run the gate on four simulated releases
	$(GO) run ./test/demo -crashcheck bin/crashcheck

.PHONY: test
test: ## run the tests
	$(GO) test ./...

.PHONY: race
race: ## run the tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

.PHONY: faults
faults: ## print the table of faults: what the gate does on its worst day (Linux)
	cd test/faults && $(GO) test -count=1 -run '^TestFaults$$' -timeout 15m -args -table

.PHONY: soak
soak: ## run the gate against faults at random for half a minute (Linux)
	cd test/faults && $(GO) test -count=1 -run '^TestSoak$$' -timeout 15m -v -args -soak 30s

.PHONY: bench
bench: ## measure the gate and its rivals on a real API server (Linux, root; a quarter of an hour)
	cd test/bench && $(GO) run .

.PHONY: bench-test
bench-test: ## run the tests of the performance suite's own code
	cd test/bench && $(GO) test ./...

.PHONY: microbench
microbench: ## run the benchmarks of the decoder, the ledger, a list and a check
	$(GO) test -run '^$$' -bench . ./pkg/...

# The end-to-end tests are a module of their own; they run as root. See test/e2e/README.md.
.PHONY: e2e
e2e: ## run the end-to-end tests on a real control plane, node and Argo Rollouts (Linux, root; KUBECONFIG: on that cluster)
	cd test/e2e && $(GO) test -count=1 -timeout 60m .

.PHONY: e2e-oldest
e2e-oldest: ## run those that need no node on the oldest Kubernetes that is supported
	cd test/e2e && E2E_KUBERNETES=oldest $(GO) test -count=1 -timeout 60m .

.PHONY: cluster-up
cluster-up: ## start the cluster of the end-to-end tests, to play with (Linux, root)
	cd test/e2e && $(GO) run ./cmd/cluster up

.PHONY: cluster-down
cluster-down: ## end that cluster
	cd test/e2e && $(GO) run ./cmd/cluster down

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME
	@set -e; for package in $$($(GO) list ./pkg/... ./cmd/...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

.PHONY: lint
lint: ## check formatting, go vet, staticcheck, go.mod, the GitHub workflows
	@unformatted=$$(gofmt -l cmd pkg test); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	cd test/e2e && $(GO) vet ./...
	cd test/bench && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd test/e2e && $(GO) run $(STATICCHECK) ./...
	cd test/bench && $(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff
	cd test/e2e && $(GO) mod tidy -diff
	cd test/bench && $(GO) mod tidy -diff
	$(GO) run $(ACTIONLINT)

.PHONY: docs
docs: VERSION = v0.1.0
docs: build ## bring the README's picture, tables, demo and summaries up to date
	$(GO) run ./test/demo -crashcheck bin/crashcheck -picture test/demo/failing-run.svg
	$(GO) run ./test/demo -crashcheck bin/crashcheck > bin/demo.txt
	cd test/faults && $(GO) test -count=1 -run '^TestFaults$$' -timeout 15m -args -summary | grep '^|' > ../../bin/faults.md
	$(GO) run ./test/docs README.md demo=bin/demo.txt faults=bin/faults.md $(addprefix bench=,$(wildcard test/bench/SUMMARY.md))

.PHONY: size
size: build ## check that the binary for linux/amd64 stays below 12 MB
	@CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -trimpath -ldflags "-s -w" -o bin/crashcheck-linux-amd64 ./cmd/crashcheck
	@bytes=$$(wc -c < bin/crashcheck-linux-amd64); echo "bin/crashcheck-linux-amd64: $$bytes bytes"; test $$bytes -lt 12000000

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
clean: ## remove what the targets above made
	rm -rf bin

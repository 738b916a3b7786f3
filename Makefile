# crashcheck: what people and CI run. `make help` lists it.

# Pinned tools, run from the module proxy.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

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

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME
	@set -e; for package in $$($(GO) list ./pkg/... ./cmd/...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: lint
lint: ## check formatting, go vet, staticcheck, go.mod
	@unformatted=$$(gofmt -l cmd pkg test); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

.PHONY: size
size: build ## check that the binary for linux/amd64 stays below 15 MB
	@CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -trimpath -ldflags "-s -w" -o bin/crashcheck-linux-amd64 ./cmd/crashcheck
	@bytes=$$(wc -c < bin/crashcheck-linux-amd64); echo "bin/crashcheck-linux-amd64: $$bytes bytes"; test $$bytes -lt 15000000

.PHONY: image
image: ## build the container image with docker (or DOCKER=podman)
	$(or $(DOCKER),docker) build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

.PHONY: clean
clean: ## remove what the targets above made
	rm -rf bin

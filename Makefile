GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X leat/app.version=$(VERSION)
# The race detector needs a C compiler; Go sets CGO_ENABLED to 0 where there is none.
RACE    ?= $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
LINT     = $(GO) tool -modfile=tools/lint.mod golangci-lint

.DEFAULT_GOAL := help

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## run leat with in-process Redis and store and made-up events; nothing else is needed
	./leat run --embedded --sample

.PHONY: build
build: ## build the static binary ./leat
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o leat .

.PHONY: test
test: ## run all tests, with the race detector where there is a C compiler, and real servers where they run
	$(GO) test $(RACE) -timeout 15m ./...

.PHONY: conformance
conformance: ## test every pub/sub backend on its server and print a table, backend × property
	$(GO) run ./tools/conformance

.PHONY: lint
lint: ## run vet, golangci-lint and the check for an untidy go.mod
	$(GO) mod tidy -diff
	$(GO) vet -tags noembedded ./...
	$(LINT) run ./...

.PHONY: bench
bench: ## print throughput as ratios against hand-written loops and the stock subscriber
	$(GO) run ./bench $(BENCH_FLAGS)

.PHONY: image
image: ## build the container image leat:dev
	docker build --build-arg VERSION=$(VERSION) -t leat:dev .

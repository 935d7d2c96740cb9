# Everything a person does with a clone. `make` alone lists it.
SHELL := /bin/bash

.PHONY: help demo up down test bench format lint picture openapi

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## start the stack, optimise, insert prices, watch the portfolio move
	@deploy/local/demo

up: ## start the stack, or bring back what died of it
	@deploy/local/up

down: ## stop what `make up` started; data stays in .local
	@deploy/local/down

test: ## build and run all tests (installs missing system packages when root)
	@deploy/local/test

bench: ## measure this project and its peers in the same run
	@Benchmarks/run

format: ## format the Swift sources
	swift format --in-place --recursive --parallel Package.swift Shared Services Tests

lint: ## check the format of the Swift sources
	swift format lint --strict --recursive --parallel Package.swift Shared Services Tests

picture: ## make docs/demo.svg from a real run of `make demo`
	@docs/make-picture

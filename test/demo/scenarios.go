package main

import (
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

const namespace = "shop"

// A scenario is one run of crashcheck against the simulated cluster, and its expected result.
type scenario struct {
	title    string
	release  simcluster.Release // deployed as the run begins
	settings []string           // environment variables, NAME=value
	outage   time.Duration      // after which the API server becomes unavailable; 0: never

	verdict  string
	exitCode int
}

// scenarios run in this order, on one cluster. Short windows keep all of them under half a minute.
func scenarios() []scenario {
	crashes := simcluster.CrashLoop(time.Second, 1)
	crashes.Message = "panic: no such table: orders"
	return []scenario{
		{
			title:    "a good release",
			release:  release("6c9f7d8b54", simcluster.Life{}),
			settings: []string{"HASH=6c9f7d8b54", "INTERVAL=1", "DURATION=5", "CRASH_LIMIT=2"},
			verdict:  "pass", exitCode: 0,
		},
		{
			// README.md shows this run. Its window is the shortest one in which a single pod whose container crashes
			// immediately can reach the limit too, so that the log has no warning about that.
			title:    "a release that crashes again and again",
			release:  release("7f5b9c6d48", crashes),
			settings: []string{"HASH=7f5b9c6d48", "INTERVAL=1", "DURATION=30", "CRASH_LIMIT=4"},
			verdict:  "fail", exitCode: 1,
		},
		{
			title:    "a release whose image cannot be pulled",
			release:  release("58d6cb9f7d", simcluster.CannotPull()),
			settings: []string{"HASH=58d6cb9f7d", "INTERVAL=1", "DURATION=4", "CRASH_LIMIT=2"},
			verdict:  "inconclusive", exitCode: 3,
		},
		{
			title:    "a mistyped hash, which no pod has",
			settings: []string{"HASH=6c9f7d8b55", "INTERVAL=1", "DURATION=3", "CRASH_LIMIT=2"},
			verdict:  "inconclusive", exitCode: 3,
		},
		{
			title:    "a good release, but the API server becomes unavailable",
			release:  release("5d8c7b9f66", simcluster.Life{}),
			settings: []string{"HASH=5d8c7b9f66", "INTERVAL=1", "DURATION=5", "CRASH_LIMIT=2", "API_GRACE=3"},
			outage:   2 * time.Second,
			verdict:  "inconclusive", exitCode: 3,
		},
	}
}

func release(hash string, life simcluster.Life) simcluster.Release {
	return simcluster.Release{Namespace: namespace, Name: "checkout", Hash: hash, Replicas: 2, App: life}
}

package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

// The label keys that HASH may be the value of, in the order in which they are tried.
const (
	// RolloutHashLabel is set by Argo Rollouts on the pods of its ReplicaSets.
	RolloutHashLabel = "rollouts-pod-template-hash"
	// DeploymentHashLabel is set by the Deployment controller (appsv1.DefaultDeploymentUniqueLabelKey).
	DeploymentHashLabel = "pod-template-hash"
)

// Values of BASELINE.
const (
	BaselineAbsolute = "absolute" // all crashes of the pods count
	BaselineStart    = "start"    // only crashes after the first check count
)

// Values of LOG_FORMAT.
const (
	LogText = "text"
	LogJSON = "json"
)

// MinInterval is the shortest INTERVAL.
const MinInterval = 10 * time.Millisecond

// Config is what a run is to do. Only [Parse] makes valid ones.
type Config struct {
	Hash      string // value of the template hash label; empty when only SELECTOR chooses the pods
	HashLabel string // label key of Hash; empty: both known keys are tried

	// Selectors choose the pods. The second one is for the time in which the first has matched nothing. None is empty.
	Selectors []labels.Selector

	Namespace string // empty: the namespace of the credentials

	Interval    time.Duration // between checks, at least MinInterval
	Count       int64         // checks to run; 0: the window is Duration
	MaxDuration time.Duration // cap on a run of Count checks; 0: none
	Duration    time.Duration // the window when Count is 0

	CrashLimit       int64 // fail at this many crashes, at least 1
	MinPods          int64 // pods that must have been seen at once
	RequireReady     bool
	IgnoreContainers []string // names, of containers of any kind
	Baseline         string   // BaselineAbsolute or BaselineStart

	APIGrace time.Duration // how long checks may keep failing in a row

	Debug         bool
	LogFormat     string // LogText or LogJSON
	CrashLogLines int64  // last log lines of crashed containers to print on failure

	// Warnings are sentences about variables that are ignored or look misspelt.
	Warnings []string

	selector string // SELECTOR as it was given
}

// Environ returns the configuration as KEY=value pairs, in the order of [Variables], without those at their zero
// value. [Parse] accepts them and yields the same configuration, without the warnings.
func (c Config) Environ() []string {
	duration := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	on := func(b bool) string {
		if b {
			return "on"
		}
		return ""
	}
	values := map[string]string{
		"HASH": c.Hash, "HASH_LABEL": c.HashLabel, "SELECTOR": c.selector, "NAMESPACE": c.Namespace,
		"INTERVAL": duration(c.Interval), "COUNT": number(c.Count),
		"MAX_DURATION": duration(c.MaxDuration), "DURATION": duration(c.Duration),
		"CRASH_LIMIT":       number(c.CrashLimit),
		"MIN_PODS":          strconv.FormatInt(c.MinPods, 10), // 0 is not the default
		"REQUIRE_READY":     on(c.RequireReady),
		"IGNORE_CONTAINERS": strings.Join(c.IgnoreContainers, ","),
		"BASELINE":          c.Baseline,
		"API_GRACE":         c.APIGrace.String(), // 0 is not the default
		"DEBUG":             on(c.Debug),
		"LOG_FORMAT":        c.LogFormat,
		"CRASH_LOG_LINES":   number(c.CrashLogLines),
	}
	environ := make([]string, 0, len(values))
	for _, v := range Variables {
		if values[v.Name] != "" {
			environ = append(environ, v.Name+"="+values[v.Name])
		}
	}
	return slices.Clip(environ)
}

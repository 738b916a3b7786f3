package config

import (
	"cmp"
	"reflect"
	"slices"
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

// Limits of times.
const (
	MinInterval = 10 * time.Millisecond // the shortest INTERVAL
	MaxTime     = 7 * 24 * time.Hour    // the longest of all times
)

// Config is the configuration of a run, as [Parse] returns it.
//
// Tags define the variables: env is the name, envDefault the default value, default describes the default where there
// is no such value, and meaning is the documentation. The order of the fields is the order of the documentation and of
// errors.
type Config struct {
	Hash        string        `env:"HASH" default:"one of HASH, WORKLOAD, SELECTOR is required" meaning:"value of the pod-template-hash label of the pods to check"`
	Interval    time.Duration `env:"INTERVAL" default:"required" meaning:"time between checks, at least 10ms"`
	Count       int64         `env:"COUNT" envDefault:"0" meaning:"number of checks to run; when greater than 0, DURATION is ignored"`
	MaxDuration time.Duration `env:"MAX_DURATION" meaning:"upper bound on the run's time when COUNT is used; greater than 0"`
	Duration    time.Duration `env:"DURATION" default:"required when COUNT is 0" meaning:"how long to check when COUNT is not used; greater than 0"`
	CrashLimit  int64         `env:"CRASH_LIMIT" default:"required" meaning:"the gate fails as soon as this many crashes have been seen; at least 1"`
	Debug       bool          `env:"DEBUG" envDefault:"off" meaning:"debug output, one line per check: on for any value except empty, 0, false, no, off"`

	Namespace string          `env:"NAMESPACE" default:"in a cluster the Job's own namespace; otherwise that of the kubeconfig's context, otherwise default" meaning:"namespace of the pods"`
	Workload  Workload        `env:"WORKLOAD" meaning:"workload whose current version to check, as TYPE/NAME: TYPE is deployment, statefulset, daemonset or rollout (Argo Rollouts)"`
	Selector  labels.Selector `env:"SELECTOR" meaning:"label selector; combined with HASH or WORKLOAD, a pod must match both"`
	HashLabel string          `env:"HASH_LABEL" default:"tries rollouts-pod-template-hash, then pod-template-hash" meaning:"label key that HASH is the value of"`

	MinPods          int64    `env:"MIN_PODS" envDefault:"1" meaning:"at least this many matching pods must have run at the same time in some check; 0: not even one"`
	RequireReady     bool     `env:"REQUIRE_READY" envDefault:"off" meaning:"pass only if every matching pod is Ready at the final check: true, 1, yes, on or false, 0, no, off"`
	IgnoreContainers []string `env:"IGNORE_CONTAINERS" meaning:"comma-separated names of containers whose crashes are not counted, such as istio-proxy"`
	IgnoreExitCodes  []int32  `env:"IGNORE_EXIT_CODES" meaning:"comma-separated exit codes (0 to 255) that are not crashes, for containers that exit on purpose"`
	Baseline         string   `env:"BASELINE" envDefault:"absolute" meaning:"absolute: count all crashes of the pods; start: only those after the first check (pods that appear later count whole)"`

	APIGrace      time.Duration `env:"API_GRACE" envDefault:"60s" meaning:"how long checks may keep failing in a row before the run gives up; 0: no grace"`
	LogFormat     string        `env:"LOG_FORMAT" envDefault:"text" meaning:"text or json, for the log on standard error"`
	CrashLogLines int64         `env:"CRASH_LOG_LINES" envDefault:"0" meaning:"on failure, print this many last log lines of the worst crashed containers (needs get on pods/log; at most 5s in all, none after a signal)"`

	// Selectors select the pods by Hash, HashLabel and Selector. None of them is empty. With both hash labels, the second
	// selector is used while the first has matched nothing. With a Workload, there are none: its version selects the pods.
	Selectors []labels.Selector

	// Warnings are sentences about variables that are ignored or look misspelt.
	Warnings []string

	given map[string]string // the environment that Parse was given, trimmed
}

// NonDefault returns NAME=value of each variable whose value is not its default, in the order of [Variables] and with
// the values that [Parse] was given, trimmed. If names are given, the other variables are left out.
func (c Config) NonDefault(names ...string) []string {
	var pairs []string
	defaults, _ := parse(map[string]string{})
	defaultOf := reflect.ValueOf(defaults)
	for field, value := range reflect.ValueOf(c).Fields() {
		name := field.Tag.Get("env")
		given, isGiven := c.given[name]
		if !isGiven || len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		if !reflect.DeepEqual(value.Interface(), defaultOf.FieldByIndex(field.Index).Interface()) {
			pairs = append(pairs, name+"="+given)
		}
	}
	return pairs
}

// Variable documents one environment variable.
type Variable struct {
	Name    string
	Meaning string
	Default string // a value, "none" or a description
}

// Variables documents all variables that [Parse] reads, in the order of [Config].
var Variables = variables()

func variables() []Variable {
	var all []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		if name, ok := field.Tag.Lookup("env"); ok {
			all = append(all, Variable{
				Name:    name,
				Meaning: field.Tag.Get("meaning"),
				Default: cmp.Or(field.Tag.Get("default"), field.Tag.Get("envDefault"), "none"),
			})
		}
	}
	return all
}

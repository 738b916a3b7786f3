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
// Tags define the variables: env is the name, envDefault is the default value, default describes the default if there
// is no such value, and meaning is the documentation. The order of the fields is the order of the documentation and of
// errors.
type Config struct {
	Hash        string        `env:"HASH" default:"one of HASH, WORKLOAD, SELECTOR is required" meaning:"value of the pod-template-hash label of the pods to check"`
	Interval    time.Duration `env:"INTERVAL" default:"required" meaning:"time between checks, at least 10ms"`
	Count       int64         `env:"COUNT" envDefault:"0" meaning:"number of checks to make; if greater than 0, DURATION is ignored"`
	MaxDuration time.Duration `env:"MAX_DURATION" meaning:"maximum length of the window if COUNT is set; greater than 0"`
	Duration    time.Duration `env:"DURATION" default:"required when COUNT is 0" meaning:"length of the window if COUNT is not set; greater than 0"`
	CrashLimit  int64         `env:"CRASH_LIMIT" default:"required" meaning:"number of crashes at which the gate fails; at least 1"`
	Debug       bool          `env:"DEBUG" envDefault:"off" meaning:"debug output, one line for each check: on for any value except empty, 0, false, no, off"`

	Namespace string          `env:"NAMESPACE" default:"in a cluster, the Job's own namespace; otherwise, the namespace of the kubeconfig context, or the namespace default" meaning:"namespace of the pods"`
	Workload  Workload        `env:"WORKLOAD" meaning:"workload whose current version is checked, as TYPE/NAME; TYPE is deployment, statefulset, daemonset or rollout (Argo Rollouts)"`
	Selector  labels.Selector `env:"SELECTOR" meaning:"label selector of the pods; alone, it also selects pods of other versions; if HASH or WORKLOAD is set too, a pod must match both"`
	HashLabel string          `env:"HASH_LABEL" default:"tries rollouts-pod-template-hash, then pod-template-hash" meaning:"key of the label whose value is HASH"`

	MinPods          int64    `env:"MIN_PODS" envDefault:"1" meaning:"how many pods must have run (each of their main containers has started), counted by one check; 0: the gate passes even if no pod matches, has run or remains"`
	RequireReady     bool     `env:"REQUIRE_READY" envDefault:"off" meaning:"whether every matching pod must be Ready at the final check: on (true, 1, yes) or off (false, 0, no)"`
	IgnoreContainers []string `env:"IGNORE_CONTAINERS" meaning:"comma-separated names of containers whose crashes are not counted, such as istio-proxy"`
	IgnoreExitCodes  []int32  `env:"IGNORE_EXIT_CODES" meaning:"comma-separated exit codes (0 to 255) that are not crashes, for containers that exit on purpose"`
	Baseline         string   `env:"BASELINE" envDefault:"absolute" meaning:"absolute: count all crashes of the pods; start: do not count the crashes that the first check finds"`

	APIGrace      time.Duration `env:"API_GRACE" envDefault:"60s" meaning:"how long checks may fail in a row before the verdict is inconclusive; 0: no grace period"`
	LogFormat     string        `env:"LOG_FORMAT" envDefault:"text" meaning:"format of the log on standard error: text or json"`
	CrashLogLines int64         `env:"CRASH_LOG_LINES" envDefault:"0" meaning:"if the verdict is fail, print this many of the last log lines of the three containers that crashed most (needs get on pods/log; takes at most 5s; skipped after a signal)"`

	// Selectors select the pods by Hash, HashLabel and Selector. None of them is empty. With both hash labels, the
	// second selector is tried until one of the two has matched. With a Workload, there are no Selectors: its version
	// selects the pods.
	Selectors []labels.Selector

	// Warnings are sentences about variables that are ignored or look misspelt.
	Warnings []string

	given map[string]string // the environment that Parse was given, trimmed
}

// Given returns NAME=value of each variable that is set, in the order of [Variables] and with the values that [Parse] was
// given, trimmed. If names are given, only these variables are returned.
func (c Config) Given(names ...string) []string {
	var pairs []string
	for _, variable := range Variables {
		value, isGiven := c.given[variable.Name]
		if isGiven && (len(names) == 0 || slices.Contains(names, variable.Name)) {
			pairs = append(pairs, variable.Name+"="+value)
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

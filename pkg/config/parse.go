package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v10"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"
)

// variables is the environment with each value in its type; the ranges are not checked yet.
// Its fields are in the order in which faults are reported.
type variables struct {
	Hash             hashValue           `env:"HASH"`
	Interval         time.Duration       `env:"INTERVAL"`
	Count            int64               `env:"COUNT"`
	MaxDuration      time.Duration       `env:"MAX_DURATION"`
	Duration         time.Duration       `env:"DURATION"`
	CrashLimit       int64               `env:"CRASH_LIMIT"`
	Debug            looseSwitch         `env:"DEBUG"`
	Namespace        namespace           `env:"NAMESPACE"`
	Selector         labels.Requirements `env:"SELECTOR"`
	HashLabel        labelKey            `env:"HASH_LABEL"`
	MinPods          int64               `env:"MIN_PODS" envDefault:"1"`
	RequireReady     strictSwitch        `env:"REQUIRE_READY"`
	IgnoreContainers []containerName     `env:"IGNORE_CONTAINERS"`
	Baseline         baseline            `env:"BASELINE" envDefault:"absolute"`
	APIGrace         time.Duration       `env:"API_GRACE" envDefault:"60s"`
	LogFormat        logFormat           `env:"LOG_FORMAT" envDefault:"text"`
	CrashLogLines    int64               `env:"CRASH_LOG_LINES"`
}

// Parse reads a configuration from KEY=value pairs, such as os.Environ returns.
// The error is of type [Faults]. The Config returned beside it holds what could be understood, for reports.
func Parse(environ []string) (Config, error) {
	given := trimmed(environ)
	c := &check{given: given, faulty: map[string]bool{}}
	v := c.parse()
	c.ranges(v)

	cfg := Config{
		Hash: string(v.Hash), HashLabel: string(v.HashLabel), Namespace: string(v.Namespace),
		Interval: v.Interval, Count: v.Count, MaxDuration: v.MaxDuration, Duration: v.Duration,
		CrashLimit: v.CrashLimit, MinPods: v.MinPods, RequireReady: bool(v.RequireReady),
		Baseline: string(v.Baseline), APIGrace: v.APIGrace,
		Debug: bool(v.Debug), LogFormat: string(v.LogFormat), CrashLogLines: v.CrashLogLines,
		selector: given["SELECTOR"],
	}
	for _, name := range v.IgnoreContainers {
		cfg.IgnoreContainers = append(cfg.IgnoreContainers, string(name))
	}
	if !c.faulty["HASH"] && !c.faulty["HASH_LABEL"] && !c.faulty["SELECTOR"] {
		cfg.Selectors = selectors(cfg.Hash, cfg.HashLabel, v.Selector)
	}
	cfg.Warnings = c.warnings(v)
	if len(c.faults) > 0 {
		return cfg, c.inOrder()
	}
	return cfg, nil
}

// trimmed returns the environment as a map, without the variables whose value is blank.
func trimmed(environ []string) map[string]string {
	given := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value = strings.TrimSpace(value); name != "" && value != "" {
			given[name] = value
		} else {
			delete(given, name) // the last one of a name counts, as in a shell
		}
	}
	return given
}

// check collects the faults of one environment.
type check struct {
	given  map[string]string
	faults Faults
	faulty map[string]bool // variables that have a fault already
}

func (c *check) fault(variable, problem string) {
	if !c.faulty[variable] {
		c.faulty[variable] = true
		c.faults = append(c.faults, Fault{Variable: variable, Problem: problem, Value: c.given[variable]})
	}
}

// parse gives each value its type.
func (c *check) parse() variables {
	var v variables
	// A copy, because env adds its own parsers to the map that it is given.
	err := env.ParseWithOptions(&v, env.Options{Environment: c.given, FuncMap: maps.Clone(parsers)})
	var all env.AggregateError
	if err != nil && !errors.As(err, &all) {
		all.Errors = []error{err}
	}
	for _, err := range all.Errors {
		var parse env.ParseError
		if !errors.As(err, &parse) {
			// Only a mistake in the struct above gets here, and it must not pass for a good configuration.
			c.fault("environment", err.Error())
			continue
		}
		field, _ := reflect.TypeFor[variables]().FieldByName(parse.Name) // ParseError names the Go field
		c.fault(field.Tag.Get("env"), parse.Err.Error())
	}
	return v
}

// ranges checks what a value may be once it has parsed, and what must be there.
func (c *check) ranges(v variables) {
	need := func(variable, why string) bool {
		_, given := c.given[variable]
		if !given {
			c.fault(variable, why)
		}
		return given
	}
	must := func(ok bool, variable, problem string) {
		if !ok {
			c.fault(variable, problem)
		}
	}

	if _, bySelector := c.given["SELECTOR"]; !bySelector {
		need("HASH", "required: the pod-template-hash of the ReplicaSet to check (or set SELECTOR)")
	}
	if need("INTERVAL", "required: the time between checks, such as 5s") {
		must(v.Interval >= MinInterval, "INTERVAL", "must be at least 10ms")
	}
	must(v.Count >= 0, "COUNT", "must not be negative")
	countMode := v.Count > 0 && !c.faulty["COUNT"]
	if countMode {
		if _, given := c.given["MAX_DURATION"]; given {
			must(v.MaxDuration > 0, "MAX_DURATION", "must be greater than 0")
		}
	} else if c.faulty["COUNT"] {
		// Which of the two modes is meant is unknown: a missing DURATION is no fault, a negative time always is.
		must(v.MaxDuration >= 0, "MAX_DURATION", "must be greater than 0")
		must(v.Duration >= 0, "DURATION", "must be greater than 0")
	} else if need("DURATION", "required when COUNT is not set: how long to check, such as 5m") {
		must(v.Duration > 0, "DURATION", "must be greater than 0")
	}
	if need("CRASH_LIMIT", "required: the number of crashes at which the gate fails, such as 5") {
		must(v.CrashLimit >= 1, "CRASH_LIMIT", "must be at least 1")
	}
	must(v.MinPods >= 0, "MIN_PODS", "must not be negative")
	must(v.APIGrace >= 0, "API_GRACE", "must not be negative")
	must(v.CrashLogLines >= 0, "CRASH_LOG_LINES", "must not be negative")
}

// inOrder returns the faults in the order of Variables.
func (c *check) inOrder() Faults {
	var ordered Faults
	for _, variable := range append(Variables, Variable{Name: "environment"}) {
		for _, fault := range c.faults {
			if fault.Variable == variable.Name {
				ordered = append(ordered, fault)
			}
		}
	}
	return ordered
}

// warnings says what is ignored.
func (c *check) warnings(v variables) []string {
	var warnings []string
	_, durationGiven := c.given["DURATION"]
	_, maxGiven := c.given["MAX_DURATION"]
	_, hashGiven := c.given["HASH"]
	_, keyGiven := c.given["HASH_LABEL"]
	if v.Count > 0 && durationGiven {
		warnings = append(warnings, fmt.Sprintf("DURATION is ignored, because COUNT is set: the run ends after %d checks", v.Count))
	}
	if v.Count == 0 && maxGiven && !c.faulty["COUNT"] {
		warnings = append(warnings, "MAX_DURATION is ignored, because COUNT is not set: DURATION decides")
	}
	if keyGiven && !hashGiven {
		warnings = append(warnings, "HASH_LABEL is ignored, because HASH is not set: SELECTOR decides")
	}
	return append(warnings, misspelt(c.given)...)
}

// selectors returns the selectors to try, in order: those of the hash, each with the requirements of SELECTOR.
func selectors(hash, key string, given labels.Requirements) []labels.Selector {
	if hash == "" {
		if len(given) == 0 {
			return nil
		}
		return []labels.Selector{labels.NewSelector().Add(given...)}
	}
	keys := []string{RolloutHashLabel, DeploymentHashLabel}
	if key != "" {
		keys = []string{key}
	}
	var all []labels.Selector
	for _, key := range keys {
		hashRequirement, err := labels.NewRequirement(key, selection.Equals, []string{hash})
		if err != nil {
			panic(fmt.Sprintf("a checked hash or label key is refused: %v", err))
		}
		all = append(all, labels.NewSelector().Add(*hashRequirement).Add(given...))
	}
	return all
}

// misspelt warns of variables that differ from a known one only in letter case, underscores or hyphens: a
// REQUIREREADY that nobody reads would make the gate laxer than its user believes.
func misspelt(given map[string]string) []string {
	plain := func(name string) string {
		return strings.ToUpper(strings.NewReplacer("_", "", "-", "").Replace(name))
	}
	var warnings []string
	for _, variable := range Variables {
		if len(variable.Name) < len("INTERVAL") {
			continue // hash, count and debug are anybody's words
		}
		for name := range given {
			if name != variable.Name && plain(name) == plain(variable.Name) {
				warnings = append(warnings, fmt.Sprintf("%q is set, but the variable is called %s: it is ignored", name, variable.Name))
			}
		}
	}
	return warnings
}

// ValidateNamespace says what is wrong with a namespace's name, or returns nil.
func ValidateNamespace(name string) error {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return errors.New("must be a namespace's name: " + strings.Join(problems, "; "))
	}
	return nil
}

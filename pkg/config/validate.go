package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v10"
	"k8s.io/apimachinery/pkg/labels"
	apivalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validation collects the errors of one configuration.
type validation struct {
	given map[string]string
	errs  map[string]*field.Error // by variable: the first error of each
}

// validate checks which variables are set and what their values may be.
func (v validation) validate(c Config) {
	if !v.isGiven("WORKLOAD") && !v.isGiven("SELECTOR") {
		v.require("HASH", "set HASH to the pod-template-hash of the pods to check (such as 6fd8d747), or set WORKLOAD (such as deployment/shop) or SELECTOR")
	}
	v.must(!isPlaceholder(c.Hash), "HASH", placeholder)
	v.conform("HASH", c.Hash, "must be a label value, such as 6fd8d747", apivalidation.IsValidLabelValue)

	v.require("INTERVAL", "set the time between checks (such as 5s)")
	v.must(MinInterval <= c.Interval && c.Interval <= MaxTime, "INTERVAL", "must be at least 10ms and at most 7 days")

	v.must(c.Count >= 0, "COUNT", "must be at least 0")
	const positiveTime = "must be greater than 0 and at most 7 days"
	modeUnknown := v.failed("COUNT")
	if v.isGiven("MAX_DURATION") && (c.Count > 0 || modeUnknown) {
		v.must(0 < c.MaxDuration && c.MaxDuration <= MaxTime, "MAX_DURATION", positiveTime)
	}
	if c.Count == 0 && !modeUnknown {
		v.require("DURATION", "set how long to check (such as 5m), or set COUNT")
	}
	if v.isGiven("DURATION") && (c.Count == 0 || modeUnknown) {
		v.must(0 < c.Duration && c.Duration <= MaxTime, "DURATION", positiveTime)
	}

	v.require("CRASH_LIMIT", "set the number of crashes at which the gate fails (such as 5)")
	v.must(c.CrashLimit >= 1, "CRASH_LIMIT", "must be at least 1")

	if v.isGiven("NAMESPACE") {
		v.conform("NAMESPACE", c.Namespace, "must be a namespace name", apivalidation.IsDNS1123Label)
	}
	if v.isGiven("WORKLOAD") && v.isGiven("HASH") {
		variable, other := "WORKLOAD", "HASH"
		if v.failed(variable) { // it has an error of its own
			variable, other = other, variable
		}
		v.invalid(variable, v.given[variable], "must not be set together with "+other+": both select the pods")
	}
	if v.isGiven("HASH_LABEL") {
		v.conform("HASH_LABEL", c.HashLabel, "must be a label key", apivalidation.IsQualifiedName)
	}
	v.must(c.MinPods >= 0, "MIN_PODS", "must be at least 0")
	if word := v.given["REQUIRE_READY"]; word != "" {
		v.must(isOn(word) || isOff(word), "REQUIRE_READY", "must be one of true, 1, yes, on, false, 0, no, off")
	}
	for _, name := range c.IgnoreContainers {
		v.conform("IGNORE_CONTAINERS", name, "must be a container name", apivalidation.IsDNS1123Label)
	}
	for _, code := range c.IgnoreExitCodes {
		if code < 0 || code > 255 {
			v.invalid("IGNORE_EXIT_CODES", strconv.Itoa(int(code)), "must be an exit code from 0 to 255")
		}
	}
	v.oneOf("BASELINE", c.Baseline, BaselineAbsolute, BaselineStart)
	if c.Baseline == BaselineStart {
		v.must(c.Count != 1, "COUNT", "must be at least 2 with BASELINE=start: the first check only finds the crashes that do not count")
	}
	v.must(0 <= c.APIGrace && c.APIGrace <= MaxTime, "API_GRACE", "must be at least 0 and at most 7 days")
	v.oneOf("LOG_FORMAT", c.LogFormat, LogText, LogJSON)
	v.must(c.CrashLogLines >= 0, "CRASH_LOG_LINES", "must be at least 0")
}

const placeholder = "is a placeholder: replace it in the manifest, or, in an AnalysisTemplate, check the name of the argument"

func isPlaceholder(value string) bool { return strings.ContainsAny(value, "{}<>$") }

func (v validation) isGiven(variable string) bool {
	_, ok := v.given[variable]
	return ok
}

// failed reports whether one of the variables has an error.
func (v validation) failed(variables ...string) bool {
	return slices.ContainsFunc(variables, func(variable string) bool { return v.errs[variable] != nil })
}

func (v validation) add(err *field.Error) {
	if !v.failed(err.Field) {
		v.errs[err.Field] = err
	}
}

func (v validation) require(variable, detail string) {
	if !v.isGiven(variable) {
		v.add(field.Required(field.NewPath(variable), detail))
	}
}

func (v validation) must(ok bool, variable, detail string) {
	if !ok {
		v.invalid(variable, v.given[variable], detail)
	}
}

func (v validation) conform(variable, value, detail string, problemsOf func(string) []string) {
	if problems := problemsOf(value); len(problems) > 0 {
		v.invalid(variable, value, detail+": "+strings.Join(problems, "; "))
	}
}

func (v validation) oneOf(variable, value string, supported ...string) {
	if !slices.Contains(supported, value) {
		v.add(field.NotSupported(field.NewPath(variable), cut(value, longestValue), supported))
	}
}

func (v validation) invalid(variable, value, detail string) {
	v.add(field.Invalid(field.NewPath(variable), cut(value, longestValue), detail))
}

// longestValue is the length, in bytes, of the longest invalid value that an error quotes in full.
const longestValue = 200

func cut(text string, longest int) string {
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// addParseErrors adds the errors that env returned.
func (v validation) addParseErrors(err error) {
	if err == nil {
		return
	}
	for _, err := range err.(env.AggregateError).Errors {
		parseError := err.(env.ParseError) // panics only if a tag or type in Config is wrong
		f, _ := reflect.TypeFor[Config]().FieldByName(parseError.Name)
		variable := f.Tag.Get("env")
		v.invalid(variable, v.given[variable], parseError.Err.Error())
	}
}

// list returns the errors in the order of Variables.
func (v validation) list() field.ErrorList {
	var list field.ErrorList
	for _, variable := range Variables {
		if err := v.errs[variable.Name]; err != nil {
			list = append(list, err)
		}
	}
	return list
}

// selectors returns the selectors to try, in order: one for each label that the hash may be the value of, combined with
// SELECTOR.
func selectors(c Config) []labels.Selector {
	if c.Hash == "" {
		return []labels.Selector{c.Selector}
	}
	keys := []string{RolloutHashLabel, DeploymentHashLabel}
	if c.HashLabel != "" {
		keys = []string{c.HashLabel}
	}
	var requirements labels.Requirements
	if c.Selector != nil {
		requirements, _ = c.Selector.Requirements()
	}
	var all []labels.Selector
	for _, key := range keys {
		all = append(all, labels.SelectorFromSet(labels.Set{key: c.Hash}).Add(requirements...))
	}
	return all
}

// ignored returns warnings about variables that have no effect because of other variables.
func ignored(c Config, v validation) []string {
	var warnings []string
	if c.Count > 0 && v.isGiven("DURATION") {
		warnings = append(warnings, fmt.Sprintf("DURATION is ignored because COUNT is set to %d", c.Count))
	}
	if c.Count == 0 && !v.failed("COUNT") && v.isGiven("MAX_DURATION") {
		warnings = append(warnings, "MAX_DURATION is ignored because COUNT is not set: the run ends after DURATION")
	}
	if v.isGiven("HASH_LABEL") && !v.isGiven("HASH") {
		warnings = append(warnings, "HASH_LABEL is ignored because HASH is not set")
	}
	return warnings
}

// misspelt returns warnings about names that differ from a variable's only in letter case, underscores or hyphens. If
// REQUIREREADY were ignored silently, the gate would be less strict than its user expects.
func misspelt(given map[string]string) []string {
	plain := strings.NewReplacer("_", "", "-", "")
	var warnings []string
	for _, variable := range Variables {
		if len(variable.Name) < len("INTERVAL") {
			continue // other programs may well use variables called hash, count or debug
		}
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if name != variable.Name && strings.EqualFold(plain.Replace(name), plain.Replace(variable.Name)) {
				warnings = append(warnings, fmt.Sprintf("%q is ignored: did you mean %s?", name, variable.Name))
			}
		}
	}
	return warnings
}

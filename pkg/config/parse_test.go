package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/crashcheck/crashcheck/pkg/config"
)

// environ returns the smallest valid environment with changes: a pair replaces or adds, a bare name removes.
func environ(changes ...string) []string {
	env := []string{"HASH=6fd8d747", "INTERVAL=5", "DURATION=300", "CRASH_LIMIT=5"}
	for _, change := range changes {
		name, _, isPair := strings.Cut(change, "=")
		env = slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
		if isPair {
			env = append(env, change)
		}
	}
	return env
}

const week = 7 * 24 * time.Hour

func TestValidConfigurations(t *testing.T) {
	tests := []struct {
		claim   string
		environ []string
		field   string // of Config
		want    any
	}{
		{"HASH is a label value", environ(), "Hash", "6fd8d747"},
		{"a whole number is seconds", environ("INTERVAL=7"), "Interval", 7 * time.Second},
		{"a Go duration is a time", environ("INTERVAL=1m30s"), "Interval", 90 * time.Second},
		{"10ms is the shortest interval", environ("INTERVAL=10ms"), "Interval", 10 * time.Millisecond},
		{"7 days is the longest interval", environ("INTERVAL=168h"), "Interval", week},
		{"1ns is the shortest duration", environ("DURATION=1ns"), "Duration", time.Nanosecond},
		{"7 days is the longest duration", environ("DURATION=604800"), "Duration", week},
		{"7 days is the longest maximum", environ("COUNT=3", "MAX_DURATION=168h"), "MaxDuration", week},
		{"7 days is the longest grace", environ("API_GRACE=168h"), "APIGrace", week},
		{"values are trimmed", environ("INTERVAL= \t5s\n"), "Interval", 5 * time.Second},
		{"a blank value is unset", environ("MIN_PODS=  "), "MinPods", int64(1)},
		{"the last of two values counts", append(environ(), "CRASH_LIMIT=3"), "CrashLimit", int64(3)},
		{"a blank last value is unset", append(environ("MIN_PODS=2"), "MIN_PODS="), "MinPods", int64(1)},
		{"a limit of 1 is the lowest", environ("CRASH_LIMIT=1"), "CrashLimit", int64(1)},
		{"a limit has 64 bits", environ("CRASH_LIMIT=9223372036854775807"), "CrashLimit", int64(9223372036854775807)},
		{"COUNT is 0 by default", environ(), "Count", int64(0)},
		{"COUNT needs no DURATION", environ("COUNT=3", "DURATION"), "Count", int64(3)},
		{"COUNT=0 uses DURATION", environ("COUNT=0"), "Duration", 300 * time.Second},
		{"the range of an ignored DURATION is not checked", environ("COUNT=3", "DURATION=9999999"), "Count", int64(3)},
		{"the range of an ignored MAX_DURATION is not checked", environ("MAX_DURATION=0"), "Count", int64(0)},
		{"MAX_DURATION limits COUNT", environ("COUNT=3", "DURATION", "MAX_DURATION=1m"), "MaxDuration", time.Minute},
		{"API_GRACE is 60s by default", environ(), "APIGrace", time.Minute},
		{"API_GRACE=0 means no grace", environ("API_GRACE=0"), "APIGrace", time.Duration(0)},
		{"MIN_PODS is 1 by default", environ(), "MinPods", int64(1)},
		{"MIN_PODS=0 is allowed", environ("MIN_PODS=0"), "MinPods", int64(0)},
		{"DEBUG is off by default", environ(), "Debug", false},
		{"DEBUG is on for any word", environ("DEBUG=please"), "Debug", true},
		{"DEBUG=Off is off, in any letter case", environ("DEBUG=Off"), "Debug", false},
		{"DEBUG=0 is off", environ("DEBUG=0"), "Debug", false},
		{"DEBUG=FALSE is off", environ("DEBUG=FALSE"), "Debug", false},
		{"DEBUG=no is off", environ("DEBUG=no"), "Debug", false},
		{"REQUIRE_READY is off by default", environ(), "RequireReady", false},
		{"REQUIRE_READY=Yes is on, in any letter case", environ("REQUIRE_READY=Yes"), "RequireReady", true},
		{"REQUIRE_READY=true is on", environ("REQUIRE_READY=true"), "RequireReady", true},
		{"REQUIRE_READY=1 is on", environ("REQUIRE_READY=1"), "RequireReady", true},
		{"REQUIRE_READY=on is on", environ("REQUIRE_READY=on"), "RequireReady", true},
		{"REQUIRE_READY=off is off", environ("REQUIRE_READY=off"), "RequireReady", false},
		{"both hash labels are tried", environ(), "Selectors", "[rollouts-pod-template-hash=6fd8d747 pod-template-hash=6fd8d747]"},
		{"HASH_LABEL is the only label tried", environ("HASH_LABEL=example.com/hash"), "Selectors", "[example.com/hash=6fd8d747]"},
		{"SELECTOR needs no HASH", environ("HASH", "SELECTOR=app in (a,b)"), "Selectors", "[app in (a,b)]"},
		{"with HASH, both must match", environ("SELECTOR=app=web", "HASH_LABEL=pod-template-hash"), "Selectors", "[app=web,pod-template-hash=6fd8d747]"},
		{"WORKLOAD is none by default", environ(), "Workload", config.Workload{}},
		{"WORKLOAD needs no HASH", environ("HASH", "WORKLOAD=deployment/shop"), "Workload", config.Workload{Kind: "deployment", Name: "shop"}},
		{"a workload's type is in any letter case, its name a subdomain", environ("HASH", "WORKLOAD=Deploy/my-shop.v2"), "Workload", config.Workload{Kind: "deployment", Name: "my-shop.v2"}},
		{"a workload has its own selectors", environ("HASH", "WORKLOAD=deployment/shop"), "Selectors", "[]"},
		{"a workload has its own selectors, beside SELECTOR", environ("HASH", "WORKLOAD=deployment/shop", "SELECTOR=a=b"), "Selectors", "[]"},
		{"no container is ignored by default", environ(), "IgnoreContainers", []string(nil)},
		{"container names are separated by commas", environ("IGNORE_CONTAINERS= istio-proxy , linkerd-proxy,"), "IgnoreContainers", []string{"istio-proxy", "linkerd-proxy"}},
		{"no exit code is ignored by default", environ(), "IgnoreExitCodes", []int32(nil)},
		{"exit codes are from 0 to 255", environ("IGNORE_EXIT_CODES= 0 ,255,"), "IgnoreExitCodes", []int32{0, 255}},
		{"BASELINE is absolute by default", environ(), "Baseline", "absolute"},
		{"BASELINE=start", environ("BASELINE=start"), "Baseline", "start"},
		{"BASELINE=start with two checks", environ("COUNT=2", "BASELINE=start"), "Count", int64(2)},
		{"LOG_FORMAT is text by default", environ(), "LogFormat", "text"},
		{"LOG_FORMAT=json", environ("LOG_FORMAT=json"), "LogFormat", "json"},
		{"CRASH_LOG_LINES is 0 by default", environ(), "CrashLogLines", int64(0)},
		{"CRASH_LOG_LINES", environ("CRASH_LOG_LINES=20"), "CrashLogLines", int64(20)},
		{"NAMESPACE is empty by default", environ(), "Namespace", ""},
		{"NAMESPACE", environ("NAMESPACE=prod"), "Namespace", "prod"},
		{"the smallest configuration has no warnings", environ(), "Warnings", []string(nil)},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			cfg, err := config.Parse(test.environ)
			if err != nil {
				t.Fatal(err)
			}
			value := reflect.ValueOf(cfg).FieldByName(test.field)
			got := value.Interface()
			if test.field == "Selectors" {
				got = text(cfg.Selectors)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s is %v, want %v", test.field, got, test.want)
			}
		})
	}
}

func text(selectors []labels.Selector) string {
	var texts []string
	for _, selector := range selectors {
		texts = append(texts, selector.String())
	}
	return "[" + strings.Join(texts, " ") + "]"
}

func TestInvalidConfigurations(t *testing.T) {
	const (
		label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character " +
			"(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
		value = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
			"(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
		name = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
			"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
		aTime       = "must be a whole number of seconds (5) or a duration (5s, 1m30s, 500ms), at most 7 days"
		interval    = "must be at least 10ms and at most 7 days"
		positive    = "must be greater than 0 and at most 7 days"
		number      = "must be a whole number less than 2^63"
		placeholder = "is a placeholder: replace it in the manifest, or, in an AnalysisTemplate, check the name of the argument"
		selector    = "must be a label selector, such as app=web,tier!=cache: "
		noHash      = "HASH: Required value: set HASH to the pod-template-hash of the pods to check (such as 6fd8d747), or set WORKLOAD (such as deployment/shop) or SELECTOR"
		workload    = "must be TYPE/NAME, such as deployment/shop; TYPE is one of " +
			"deployment (deploy, deployments), statefulset (sts, statefulsets), daemonset (ds, daemonsets), rollout (ro, rollouts)"
		subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character " +
			"(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
		noInterval = "INTERVAL: Required value: set the time between checks (such as 5s)"
		noDuration = "DURATION: Required value: set how long to check (such as 5m), or set COUNT"
		noLimit    = "CRASH_LIMIT: Required value: set the number of crashes at which the gate fails (such as 5)"
	)
	nines := strings.Repeat("9", 200)
	tests := []struct {
		claim   string
		environ []string
		want    []string // whole texts
	}{
		{"nothing is set", nil, []string{noHash, noInterval, noDuration, noLimit}},
		{"a blank HASH is not set", environ("HASH= "), []string{noHash}},
		{"an argument that was not replaced", environ("HASH={{args.hash}}"), []string{`HASH: Invalid value: "{{args.hash}}": ` + placeholder}},
		{"the placeholder of deploy/base", environ("HASH=<pod-template-hash>"), []string{`HASH: Invalid value: "<pod-template-hash>": ` + placeholder}},
		{"a HASH that is not a label value", environ("HASH=a,b"), []string{`HASH: Invalid value: "a,b": must be a label value, such as 6fd8d747: ` + value}},
		{"an invalid HASH beside SELECTOR", environ("HASH=$(HASH)", "SELECTOR=a=b"), []string{`HASH: Invalid value: "$(HASH)": ` + placeholder}},
		{"HASH and WORKLOAD", environ("WORKLOAD=deployment/shop"), []string{`WORKLOAD: Invalid value: "deployment/shop": must not be set together with HASH: both select the pods`}},
		{"HASH and an invalid WORKLOAD", environ("WORKLOAD=shop"), []string{`HASH: Invalid value: "6fd8d747": must not be set together with WORKLOAD: both select the pods`, `WORKLOAD: Invalid value: "shop": ` + workload}},
		{"a workload without a type", environ("HASH", "WORKLOAD=shop"), []string{`WORKLOAD: Invalid value: "shop": ` + workload}},
		{"a workload of another type", environ("HASH", "WORKLOAD=replicaset/shop"), []string{`WORKLOAD: Invalid value: "replicaset/shop": ` + workload}},
		{"a workload of another group", environ("HASH", "WORKLOAD=deployment.argoproj.io/shop"), []string{`WORKLOAD: Invalid value: "deployment.argoproj.io/shop": ` + workload}},
		{"a workload of an empty group", environ("HASH", "WORKLOAD=deployment./shop"), []string{`WORKLOAD: Invalid value: "deployment./shop": ` + workload}},
		{"a workload without a name", environ("HASH", "WORKLOAD=deployment/"), []string{`WORKLOAD: Invalid value: "deployment/": ` + workload + `; NAME: ` + subdomain}},
		{"a workload with a second slash", environ("HASH", "WORKLOAD=deployment/../shop"), []string{`WORKLOAD: Invalid value: "deployment/../shop": ` + workload + `; NAME: ` + subdomain}},
		{"a workload that was not replaced", environ("HASH", "WORKLOAD={{args.workload}}"), []string{`WORKLOAD: Invalid value: "{{args.workload}}": ` + placeholder}},
		{"no interval", environ("INTERVAL"), []string{noInterval}},
		{"an interval in words", environ("INTERVAL=five"), []string{`INTERVAL: Invalid value: "five": ` + aTime}},
		{"an interval without a unit", environ("INTERVAL=2.5"), []string{`INTERVAL: Invalid value: "2.5": ` + aTime}},
		{"an interval that is not a number", environ("INTERVAL=NaN"), []string{`INTERVAL: Invalid value: "NaN": ` + aTime}},
		{"an interval of 0", environ("INTERVAL=0"), []string{`INTERVAL: Invalid value: "0": ` + interval}},
		{"an interval just below the shortest", environ("INTERVAL=9.999999ms"), []string{`INTERVAL: Invalid value: "9.999999ms": ` + interval}},
		{"an interval just above the longest", environ("INTERVAL=168h0m0.000000001s"), []string{`INTERVAL: Invalid value: "168h0m0.000000001s": ` + interval}},
		{"a negative interval", environ("INTERVAL=-5"), []string{`INTERVAL: Invalid value: "-5": ` + interval}},
		{"seconds above 7 days", environ("DURATION=604801"), []string{`DURATION: Invalid value: "604801": ` + positive}},
		{"seconds that overflow a duration", environ("DURATION=9223372037"), []string{`DURATION: Invalid value: "9223372037": ` + aTime}},
		{"seconds that overflow 64 bits", environ("DURATION=99999999999999999999"), []string{`DURATION: Invalid value: "99999999999999999999": ` + aTime}},
		{"a duration that overflows", environ("DURATION=2562048h"), []string{`DURATION: Invalid value: "2562048h": ` + aTime}},
		{"a duration of 0", environ("DURATION=0"), []string{`DURATION: Invalid value: "0": ` + positive}},
		{"a negative duration", environ("DURATION=-1s"), []string{`DURATION: Invalid value: "-1s": ` + positive}},
		{"no duration without COUNT", environ("DURATION", "COUNT=0"), []string{noDuration}},
		{"an ignored DURATION must still parse", environ("COUNT=3", "DURATION=soon"), []string{`DURATION: Invalid value: "soon": ` + aTime}},
		{"an ignored MAX_DURATION must still parse", environ("MAX_DURATION=soon"), []string{`MAX_DURATION: Invalid value: "soon": ` + aTime}},
		{"an ignored HASH_LABEL must still parse", environ("HASH", "SELECTOR=a=b", "HASH_LABEL=-"), []string{`HASH_LABEL: Invalid value: "-": must be a label key: ` + name}},
		{"MAX_DURATION of 0 with COUNT", environ("COUNT=3", "MAX_DURATION=0"), []string{`MAX_DURATION: Invalid value: "0": ` + positive}},
		{"MAX_DURATION above 7 days with COUNT", environ("COUNT=3", "MAX_DURATION=604801"), []string{`MAX_DURATION: Invalid value: "604801": ` + positive}},
		{"a fractional count", environ("COUNT=1.5"), []string{`COUNT: Invalid value: "1.5": ` + number}},
		{"a negative count", environ("COUNT=-1"), []string{`COUNT: Invalid value: "-1": must be at least 0`}},
		{"an invalid count does not require DURATION", environ("COUNT=x", "DURATION"), []string{`COUNT: Invalid value: "x": ` + number}},
		{"a negative count does not require DURATION", environ("COUNT=-1", "DURATION"), []string{`COUNT: Invalid value: "-1": must be at least 0`}},
		{"a single check cannot compare with itself", environ("COUNT=1", "BASELINE=start"), []string{`COUNT: Invalid value: "1": must be at least 2 with BASELINE=start: the first check only finds the crashes that do not count`}},
		{"no limit", environ("CRASH_LIMIT"), []string{noLimit}},
		{"a limit of 0", environ("CRASH_LIMIT=0"), []string{`CRASH_LIMIT: Invalid value: "0": must be at least 1`}},
		{"a negative limit", environ("CRASH_LIMIT=-2"), []string{`CRASH_LIMIT: Invalid value: "-2": must be at least 1`}},
		{"a limit that overflows", environ("CRASH_LIMIT=9223372036854775808"), []string{`CRASH_LIMIT: Invalid value: "9223372036854775808": ` + number}},
		{"a limit in hexadecimal", environ("CRASH_LIMIT=0x10"), []string{`CRASH_LIMIT: Invalid value: "0x10": ` + number}},
		{"a limit that is not a number", environ("CRASH_LIMIT=NaN"), []string{`CRASH_LIMIT: Invalid value: "NaN": ` + number}},
		{"a namespace with capitals", environ("NAMESPACE=Prod"), []string{`NAMESPACE: Invalid value: "Prod": must be a namespace name: ` + label}},
		{"a namespace with a slash", environ("NAMESPACE=a/b"), []string{`NAMESPACE: Invalid value: "a/b": must be a namespace name: ` + label}},
		{"a selector that does not parse", environ("SELECTOR=a=b=c"), []string{`SELECTOR: Invalid value: "a=b=c": ` + selector + `found '=', expected: ',' or 'end of string'`}},
		{"a selector without requirements", environ("HASH", "SELECTOR=,"), []string{`SELECTOR: Invalid value: ",": ` + selector + `found ',', expected: !, identifier, or 'end of string'`}},
		{"a selector with an invalid key", environ("SELECTOR=-=b"), []string{`SELECTOR: Invalid value: "-=b": ` + selector + `unable to parse requirement: label: Invalid value: "-": ` + name}},
		{"a negative MIN_PODS", environ("MIN_PODS=-1"), []string{`MIN_PODS: Invalid value: "-1": must be at least 0`}},
		{"REQUIRE_READY with another word", environ("REQUIRE_READY=maybe"), []string{`REQUIRE_READY: Invalid value: "maybe": must be one of true, 1, yes, on, false, 0, no, off`}},
		{"a container name with a space", environ("IGNORE_CONTAINERS=web,a b"), []string{`IGNORE_CONTAINERS: Invalid value: "a b": must be a container name: ` + label}},
		{"two invalid container names are one error", environ("IGNORE_CONTAINERS=a_,b_"), []string{`IGNORE_CONTAINERS: Invalid value: "a_": must be a container name: ` + label}},
		{"no container name", environ("IGNORE_CONTAINERS=,"), []string{`IGNORE_CONTAINERS: Invalid value: ",": must be a comma-separated list`}},
		{"an exit code below 0", environ("IGNORE_EXIT_CODES=-1"), []string{`IGNORE_EXIT_CODES: Invalid value: "-1": must be an exit code from 0 to 255`}},
		{"an exit code above 255", environ("IGNORE_EXIT_CODES=3,256"), []string{`IGNORE_EXIT_CODES: Invalid value: "256": must be an exit code from 0 to 255`}},
		{"an exit code that is not a number", environ("IGNORE_EXIT_CODES=1,x"), []string{`IGNORE_EXIT_CODES: Invalid value: "1,x": must be comma-separated whole numbers`}},
		{"no exit code", environ("IGNORE_EXIT_CODES=,"), []string{`IGNORE_EXIT_CODES: Invalid value: ",": must be a comma-separated list`}},
		{"another baseline", environ("BASELINE=begin"), []string{`BASELINE: Unsupported value: "begin": supported values: "absolute", "start"`}},
		{"a negative grace", environ("API_GRACE=-1"), []string{`API_GRACE: Invalid value: "-1": must be at least 0 and at most 7 days`}},
		{"a grace above 7 days", environ("API_GRACE=604801"), []string{`API_GRACE: Invalid value: "604801": must be at least 0 and at most 7 days`}},
		{"another log format", environ("LOG_FORMAT=xml"), []string{`LOG_FORMAT: Unsupported value: "xml": supported values: "text", "json"`}},
		{"negative log lines", environ("CRASH_LOG_LINES=-1"), []string{`CRASH_LOG_LINES: Invalid value: "-1": must be at least 0`}},
		{"control characters are quoted", environ("INTERVAL=5\x1b[31m\nx"), []string{`INTERVAL: Invalid value: "5\x1b[31m\nx": ` + aTime}},
		{"a value of 200 bytes is whole", environ("INTERVAL=" + nines), []string{`INTERVAL: Invalid value: "` + nines + `": ` + aTime}},
		{"a longer value is cut", environ("INTERVAL=" + nines + "9"), []string{`INTERVAL: Invalid value: "` + nines + `…": ` + aTime}},
		{"a value is cut between characters", environ("INTERVAL=5" + strings.Repeat("é", 100)), []string{`INTERVAL: Invalid value: "5` + strings.Repeat("é", 99) + `…": ` + aTime}},
		{"all errors together, in the order of the variables",
			environ("CRASH_LIMIT=x", "HASH={{args.hash}}", "INTERVAL=x", "COUNT=x", "MAX_DURATION=-1", "DURATION=-1", "BASELINE=x", "NAMESPACE=/",
				"MIN_PODS=x", "API_GRACE=x", "IGNORE_EXIT_CODES=x"),
			[]string{
				`HASH: Invalid value: "{{args.hash}}": ` + placeholder,
				`INTERVAL: Invalid value: "x": ` + aTime,
				`COUNT: Invalid value: "x": ` + number,
				`MAX_DURATION: Invalid value: "-1": ` + positive,
				`DURATION: Invalid value: "-1": ` + positive,
				`CRASH_LIMIT: Invalid value: "x": ` + number,
				`NAMESPACE: Invalid value: "/": must be a namespace name: ` + label,
				`MIN_PODS: Invalid value: "x": ` + number,
				`IGNORE_EXIT_CODES: Invalid value: "x": must be comma-separated whole numbers`,
				`BASELINE: Unsupported value: "x": supported values: "absolute", "start"`,
				`API_GRACE: Invalid value: "x": ` + aTime,
			}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			_, err := config.Parse(test.environ)
			got := texts(t, err)
			if !slices.Equal(got, test.want) {
				t.Errorf("\n got: %s\nwant: %s", strings.Join(got, "\n      "), strings.Join(test.want, "\n      "))
			}
		})
	}
}

// texts returns the text of each error that err consists of.
func texts(t *testing.T, err error) []string {
	t.Helper()
	all, ok := err.(utilerrors.Aggregate)
	if !ok {
		t.Fatalf("got error %v, want an Aggregate", err)
	}
	var texts []string
	for _, err := range all.Errors() {
		texts = append(texts, err.Error())
	}
	return texts
}

// The report of an invalid configuration shows what is known.
func TestTheConfigBesideAnErrorHoldsTheValidValues(t *testing.T) {
	cfg, err := config.Parse([]string{"HASH=a", "INTERVAL=x", "CRASH_LIMIT=7", "NAMESPACE=shop", "LOG_FORMAT=json", "COUNT=-1", "BASELINE=x"})
	if err == nil {
		t.Fatal("no error")
	}
	if cfg.CrashLimit != 7 || cfg.Namespace != "shop" || cfg.LogFormat != config.LogJSON ||
		text(cfg.Selectors) != "[rollouts-pod-template-hash=a pod-template-hash=a]" {
		t.Errorf("a valid value is missing: %+v", cfg)
	}
	if cfg.Interval != 0 || cfg.Count != 0 || cfg.Baseline != "" {
		t.Errorf("an invalid value is not the zero value: %+v", cfg)
	}

	for _, invalid := range []string{"HASH=<", "SELECTOR=,", "HASH_LABEL=-", "WORKLOAD=x"} {
		if cfg, _ := config.Parse(append(environ("SELECTOR=a=b"), invalid)); cfg.Selectors != nil {
			t.Errorf("with %s, the selectors are %v", invalid, cfg.Selectors)
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		claim   string
		environ []string
		want    []string
	}{
		{"COUNT takes precedence over DURATION", environ("COUNT=3"), []string{"DURATION is ignored because COUNT is set to 3"}},
		{"MAX_DURATION belongs to COUNT", environ("MAX_DURATION=5"), []string{"MAX_DURATION is ignored because COUNT is not set: the run ends after DURATION"}},
		{"HASH_LABEL belongs to HASH", environ("HASH", "HASH_LABEL=a", "SELECTOR=a=b"), []string{"HASH_LABEL is ignored because HASH is not set"}},
		{"misspelt variables", environ("REQUIREREADY=on", "REQUIRE-READY=on"), []string{
			`"REQUIRE-READY" is ignored: did you mean REQUIRE_READY?`, `"REQUIREREADY" is ignored: did you mean REQUIRE_READY?`}},
		{"a variable in lower case", environ("crash_limit=1", "workload=deployment/shop"), []string{
			`"crash_limit" is ignored: did you mean CRASH_LIMIT?`, `"workload" is ignored: did you mean WORKLOAD?`}},
		{"a short name may belong to another program", environ("hash=1", "Count=2", "debug=3"), nil},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			cfg, err := config.Parse(test.environ)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(cfg.Warnings, test.want) {
				t.Errorf("\n got: %q\nwant: %q", cfg.Warnings, test.want)
			}
		})
	}

	cfg, err := config.Parse(environ("CRASH_LIMIT", "CRASHLIMIT=5", "COUNT=x", "MAX_DURATION=5"))
	if want := []string{`"CRASHLIMIT" is ignored: did you mean CRASH_LIMIT?`}; err == nil || !slices.Equal(cfg.Warnings, want) {
		t.Errorf("beside the error %v, the warnings are %q, want %q", err, cfg.Warnings, want)
	}
}

// full sets every variable but WORKLOAD to a value that is not its default, in the order of the documentation.
var full = []string{"HASH=a", "INTERVAL=5s", "COUNT=2", "MAX_DURATION=1m", "DURATION=2m", "CRASH_LIMIT=5", "DEBUG=on", "NAMESPACE=prod",
	"SELECTOR=app=web", "HASH_LABEL=hash", "MIN_PODS=3", "REQUIRE_READY=yes", "IGNORE_CONTAINERS=a, b", "IGNORE_EXIT_CODES=3", "BASELINE=start",
	"API_GRACE=30", "LOG_FORMAT=json", "CRASH_LOG_LINES=7"}

func TestGiven(t *testing.T) {
	tests := []struct {
		claim   string
		environ []string
		names   []string
		want    []string
	}{
		{"all variables that are set, in order", slices.Sorted(slices.Values(full)), nil, full},
		{"values are as they were given, trimmed", environ("HASH", "WORKLOAD= deploy/shop "), []string{"WORKLOAD"}, []string{"WORKLOAD=deploy/shop"}},
		{"only the named variables", full, []string{"REQUIRE_READY", "MIN_PODS", "TERM"}, []string{"MIN_PODS=3", "REQUIRE_READY=yes"}},
		{"other variables of the environment are left out", environ("TERM=dumb", "TOKEN=secret"), nil, environ()},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			cfg, err := config.Parse(test.environ)
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.Given(test.names...); !slices.Equal(got, test.want) {
				t.Errorf("\n got: %q\nwant: %q", got, test.want)
			}
		})
	}
}

func TestEveryVariableIsDocumentedInOrder(t *testing.T) {
	var names []string
	for _, v := range config.Variables {
		names = append(names, v.Name)
		if v.Meaning == "" || v.Default == "" {
			t.Errorf("%s is not documented: %+v", v.Name, v)
		}
	}
	var want []string
	for _, pair := range full {
		name, _, _ := strings.Cut(pair, "=")
		if name == "SELECTOR" {
			want = append(want, "WORKLOAD") // it excludes HASH
		}
		want = append(want, name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("\n got: %q\nwant: %q", names, want)
	}

	defaults := map[string]string{"INTERVAL": "required", "MIN_PODS": "1", "SELECTOR": "none"}
	for _, v := range config.Variables {
		if want, ok := defaults[v.Name]; ok && v.Default != want {
			t.Errorf("the default of %s is %q, want %q", v.Name, v.Default, want)
		}
	}
}

// Whatever the environment is, Parse returns a configuration within the documented limits, or an error for each invalid
// variable. It returns the same each time.
func FuzzParse(f *testing.F) {
	f.Add("HASH=a\x00INTERVAL=5\x00DURATION=300\x00CRASH_LIMIT=5")
	f.Add("SELECTOR=a in (b, c),!d\x00INTERVAL=1m\x00COUNT=3\x00MAX_DURATION=2m\x00CRASH_LIMIT=5\x00DEBUG=1\x00MIN_PODS=0\x00API_GRACE=0")
	f.Add("HASH={{args.hash}}\x00INTERVAL=NaN\x00DURATION=-1\x00CRASH_LIMIT=9223372036854775808")
	f.Add("=x\x00HASH\x00IGNORE_CONTAINERS=,\x00SELECTOR=,\x00HASH_LABEL=a/b/c\x00IGNORE_EXIT_CODES=1,256")
	f.Add("SELECTOR=a=" + strings.Repeat("-", 5000)) // the parser's error repeats the value
	f.Add("WORKLOAD=Deployments.apps/shop\x00INTERVAL=5\x00DURATION=300\x00CRASH_LIMIT=5\x00SELECTOR=a=b")
	f.Add(strings.Join(full, "\x00"))
	f.Fuzz(func(t *testing.T, joined string) {
		environ := strings.Split(joined, "\x00")
		cfg, err := config.Parse(environ)
		if again, errAgain := config.Parse(environ); !reflect.DeepEqual(cfg, again) || !reflect.DeepEqual(err, errAgain) {
			t.Fatalf("parsed twice, the results differ:\n%+v, %v\n%+v, %v", cfg, err, again, errAgain)
		}
		if err != nil {
			checkErrors(t, err)
			return
		}

		within := func(d, least time.Duration) bool { return least <= d && d <= week }
		switch {
		case !within(cfg.Interval, 10*time.Millisecond), !within(cfg.APIGrace, 0),
			cfg.Count == 0 && !within(cfg.Duration, 1), cfg.Count > 0 && cfg.MaxDuration != 0 && !within(cfg.MaxDuration, 1):
			t.Fatalf("a time is out of range: %+v", cfg)
		case cfg.Count == 1 && cfg.Baseline == config.BaselineStart:
			t.Fatalf("a baseline without a later check: %+v", cfg)
		case cfg.Count < 0, cfg.CrashLimit < 1, cfg.MinPods < 0, cfg.CrashLogLines < 0:
			t.Fatalf("a number is out of range: %+v", cfg)
		case slices.ContainsFunc(cfg.IgnoreExitCodes, func(code int32) bool { return code < 0 || code > 255 }):
			t.Fatalf("an exit code is out of range: %+v", cfg)
		case cfg.Baseline != config.BaselineAbsolute && cfg.Baseline != config.BaselineStart, cfg.LogFormat != config.LogText && cfg.LogFormat != config.LogJSON:
			t.Fatalf("a word is unknown: %+v", cfg)
		case cfg.Namespace != "" && len(validation.IsDNS1123Label(cfg.Namespace)) > 0:
			t.Fatalf("the namespace %q is invalid", cfg.Namespace)
		case (len(cfg.Selectors) == 0) != (cfg.Workload.Name != ""):
			t.Fatalf("neither a selector nor a workload, or both: %+v", cfg)
		}
		for _, selector := range cfg.Selectors {
			if _, err := labels.Parse(selector.String()); err != nil || selector.Empty() {
				t.Fatalf("the selector %q is invalid: %v", selector, err)
			}
		}
	})
}

// checkErrors checks that err is a list of errors of different variables, in order, with short values.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	last := -1
	for i, err := range err.(utilerrors.Aggregate).Errors() {
		err := err.(*field.Error)
		place := slices.IndexFunc(config.Variables, func(v config.Variable) bool { return v.Name == err.Field })
		if place <= last {
			t.Fatalf("error %d is not in order: %v", i, err)
		}
		last = place
		if len(err.Error()) > 2000 {
			t.Fatalf("error %d has %d bytes", i, len(err.Error()))
		}
	}
	if last < 0 {
		t.Fatal("no error in the list")
	}
}

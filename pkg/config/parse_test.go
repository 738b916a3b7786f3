package config_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestGoodConfigurations(t *testing.T) {
	base, err := config.Parse(environ())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		claim   string
		environ []string
		got     func(config.Config) any
		want    any
	}{
		{"a whole number is seconds", environ("INTERVAL=7"), func(c config.Config) any { return c.Interval }, 7 * time.Second},
		{"a Go duration is a time", environ("INTERVAL=1m30s"), func(c config.Config) any { return c.Interval }, 90 * time.Second},
		{"10ms is the shortest interval", environ("INTERVAL=10ms"), func(c config.Config) any { return c.Interval }, 10 * time.Millisecond},
		{"the longest time is accepted", environ("DURATION=9223372036"), func(c config.Config) any { return c.Duration }, 9223372036 * time.Second},
		{"values are trimmed", environ("INTERVAL= \t5s\n"), func(c config.Config) any { return c.Interval }, 5 * time.Second},
		{"a blank value is an unset one", environ("COUNT=  ", "MIN_PODS="), func(c config.Config) any { return c.Count == 0 && c.MinPods == 1 }, true},
		{"the last of two values counts", append(environ(), "CRASH_LIMIT=3"), func(c config.Config) any { return c.CrashLimit }, int64(3)},
		{"a limit of 1 is the lowest", environ("CRASH_LIMIT=1"), func(c config.Config) any { return c.CrashLimit }, int64(1)},
		{"a limit has 64 bits", environ("CRASH_LIMIT=9223372036854775807"), func(c config.Config) any { return c.CrashLimit }, int64(9223372036854775807)},
		{"COUNT needs no DURATION", environ("COUNT=3", "DURATION"), func(c config.Config) any { return c.Count }, int64(3)},
		{"COUNT=0 is the DURATION mode", environ("COUNT=0"), func(c config.Config) any { return c.Duration }, 300 * time.Second},
		{"the range of an ignored DURATION is not checked", environ("COUNT=3", "DURATION=-5"), func(c config.Config) any { return c.Count }, int64(3)},
		{"the range of an ignored MAX_DURATION is not checked", environ("MAX_DURATION=0"), func(c config.Config) any { return c.Count }, int64(0)},
		{"MAX_DURATION caps COUNT", environ("COUNT=3", "DURATION", "MAX_DURATION=1m"), func(c config.Config) any { return c.MaxDuration }, time.Minute},
		{"API_GRACE is 60s by default", environ(), func(c config.Config) any { return c.APIGrace }, time.Minute},
		{"API_GRACE=0 means no grace", environ("API_GRACE=0"), func(c config.Config) any { return c.APIGrace }, time.Duration(0)},
		{"MIN_PODS is 1 by default", environ(), func(c config.Config) any { return c.MinPods }, int64(1)},
		{"MIN_PODS=0 is allowed", environ("MIN_PODS=0"), func(c config.Config) any { return c.MinPods }, int64(0)},
		{"DEBUG is off by default", environ(), func(c config.Config) any { return c.Debug }, false},
		{"DEBUG is on for any word", environ("DEBUG=please"), func(c config.Config) any { return c.Debug }, true},
		{"DEBUG=Off is off, in any letter case", environ("DEBUG=Off"), func(c config.Config) any { return c.Debug }, false},
		{"DEBUG=0 is off", environ("DEBUG=0"), func(c config.Config) any { return c.Debug }, false},
		{"DEBUG=FALSE is off", environ("DEBUG=FALSE"), func(c config.Config) any { return c.Debug }, false},
		{"DEBUG=no is off", environ("DEBUG=no"), func(c config.Config) any { return c.Debug }, false},
		{"REQUIRE_READY=Yes is on, in any letter case", environ("REQUIRE_READY=Yes"), func(c config.Config) any { return c.RequireReady }, true},
		{"REQUIRE_READY=off is off", environ("REQUIRE_READY=off"), func(c config.Config) any { return c.RequireReady }, false},
		{"both hash labels are tried", environ(), selectorsOf, "rollouts-pod-template-hash=6fd8d747 or pod-template-hash=6fd8d747"},
		{"HASH_LABEL is the only label tried", environ("HASH_LABEL=example.com/hash"), selectorsOf, "example.com/hash=6fd8d747"},
		{"SELECTOR needs no HASH", environ("HASH", "SELECTOR=app in (a,b)"), selectorsOf, "app in (a,b)"},
		{"with HASH, both must match", environ("SELECTOR=app=web", "HASH_LABEL=pod-template-hash"), selectorsOf, "app=web,pod-template-hash=6fd8d747"},
		{"names of containers are separated by commas", environ("IGNORE_CONTAINERS= istio-proxy , linkerd-proxy,"), func(c config.Config) any { return strings.Join(c.IgnoreContainers, "|") }, "istio-proxy|linkerd-proxy"},
		{"BASELINE is absolute by default", environ(), func(c config.Config) any { return c.Baseline }, "absolute"},
		{"BASELINE=start", environ("BASELINE=start"), func(c config.Config) any { return c.Baseline }, "start"},
		{"LOG_FORMAT is text by default", environ(), func(c config.Config) any { return c.LogFormat }, "text"},
		{"LOG_FORMAT=json", environ("LOG_FORMAT=json"), func(c config.Config) any { return c.LogFormat }, "json"},
		{"CRASH_LOG_LINES", environ("CRASH_LOG_LINES=20"), func(c config.Config) any { return c.CrashLogLines }, int64(20)},
		{"NAMESPACE", environ("NAMESPACE=prod"), func(c config.Config) any { return c.Namespace }, "prod"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			cfg, err := config.Parse(test.environ)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.got(cfg); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if len(base.Warnings) > 0 {
		t.Errorf("the smallest configuration warns: %q", base.Warnings)
	}
}

func selectorsOf(c config.Config) any {
	var texts []string
	for _, selector := range c.Selectors {
		texts = append(texts, selector.String())
	}
	return strings.Join(texts, " or ")
}

func TestBadConfigurations(t *testing.T) {
	const (
		label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character " +
			"(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
		value = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
			"(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
		name = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
			"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
		aTime   = "must be a whole number of seconds (5) or a duration (5s, 1m30s, 500ms) of at most 292 years, got "
		missing = "HASH: required: the pod-template-hash of the ReplicaSet to check (or set SELECTOR)"
	)
	tests := []struct {
		claim   string
		environ []string
		want    string
	}{
		{"nothing set", nil, missing + "; " +
			"INTERVAL: required: the time between checks, such as 5s; " +
			"DURATION: required when COUNT is not set: how long to check, such as 5m; " +
			"CRASH_LIMIT: required: the number of crashes at which the gate fails, such as 5"},
		{"a blank HASH", environ("HASH= "), missing},
		{"an unresolved template", environ("HASH={{args.hash}}"), `HASH: is a placeholder that nobody filled in: check the name of the argument in the AnalysisTemplate or manifest, got "{{args.hash}}"`},
		{"the placeholder of deploy/base", environ("HASH=<pod-template-hash>"), `HASH: is a placeholder that nobody filled in: check the name of the argument in the AnalysisTemplate or manifest, got "<pod-template-hash>"`},
		{"a HASH that is no label value", environ("HASH=a,b"), `HASH: is no pod-template-hash, such as 6fd8d747: ` + value + `, got "a,b"`},
		{"an interval of words", environ("INTERVAL=five"), "INTERVAL: " + aTime + `"five"`},
		{"an interval without a unit", environ("INTERVAL=2.5"), "INTERVAL: " + aTime + `"2.5"`},
		{"an interval that is not a number", environ("INTERVAL=NaN"), "INTERVAL: " + aTime + `"NaN"`},
		{"an interval of 0", environ("INTERVAL=0"), `INTERVAL: must be at least 10ms, got "0"`},
		{"an interval just below the shortest", environ("INTERVAL=9.999999ms"), `INTERVAL: must be at least 10ms, got "9.999999ms"`},
		{"a negative interval", environ("INTERVAL=-5"), `INTERVAL: must be at least 10ms, got "-5"`},
		{"seconds that overflow", environ("DURATION=9223372037"), "DURATION: " + aTime + `"9223372037"`},
		{"digits that overflow", environ("DURATION=99999999999999999999"), "DURATION: " + aTime + `"99999999999999999999"`},
		{"a duration that overflows", environ("DURATION=2562048h"), "DURATION: " + aTime + `"2562048h"`},
		{"a duration of 0", environ("DURATION=0"), `DURATION: must be greater than 0, got "0"`},
		{"a negative duration", environ("DURATION=-1s"), `DURATION: must be greater than 0, got "-1s"`},
		{"no duration without COUNT", environ("DURATION", "COUNT=0"), "DURATION: required when COUNT is not set: how long to check, such as 5m"},
		{"an ignored DURATION must still parse", environ("COUNT=3", "DURATION=soon"), "DURATION: " + aTime + `"soon"`},
		{"an ignored MAX_DURATION must still parse", environ("MAX_DURATION=soon"), "MAX_DURATION: " + aTime + `"soon"`},
		{"an ignored HASH_LABEL must still parse", environ("HASH", "SELECTOR=a=b", "HASH_LABEL=-"), "HASH_LABEL: must be a label's key: " + name + `, got "-"`},
		{"MAX_DURATION of 0 with COUNT", environ("COUNT=3", "MAX_DURATION=0"), `MAX_DURATION: must be greater than 0, got "0"`},
		{"a fractional count", environ("COUNT=1.5"), `COUNT: must be a whole number, got "1.5"`},
		{"a negative count", environ("COUNT=-1"), `COUNT: must not be negative, got "-1"`},
		{"a bad count asks for no DURATION", environ("COUNT=x", "DURATION"), `COUNT: must be a whole number, got "x"`},
		{"a limit of 0", environ("CRASH_LIMIT=0"), `CRASH_LIMIT: must be at least 1, got "0"`},
		{"a negative limit", environ("CRASH_LIMIT=-2"), `CRASH_LIMIT: must be at least 1, got "-2"`},
		{"a limit that overflows", environ("CRASH_LIMIT=9223372036854775808"), `CRASH_LIMIT: must be a whole number that fits in 64 bits, got "9223372036854775808"`},
		{"a limit in hexadecimal", environ("CRASH_LIMIT=0x10"), `CRASH_LIMIT: must be a whole number, got "0x10"`},
		{"a limit that is not a number", environ("CRASH_LIMIT=NaN"), `CRASH_LIMIT: must be a whole number, got "NaN"`},
		{"no limit", environ("CRASH_LIMIT"), "CRASH_LIMIT: required: the number of crashes at which the gate fails, such as 5"},
		{"a namespace with capitals", environ("NAMESPACE=Prod"), "NAMESPACE: must be a namespace's name: " + label + `, got "Prod"`},
		{"a namespace with a slash", environ("NAMESPACE=a/b"), "NAMESPACE: must be a namespace's name: " + label + `, got "a/b"`},
		{"a selector that does not parse", environ("SELECTOR=a=b=c"), `SELECTOR: must be a label selector, such as app=web,tier!=cache: found '=', expected: ',' or 'end of string', got "a=b=c"`},
		{"a selector that selects all", environ("HASH", "SELECTOR=,"), `SELECTOR: must be a label selector, such as app=web,tier!=cache: found ',', expected: !, identifier, or 'end of string', got ","`},
		{"a negative MIN_PODS", environ("MIN_PODS=-1"), `MIN_PODS: must not be negative, got "-1"`},
		{"REQUIRE_READY of another word", environ("REQUIRE_READY=maybe"), `REQUIRE_READY: must be true, 1, yes, on or false, 0, no, off, got "maybe"`},
		{"a container's name with a space", environ("IGNORE_CONTAINERS=a b"), `IGNORE_CONTAINERS: "a b" is no container's name: ` + label + `, got "a b"`},
		{"no container's name", environ("IGNORE_CONTAINERS=,"), `IGNORE_CONTAINERS: must be names of containers, separated by commas, got ","`},
		{"another baseline", environ("BASELINE=begin"), `BASELINE: must be absolute or start, got "begin"`},
		{"a negative grace", environ("API_GRACE=-1"), `API_GRACE: must not be negative, got "-1"`},
		{"another log format", environ("LOG_FORMAT=xml"), `LOG_FORMAT: must be text or json, got "xml"`},
		{"negative log lines", environ("CRASH_LOG_LINES=-1"), `CRASH_LOG_LINES: must not be negative, got "-1"`},
		{"control characters are quoted", environ("INTERVAL=5\x1b[31m\nx"), "INTERVAL: " + aTime + `"5\x1b[31m\nx"`},
		{"a long value is cut", environ("INTERVAL=" + strings.Repeat("9", 300)), "INTERVAL: " + aTime + `"` + strings.Repeat("9", 200) + `…"`},
		{"all faults at once, in the order of the variables",
			environ("HASH={{args.hash}}", "INTERVAL=x", "COUNT=x", "MAX_DURATION=-1", "DURATION=-1", "CRASH_LIMIT=x", "MIN_PODS=x", "API_GRACE=x", "BASELINE=x"),
			`HASH: is a placeholder that nobody filled in: check the name of the argument in the AnalysisTemplate or manifest, got "{{args.hash}}"; ` +
				"INTERVAL: " + aTime + `"x"; ` +
				`COUNT: must be a whole number, got "x"; ` +
				`MAX_DURATION: must be greater than 0, got "-1"; ` +
				`DURATION: must be greater than 0, got "-1"; ` +
				`CRASH_LIMIT: must be a whole number, got "x"; ` +
				`MIN_PODS: must be a whole number, got "x"; ` +
				`BASELINE: must be absolute or start, got "x"; ` +
				"API_GRACE: " + aTime + `"x"`},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			_, err := config.Parse(test.environ)
			var faults config.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("got error %v, want Faults", err)
			}
			if err.Error() != test.want {
				t.Errorf("\n got: %s\nwant: %s", err, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		claim   string
		environ []string
		want    string
	}{
		{"COUNT wins over DURATION", environ("COUNT=3"), "DURATION is ignored, because COUNT is set: the run ends after 3 checks"},
		{"MAX_DURATION is for COUNT", environ("MAX_DURATION=5"), "MAX_DURATION is ignored, because COUNT is not set: DURATION decides"},
		{"HASH_LABEL is for HASH", environ("HASH", "HASH_LABEL=a", "SELECTOR=a=b"), "HASH_LABEL is ignored, because HASH is not set: SELECTOR decides"},
		{"a misspelt variable", environ("REQUIREREADY=on"), `"REQUIREREADY" is set, but the variable is called REQUIRE_READY: it is ignored`},
		{"a variable in lower case", environ("crash_limit=1"), `"crash_limit" is set, but the variable is called CRASH_LIMIT: it is ignored`},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			cfg, err := config.Parse(test.environ)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(cfg.Warnings, "; "); got != test.want {
				t.Errorf("\n got: %s\nwant: %s", got, test.want)
			}
		})
	}
}

// Every variable that is documented is read, and the other way round.
func TestVariablesAreThoseThatAreRead(t *testing.T) {
	full := []string{"HASH=a", "INTERVAL=5s", "COUNT=2", "MAX_DURATION=1m0s", "DURATION=2m0s", "CRASH_LIMIT=5", "DEBUG=on", "NAMESPACE=prod",
		"SELECTOR=app=web", "HASH_LABEL=hash", "MIN_PODS=3", "REQUIRE_READY=on", "IGNORE_CONTAINERS=a,b", "BASELINE=start", "API_GRACE=30s",
		"LOG_FORMAT=json", "CRASH_LOG_LINES=7"}
	cfg, err := config.Parse(full)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Environ(); !slices.Equal(got, full) {
		t.Errorf("printed back:\n got %q\nwant %q", got, full)
	}
	var names []string
	for _, v := range config.Variables {
		names = append(names, v.Name)
		if v.Meaning == "" || v.Default == "" {
			t.Errorf("%s is not documented", v.Name)
		}
	}
	for i, pair := range full {
		if name, _, _ := strings.Cut(pair, "="); i >= len(names) || names[i] != name {
			t.Errorf("variable %d: %q is not documented in its place: %q", i, name, names)
		}
	}
}

// For the race detector: who gates several releases at once parses several configurations at once.
func TestParseIsSafeForConcurrentUse(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if cfg, err := config.Parse(environ()); err != nil || cfg.CrashLimit != 5 {
				t.Errorf("got %+v, %v", cfg, err)
			}
		})
	}
	all.Wait()
}

// What Parse accepts it prints back and accepts again; and it never panics.
func FuzzParse(f *testing.F) {
	f.Add("HASH=a\x00INTERVAL=5\x00DURATION=300\x00CRASH_LIMIT=5")
	f.Add("SELECTOR=a in (b, c),!d\x00INTERVAL=1m\x00COUNT=3\x00MAX_DURATION=2m\x00CRASH_LIMIT=5\x00DEBUG=1\x00MIN_PODS=0\x00API_GRACE=0")
	f.Add("HASH={{args.hash}}\x00INTERVAL=NaN\x00DURATION=-1\x00CRASH_LIMIT=9223372036854775808")
	f.Add("=x\x00HASH\x00IGNORE_CONTAINERS=,\x00SELECTOR=,\x00HASH_LABEL=a/b/c")
	f.Fuzz(func(t *testing.T, joined string) {
		first, err := config.Parse(strings.Split(joined, "\x00"))
		if err != nil {
			var faults config.Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("an error that is no list of faults: %v", err)
			}
			return
		}
		second, err := config.Parse(first.Environ())
		if err != nil {
			t.Fatalf("accepted %q, but not what it printed back, %q: %v", joined, first.Environ(), err)
		}
		if a, b := first.Environ(), second.Environ(); !slices.Equal(a, b) || selectorsOf(first) != selectorsOf(second) {
			t.Fatalf("printed back %q, then %q", a, b)
		}
	})
}

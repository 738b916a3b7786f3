package config

// Variable documents one environment variable.
type Variable struct {
	Name    string
	Meaning string
	Default string // "required", "none" or a value, for people
}

// Variables lists every variable that [Parse] reads, in the order in which they are documented.
var Variables = []Variable{
	{"HASH", "value of the pod-template-hash label that groups the pods to check", "required, unless SELECTOR is set"},
	{"INTERVAL", "time between checks, at least 10ms", "required"},
	{"COUNT", "number of checks to run; when greater than 0, DURATION is ignored", "0"},
	{"MAX_DURATION", "cap on the run's time when COUNT is used; greater than 0", "none"},
	{"DURATION", "how long to check when COUNT is not used; greater than 0", "required when COUNT is 0"},
	{"CRASH_LIMIT", "the gate fails as soon as this many crashes have been seen; at least 1", "required"},
	{"DEBUG", "debug output, one line a check: on for any value but 0, false, no, off", "off"},
	{"NAMESPACE", "namespace of the pods", "in a cluster the Job's own; else the kubeconfig context's; else default"},
	{"SELECTOR", "label selector, for pods that have no template hash; with HASH, both must match", "none"},
	{"HASH_LABEL", "label key that HASH is the value of", "tries rollouts-pod-template-hash, then pod-template-hash"},
	{"MIN_PODS", "at least this many matching pods must have been seen at once in some check; 0: none need be", "1"},
	{"REQUIRE_READY", "pass only if every matching pod is Ready at the closing check: true, 1, yes, on or false, 0, no, off", "off"},
	{"IGNORE_CONTAINERS", "comma-separated names of containers, of any kind, whose crashes are not counted", "none"},
	{"BASELINE", "absolute: count all crashes of the pods; start: only those after the first check", "absolute"},
	{"API_GRACE", "how long checks may keep failing in a row before the run gives up; 0: no grace", "60s"},
	{"LOG_FORMAT", "text or json, for the log on standard error", "text"},
	{"CRASH_LOG_LINES", "on failure, print this many last log lines of the worst crashed containers (needs get on pods/log)", "0"},
}

package config

import (
	"errors"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/util/validation"
)

// Workload names a workload, as kubectl does.
type Workload struct {
	Kind string // "deployment", "statefulset", "daemonset" or "rollout"; empty: no workload
	Name string
}

// String returns the workload as kubectl writes it, such as "deployment/shop". It is empty if there is none.
func (w Workload) String() string {
	if w == (Workload{}) {
		return ""
	}
	return w.Kind + "/" + w.Name
}

var workloadKinds = []struct {
	names []string // the first is the one of Workload.Kind
	group string
}{
	{[]string{"deployment", "deploy", "deployments"}, "apps"},
	{[]string{"statefulset", "sts", "statefulsets"}, "apps"},
	{[]string{"daemonset", "ds", "daemonsets"}, "apps"},
	{[]string{"rollout", "ro", "rollouts"}, "argoproj.io"},
}

const mustBeWorkload = "must be TYPE/NAME, such as deployment/shop; TYPE is one of " +
	"deployment (deploy, deployments), statefulset (sts, statefulsets), daemonset (ds, daemonsets), rollout (ro, rollouts)"

// parseWorkload accepts TYPE/NAME and TYPE.GROUP/NAME.
func parseWorkload(value string) (Workload, error) {
	if isPlaceholder(value) {
		return Workload{}, errors.New(placeholder)
	}
	kind, name, _ := strings.Cut(value, "/")
	kind, group, hasGroup := strings.Cut(strings.ToLower(kind), ".")
	for _, known := range workloadKinds {
		if !slices.Contains(known.names, kind) || hasGroup && group != known.group {
			continue
		}
		if problems := apivalidation.IsDNS1123Subdomain(name); len(problems) > 0 {
			return Workload{}, errors.New(mustBeWorkload + "; NAME: " + strings.Join(problems, "; "))
		}
		return Workload{Kind: known.names[0], Name: name}, nil
	}
	return Workload{}, errors.New(mustBeWorkload)
}

package config_test

import (
	"testing"

	"github.com/crashcheck/crashcheck/pkg/config"
)

// The names are those that kubectl accepts, and prints with -o name.
func TestAllNamesOfTheTypesOfWorkloads(t *testing.T) {
	for kind, names := range map[string][]string{
		"deployment":  {"deployment", "deploy", "deployments", "DEPLOY", "deployment.apps", "Deployments.Apps"},
		"statefulset": {"statefulset", "sts", "statefulsets", "StatefulSet", "statefulset.apps", "statefulsets.apps"},
		"daemonset":   {"daemonset", "ds", "daemonsets", "DaemonSet", "daemonset.apps", "daemonsets.apps"},
		"rollout":     {"rollout", "ro", "rollouts", "Rollout", "rollout.argoproj.io", "rollouts.argoproj.io"},
	} {
		for _, name := range names {
			cfg, err := config.Parse(environ("HASH", "WORKLOAD="+name+"/shop"))
			if err != nil || cfg.Workload != (config.Workload{Kind: kind, Name: "shop"}) || cfg.Workload.String() != kind+"/shop" {
				t.Errorf("%s/shop is %q, %v", name, cfg.Workload, err)
			}
		}
	}
	if text := (config.Workload{}).String(); text != "" {
		t.Errorf("no workload is %q", text)
	}
}

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// The end of the run comes before the 5 s that reading logs may take.
func TestNoLogsAreReadWhenNoTimeIsLeft(t *testing.T) {
	server := simcluster.Start()
	t.Cleanup(server.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig, "shop"); err != nil {
		t.Fatal(err)
	}
	cluster, err := kube.FindCluster(t.Context(), []string{"KUBECONFIG=" + kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.NewClient(t.Context(), cluster, "shop", "test")
	if err != nil {
		t.Fatal(err)
	}
	for left, requests := range map[time.Duration]int{0: 0, time.Minute: 1} {
		before := len(server.Requests())
		var log bytes.Buffer
		g := &gate{
			cfg: config.Config{CrashLogLines: 5}, log: report.NewLog(&log, report.LogOptions{}),
			result: report.Result{Outcome: runner.Outcome{Containers: []checker.ContainerCrashes{{Pod: "web-1", Container: "app"}}}},
		}
		g.crashLogs(t.Context(), client, left)
		if got := len(server.Requests()) - before; got != requests {
			t.Errorf("with %s left: %d requests, want %d", left, got, requests)
		}
		if told := strings.Contains(log.String(), "the time limit is reached"); told != (left == 0) {
			t.Errorf("with %s left, the log is %q", left, log.String())
		}
	}
}

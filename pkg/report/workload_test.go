package report_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// shop is a deployment that is paused at first, and superseded at the end.
type shop struct{ resolved int }

func (*shop) String() string { return "deployment/shop" }

func (s *shop) Resolve(context.Context) (checker.Version, error) {
	if s.resolved++; s.resolved < 3 {
		return checker.Version{Pending: "deployment shop is paused"}, nil
	}
	return checker.Version{Name: "6fd8d747", Selector: labels.Set{"pod-template-hash": "6fd8d747"}.AsSelector(), Source: "ReplicaSet shop-6fd8d747"}, nil
}

func (*shop) Superseded(context.Context) (string, error) {
	return "superseded by 7c9d8b6f55; checked 6fd8d747", nil
}

// ofShop makes a run that checks the deployment, and returns its result.
func ofShop(t *testing.T, plan runner.Plan, observe func(runner.Event)) report.Result {
	check, err := checker.New(lister{time.Now(), crashing}, checker.Options{Workload: &shop{}, CrashLimit: plan.CrashLimit})
	if err != nil {
		t.Fatal(err)
	}
	return report.Result{Outcome: runner.Run(t.Context(), plan, check, observe), Namespace: "shop", Workload: "deployment/shop"}
}

func TestTheVersionOfAWorkloadIsNamedEverywhere(t *testing.T) {
	plan := runner.Plan{Interval: 5 * time.Second, Duration: 15 * time.Second, CrashLimit: 3, MinPods: 1, APIGrace: time.Minute}
	synctest.Test(t, func(t *testing.T) {
		var result report.Result
		var progress lockedBuffer
		got := record(report.LogOptions{Terminal: true, Debug: true}, func(log *report.Log) {
			planned := report.Result{Outcome: runner.Outcome{Plan: plan}, Namespace: "shop", Workload: "deployment/shop"}
			log.Start("v0.1.0", planned)
			line := report.NewProgress(&progress, func() int { return 100 }, planned)
			result = ofShop(t, plan, func(e runner.Event) { line.Observe(e); log.Observe(e) })
			line.Close()
			log.Close(result)
		})
		want := `00:00:00 INF crashcheck v0.1.0: watching deployment/shop in namespace shop
00:00:00 INF checking every 5s until 00:00:15; fails at 3 crashes
00:00:00 WRN the version to check is not known yet: deployment shop is paused
00:00:00 DBG check 1: no pods (0 have run), 0/3 crashes, 0 not Ready, 0 cannot start, took 0s
00:00:05 DBG check 2: no pods (0 have run), 0/3 crashes, 0 not Ready, 0 cannot start, took 0s
00:00:10 INF checking version 6fd8d747: pods with pod-template-hash=6fd8d747
00:00:10 DBG version 6fd8d747 comes from ReplicaSet shop-6fd8d747
00:00:10 INF 2 new pods: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:00:10 DBG check 3: 2 pods (2 have run), 0/3 crashes, 0 not Ready, 0 cannot start, took 0s
00:00:15 DBG check 4: 2 pods (2 have run), 0/3 crashes, 0 not Ready, 0 cannot start, took 0s
00:00:15 INF 4 checks in 15s, 2 pods seen
00:00:15 INF no verdict was reached: do not promote; run the gate again to check the current version
00:00:15 ERR INCONCLUSIVE (exit code 3): superseded by 7c9d8b6f55; checked 6fd8d747
`
		if got != want {
			t.Errorf("got the log\n%s\nwant\n%s", got, want)
		}
		for _, want := range []string{"deployment/shop, crashes 0/3, 15s left, 1 check, no pods", "deployment/shop 6fd8d747, crashes 0/3, 5s left, 3 checks, 2 pods"} {
			if !strings.Contains(progress.String(), want) {
				t.Errorf("the progress line never said %q: %q", want, progress.String())
			}
		}
		if line := string(report.JSONLine(result)); !strings.Contains(line, `"workload":"deployment/shop","selector":"pod-template-hash=6fd8d747",`) {
			t.Errorf("got the line %s", line)
		}
		wantMessage := "INCONCLUSIVE: superseded by 7c9d8b6f55; checked 6fd8d747\n- checked version 6fd8d747 of deployment/shop"
		if got := report.TerminationMessage(result); got != wantMessage {
			t.Errorf("got the termination message\n%s\nwant\n%s", got, wantMessage)
		}
	})
}

func TestAVersionThatIsNotKnown(t *testing.T) {
	plan := runner.Plan{Interval: time.Second, Count: 2, CrashLimit: 5}
	synctest.Test(t, func(t *testing.T) {
		result := ofShop(t, plan, nil)
		want := `"reason":"the version to check is not known: deployment shop is paused",`
		if line := string(report.JSONLine(result)); !strings.Contains(line, want) || !strings.Contains(line, `"workload":"deployment/shop","selector":"",`) {
			t.Errorf("got the line %s", line)
		}
		if got, want := report.TerminationMessage(result), "INCONCLUSIVE: the version to check is not known: deployment shop is paused"; got != want {
			t.Errorf("got the termination message\n%s\nwant\n%s", got, want)
		}
	})
}

// lockedBuffer is written by the goroutine that redraws.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(text)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*lockedBuffer)(nil)

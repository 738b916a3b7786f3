package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// The end of a run waits this long for each of the two outputs if nobody reads it: patience after a signal, because the run
// must then end within one second, or if the run has used up its time; otherwise up to maxPatience, because the machine may
// be slow.
const (
	patience    = 400 * time.Millisecond
	maxPatience = 2 * time.Second
)

// program contains the settings that are the same for every run.
type program struct {
	terminationLog string // a container's terminationMessagePath; tests use another one
}

// run is the whole program: it takes the arguments and the environment, and returns the exit code. It does not exit,
// and does not read the environment. When ctx ends with a runner.SignalError as its cause, the run ends with that
// signal's exit code.
func (p program) run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Fprint(stdout, usage())
		return 0
	case len(args) == 1 && args[0] == "--version":
		fmt.Fprintf(stdout, "crashcheck %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0
	}
	cfg, err := config.Parse(environ)
	if len(args) > 0 {
		err = fmt.Errorf("unexpected argument %q: set environment variables, see crashcheck --help", args[0])
	}
	g := &gate{
		program: p, cfg: cfg, start: time.Now(),
		out: report.NewDetached(stdout), err: report.NewDetached(stderr),
		result: report.Result{Namespace: cfg.Namespace, Workload: cfg.Workload.String()},
	}
	g.result.Plan = runner.Plan{
		Interval: cfg.Interval, Count: cfg.Count, MaxDuration: cfg.MaxDuration, Duration: cfg.Duration,
		CrashLimit: cfg.CrashLimit, MinPods: cfg.MinPods, RequireReady: cfg.RequireReady, APIGrace: cfg.APIGrace,
	}
	g.result.Selector = selectorText(cfg)
	var log io.Writer = g.err
	width := terminalWidth(stderr, environ)
	if width != nil && err == nil && cfg.LogFormat == config.LogText {
		g.progress = report.NewProgress(g.err, width, g.result)
		log = g.progress
	}
	g.log = report.NewLog(log, report.LogOptions{
		JSON: cfg.LogFormat == config.LogJSON, Debug: cfg.Debug, Terminal: width != nil, Color: width != nil && !isSet(environ, "NO_COLOR"),
	})
	for _, warning := range cfg.Warnings { // they may explain an error: a variable that is missing because it is misspelt
		g.log.Warn(warning)
	}
	if err == nil {
		err = g.check(ctx, environ)
	}
	if err != nil {
		g.invalid(err)
	}
	return g.end(ctx)
}

// gate is one run of the program.
type gate struct {
	program
	cfg      config.Config
	out, err *report.Detached
	log      *report.Log
	progress *report.Progress // nil: standard error is not a terminal
	start    time.Time
	result   report.Result
}

// timeLeft returns how long the program may continue to report.
func (g *gate) timeLeft() time.Duration { return g.result.Plan.TimeToReport(time.Since(g.start)) }

// invalid records why nothing was checked: because of configuration errors, or because a signal arrived first.
func (g *gate) invalid(err error) {
	g.result.Verdict, g.result.Err = runner.Invalid, err
	if signal := (runner.SignalError{}); errors.As(err, &signal) {
		g.result.Verdict, g.result.Signal = runner.Interrupted, signal.Signal
	} else if all, ok := err.(utilerrors.Aggregate); ok { // of package config
		for _, err := range all.Errors() {
			g.result.Errors = append(g.result.Errors, err.Error())
		}
	}
}

// check runs the gate against the cluster that the environment names. An error means that nothing was checked.
func (g *gate) check(ctx context.Context, environ []string) error {
	client, err := g.client(ctx, environ)
	if err != nil {
		return err
	}
	options := checker.Options{
		Selectors:     g.cfg.Selectors,
		CrashLimit:    g.cfg.CrashLimit,
		Ignore:        checker.Ignore{Containers: g.cfg.IgnoreContainers, ExitCodes: g.cfg.IgnoreExitCodes},
		BaselineStart: g.cfg.Baseline == config.BaselineStart,
	}
	if w := g.cfg.Workload; w != (config.Workload{}) {
		options.Workload = workload{client.Workload(w.Kind, w.Name, g.cfg.Selector)}
	}
	checks, err := checker.New(client, options)
	if err != nil {
		return err
	}
	g.log.Debug("configuration: " + strings.Join(g.cfg.Given(), " "))
	g.log.Start(buildVersion(), g.result)
	if rules := g.cfg.Given("MIN_PODS", "REQUIRE_READY", "IGNORE_CONTAINERS", "IGNORE_EXIT_CODES", "BASELINE"); len(rules) > 0 {
		g.log.Info("rules: " + strings.Join(rules, " "))
	}
	g.result.Outcome = runner.Run(ctx, g.result.Plan, checks, func(event runner.Event) {
		if g.progress != nil {
			g.progress.Observe(event)
		}
		g.log.Observe(event)
	})
	if g.result.Verdict == runner.Fail && g.cfg.CrashLogLines > 0 {
		g.crashLogs(ctx, client, g.timeLeft())
	}
	return nil
}

// workload adapts a kube.Workload to the interface checker.Workload: packages kube and checker do not import each
// other.
type workload struct{ *kube.Workload }

func (w workload) Resolve(ctx context.Context) (checker.Version, error) {
	version, err := w.Workload.Resolve(ctx)
	return checker.Version(version), err
}

// client finds the cluster and the namespace.
func (g *gate) client(ctx context.Context, environ []string) (*kube.Client, error) {
	cluster, err := kube.FindCluster(ctx, environ)
	if err != nil {
		return nil, err
	}
	if g.result.Namespace == "" {
		if g.result.Namespace = cluster.Namespace(); g.result.Namespace == "" {
			return nil, errors.New("NAMESPACE is not set, and the credentials have no namespace: set NAMESPACE")
		}
	}
	return kube.NewClient(ctx, cluster, g.result.Namespace, fmt.Sprintf("crashcheck/%s (%s/%s)", buildVersion(), runtime.GOOS, runtime.GOARCH))
}

// end writes the rest of the report, and returns the exit code.
func (g *gate) end(ctx context.Context) int {
	if g.progress != nil {
		g.progress.Close()
	}
	if err := report.WriteTerminationMessage(g.terminationLog, g.result); err != nil {
		g.log.Warn(err.Error())
	}
	g.log.Close(g.result)
	g.close(ctx, g.err) // the log comes before the JSON line if both go to one place
	_, _ = g.out.Write(report.JSONLine(g.result))
	g.close(ctx, g.out)
	return report.Code(g.result.Outcome)
}

// close waits until an output is written. If a signal has arrived, or arrives while close waits, it waits for patience
// at most.
func (g *gate) close(ctx context.Context, output *report.Detached) {
	longest := min(max(g.timeLeft()/2, patience), maxPatience)
	waiting, giveUp := context.WithTimeout(context.Background(), longest)
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(patience, giveUp) })()
	_ = output.Close(waiting)
}

// selectorText returns the selector for reports before the first check.
func selectorText(cfg config.Config) string {
	var texts []string
	for _, selector := range cfg.Selectors {
		texts = append(texts, selector.String())
	}
	return strings.Join(texts, " or ")
}

func isSet(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(pair string) bool {
		return strings.HasPrefix(pair, name+"=") && len(pair) > len(name)+1
	})
}

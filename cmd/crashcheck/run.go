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

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// patience is how long the end of the run waits for each of the two outputs if it is not read: after a signal it has a
// second in all, and so has a run that used up its time. Otherwise it may be the machine that is slow.
const (
	patience     = 400 * time.Millisecond
	mostPatience = 2 * time.Second
)

// program is what stays the same from run to run.
type program struct {
	terminationLog string // a container's terminationMessagePath; tests have one of their own
}

// run is the program: from arguments and environment to the exit code. It neither exits nor reads the environment.
// When ctx ends with a runner.SignalError as its cause, so does the run, with that signal's exit code.
func (p program) run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprint(stdout, usage())
		return 0
	}
	if len(args) == 1 && args[0] == "--version" {
		fmt.Fprintf(stdout, "crashcheck %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0
	}

	cfg, err := config.Parse(environ)
	width := terminalWidth(stderr, environ)
	asJSON := cfg.LogFormat == config.LogJSON
	g := &gate{
		program: p, cfg: cfg,
		out: report.NewDetached(stdout, nil), err: report.NewDetached(stderr, report.LostLines(asJSON)),
		result: report.Result{Limit: max(cfg.CrashLimit, 0), Namespace: cfg.Namespace},
	}
	g.result.Selector = selectorText(cfg)
	plan := planOf(cfg)
	var log io.Writer = g.err
	if width != nil && err == nil && len(args) == 0 && !asJSON {
		g.progress = report.NewProgress(g.err, width, plan)
		log = g.progress
	}
	g.log = report.NewLog(log, report.LogOptions{
		JSON: asJSON, Debug: cfg.Debug, Terminal: width != nil, Color: width != nil && !isSet(environ, "NO_COLOR"),
	})
	for _, warning := range cfg.Warnings { // they may explain a fault: a variable that is missing because it is misspelt
		g.log.Warn(warning)
	}
	switch {
	case len(args) > 0:
		g.invalid(fmt.Errorf("unexpected argument %q: crashcheck takes its settings from the environment, see crashcheck --help", args[0]))
	case err != nil:
		g.invalid(err)
	default:
		g.check(ctx, plan, environ)
	}
	return g.end(ctx)
}

// gate is one run of the program.
type gate struct {
	program
	cfg      config.Config
	out, err *report.Detached
	log      *report.Log
	progress *report.Progress // nil: no terminal
	result   report.Result
}

// invalid is the result of a faulty configuration.
func (g *gate) invalid(err error) {
	g.result.Verdict, g.result.Reason = runner.Invalid, err.Error()
	if faults := config.Faults(nil); errors.As(err, &faults) {
		for _, fault := range faults {
			g.result.Faults = append(g.result.Faults, fault.Error())
		}
	}
}

// check runs the gate against the cluster that the environment names.
func (g *gate) check(ctx context.Context, plan runner.Plan, environ []string) {
	pods, err := g.podLister(ctx, environ)
	if err != nil {
		g.invalid(err)
		if signal := (runner.SignalError{}); errors.As(err, &signal) {
			g.result.Verdict, g.result.Signal = runner.Interrupted, signal.Signal
			g.result.Reason = err.Error() + " before the first check"
		}
		return
	}
	checks, err := checker.New(pods, checker.Options{
		Selectors:        g.cfg.Selectors,
		IgnoreContainers: g.cfg.IgnoreContainers,
		BaselineStart:    g.cfg.Baseline == config.BaselineStart,
	})
	if err != nil {
		g.invalid(err)
		return
	}
	g.log.Debug("configuration: " + strings.Join(g.cfg.Environ(), " "))
	g.log.Start(buildVersion(), plan, g.result.Namespace, checks.Selector())
	if rules := changedRules(g.cfg); rules != "" {
		g.log.Info("rules that are not the default: " + rules)
	}
	g.result.Outcome = runner.Run(ctx, plan, checks, func(event runner.Event) {
		if g.progress != nil {
			g.progress.Observe(event)
		}
		g.log.Observe(event)
	})
	if g.result.Verdict == runner.Fail && g.cfg.CrashLogLines > 0 {
		g.lastWords(ctx, pods, plan.TimeToReport(g.result.Elapsed))
	}
}

// podLister finds the cluster and the namespace.
func (g *gate) podLister(ctx context.Context, environ []string) (*kube.PodLister, error) {
	cluster, err := kube.FindCluster(ctx, environ)
	if err != nil {
		return nil, err
	}
	if g.result.Namespace == "" {
		namespace := cluster.Namespace()
		if err := config.ValidateNamespace(namespace); err != nil {
			return nil, fmt.Errorf("NAMESPACE: not set, and the namespace of the credentials, %q, %w", namespace, err)
		}
		g.result.Namespace = namespace
	}
	return kube.NewPodLister(ctx, cluster, g.result.Namespace, fmt.Sprintf("crashcheck/%s (%s/%s)", buildVersion(), runtime.GOOS, runtime.GOARCH))
}

// end writes what is left to say, and returns the exit code.
func (g *gate) end(ctx context.Context) int {
	if g.progress != nil {
		g.progress.Close()
	}
	if err := report.WriteTerminationMessage(g.terminationLog, g.result); err != nil {
		g.log.Warn(err.Error())
	}
	g.log.Close(g.result)
	g.close(ctx, g.err) // the log before the line, where both go to one place
	_, _ = g.out.Write(report.JSONLine(g.result))
	g.close(ctx, g.out)
	return report.Code(g.result.Outcome)
}

// close waits for an output, and no longer than patience once a signal has arrived, before or meanwhile.
func (g *gate) close(ctx context.Context, output *report.Detached) {
	most := min(max(planOf(g.cfg).TimeToReport(g.result.Elapsed)/2, patience), mostPatience)
	waiting, giveUp := context.WithTimeout(context.Background(), most)
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(patience, giveUp) })()
	_ = output.Close(waiting)
}

func planOf(cfg config.Config) runner.Plan {
	return runner.Plan{
		Interval: cfg.Interval, Count: cfg.Count, MaxDuration: cfg.MaxDuration, Duration: cfg.Duration,
		CrashLimit: cfg.CrashLimit, MinPods: cfg.MinPods, RequireReady: cfg.RequireReady, APIGrace: cfg.APIGrace,
	}
}

// changedRules names the settings that make the gate more or less strict than a reader of its log would expect.
func changedRules(cfg config.Config) string {
	usual := []string{"MIN_PODS=1", "BASELINE=" + config.BaselineAbsolute}
	var rules []string
	for _, pair := range cfg.Environ() {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "MIN_PODS", "REQUIRE_READY", "IGNORE_CONTAINERS", "BASELINE":
			if !slices.Contains(usual, pair) {
				rules = append(rules, pair)
			}
		}
	}
	return strings.Join(rules, " ")
}

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

package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
)

// RivalCost is what one program costs at one number of pods.
type RivalCost struct {
	Rival string
	Pods  int
	// CPU, API and Bytes are for one check more.
	CPU, API time.Duration
	Bytes    float64
	// RunCPU and RunWall are for a whole run of one check.
	RunCPU, RunWall time.Duration
	Peak            int64
}

// rival is a program that is measured.
type rival struct {
	name string
	// command runs it for a number of checks, or until limit crashes.
	command func(b *bench, set measuredSet, relayed bool, gate gateSettings) child.Command
	// checks are those of a long run, by the number of pods. It is no more
	// than 1 where a run of one check says all.
	checks map[int]int
}

// gateSettings are what all rivals can be told.
type gateSettings struct {
	checks   int
	interval time.Duration
	limit    int
}

// noLimit is a number of crashes that is never reached.
const noLimit = 1 << 30

// The names of the rivals, as tables and charts show them.
const (
	crashcheckName = "crashcheck"
	kubectlName    = "kubectl | jq"
	typedName      = "typed clientset"
	floorName      = "bare HTTP"
)

var rivals = []rival{
	{crashcheckName, crashcheckCommand, map[int]int{10: 200, 100: 150, 1000: 30, 5000: 8}},
	{kubectlName, kubectlCommand, map[int]int{10: 10, 100: 6, 1000: 2, 5000: 1}},
	// Its client makes five requests a second after the first ten.
	{typedName, typedCommand, map[int]int{10: 15, 100: 15, 1000: 10, 5000: 4}},
	{floorName, floorCommand, map[int]int{10: 200, 100: 150, 1000: 30, 5000: 8}},
}

// compressed is no rival, but a question: the floor, with compressed answers.
var compressed = rival{floorName + ", gzip", compressedFloorCommand, map[int]int{10: 200, 100: 150, 1000: 30, 5000: 8}}

// pause lies between two checks of a long run: the shortest that crashcheck
// accepts.
const pause = 10 * time.Millisecond

func crashcheckCommand(b *bench, set measuredSet, relayed bool, gate gateSettings) child.Command {
	return b.command(append(set.environment(relayed),
		"HASH="+set.Hash, "INTERVAL="+gate.interval.String(), "COUNT="+strconv.Itoa(gate.checks), "CRASH_LIMIT="+strconv.Itoa(gate.limit),
	), b.program("crashcheck"))
}

func kubectlCommand(b *bench, set measuredSet, relayed bool, gate gateSettings) child.Command {
	interval := "0" // a pause would cost another process
	if gate.interval > pause {
		interval = fmt.Sprint(gate.interval.Seconds())
	}
	return b.command(append(set.environment(relayed),
		"KUBECTL="+b.world.Kubectl, "HOME="+b.world.Work, "SELECTOR="+set.Selector(),
		"INTERVAL="+interval, "COUNT="+strconv.Itoa(gate.checks), "CRASH_LIMIT="+strconv.Itoa(gate.limit),
	), "bash", filepath.Join(b.folder, "programs", "kubectl-jq.sh"))
}

func typedCommand(b *bench, set measuredSet, relayed bool, gate gateSettings) child.Command {
	return b.command(append(set.environment(relayed), "SELECTOR="+set.Selector(),
		"INTERVAL="+gate.interval.String(), "COUNT="+strconv.Itoa(gate.checks), "CRASH_LIMIT="+strconv.Itoa(gate.limit),
	), b.program("typed"))
}

func floorCommand(b *bench, set measuredSet, relayed bool, gate gateSettings) child.Command {
	access := set.access(relayed)
	return b.command([]string{
		"SERVER=" + access.Server, "TOKEN=" + access.Token, "CA_FILE=" + access.CAFile, "NAMESPACE=" + set.Namespace, "SELECTOR=" + set.Selector(),
		"INTERVAL=" + gate.interval.String(), "COUNT=" + strconv.Itoa(gate.checks), "LIMIT=" + strconv.Itoa(checker.PageSize),
	}, b.program("floor"))
}

func compressedFloorCommand(b *bench, set measuredSet, relayed bool, gate gateSettings) child.Command {
	command := floorCommand(b, set, relayed, gate)
	command.Env = append(command.Env, "GZIP=1")
	return command
}

// environment is what all that read a kubeconfig share.
func (s measuredSet) environment(relayed bool) []string {
	return []string{"KUBECONFIG=" + s.access(relayed).Kubeconfig, "NAMESPACE=" + s.Namespace}
}

// measureRivals runs all rivals in turn at each number of pods.
func measureRivals(ctx context.Context, b *bench, results *Results) error {
	counts, runs := []int{10, 100, 1000, 5000}, 5
	if b.quick {
		counts, runs = []int{10, 100}, 2
	}
	results.Rivals = nil
	programs := append(slices.Clone(rivals), compressed)
	for _, pods := range counts {
		set, err := b.set(ctx, pods)
		if err != nil {
			return err
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		runs := runs
		if pods >= 5000 {
			runs = 3 // they take long, and differ little
		}
		taken := map[string][]RivalCost{}
		for range runs {
			for _, r := range programs {
				one, err := b.rival(ctx, r, set)
				if err != nil {
					return err
				}
				taken[r.name] = append(taken[r.name], one)
			}
		}
		for _, r := range programs {
			middle := medianRivalCost(taken[r.name])
			middle.Bytes, err = b.bytesPerCheck(ctx, set, min(r.checks[pods], 5), func(checks int) child.Command {
				return r.command(b, set, true, gateSettings{checks, pause, noLimit})
			})
			if err != nil {
				return err
			}
			results.Rivals = append(results.Rivals, middle)
			b.logf("%d pods, %s: %s CPU a check", pods, r.name, middle.CPU.Round(10*time.Microsecond))
		}
	}
	return nil
}

// rival makes a run of one check, and one of many.
func (b *bench) rival(ctx context.Context, r rival, set measuredSet) (RivalCost, error) {
	one, err := b.run(ctx, r.command(b, set, false, gateSettings{1, pause, noLimit}))
	if err != nil {
		return RivalCost{}, err
	}
	many, checks := one, r.checks[set.Pods]
	if checks > 1 {
		if many, err = b.run(ctx, r.command(b, set, false, gateSettings{checks, pause, noLimit})); err != nil {
			return RivalCost{}, err
		}
	}
	if err := checkReport(r.name, set.Pods, many.stdout); err != nil {
		return RivalCost{}, err
	}
	each := func(many, one time.Duration) time.Duration { return time.Duration(stats.Each(many, one, checks)) }
	return RivalCost{
		Rival: r.name, Pods: set.Pods,
		CPU: each(many.CPU, one.CPU), API: each(many.api, one.api),
		RunCPU: one.CPU, RunWall: one.Wall, Peak: max(one.Peak, many.Peak),
	}, nil
}

// checkReport makes sure that a program has seen what it should: one that
// fails fast would win.
func checkReport(name string, pods int, stdout []byte) error {
	want := map[string][]string{
		crashcheckName: {`"verdict":"pass"`, fmt.Sprintf(`"pods":%d,`, pods)},
		kubectlName:    {`{ "Crashes": 0 }`},
		typedName:      {fmt.Sprintf(`"pods":%d}`, pods)},
	}
	for _, text := range want[name] {
		if !bytes.Contains(stdout, []byte(text)) {
			return fmt.Errorf("%s was to say %s; it said: %s", name, text, stdout)
		}
	}
	return nil
}

func medianRivalCost(runs []RivalCost) RivalCost {
	middle := runs[0]
	middle.CPU = medianOf(runs, func(r RivalCost) time.Duration { return r.CPU })
	middle.API = medianOf(runs, func(r RivalCost) time.Duration { return r.API })
	middle.RunCPU = medianOf(runs, func(r RivalCost) time.Duration { return r.RunCPU })
	middle.RunWall = medianOf(runs, func(r RivalCost) time.Duration { return r.RunWall })
	middle.Peak = medianOf(runs, func(r RivalCost) int64 { return r.Peak })
	return middle
}

// medianOf is the median of one figure of many runs.
func medianOf[R any, N stats.Number](runs []R, figure func(R) N) N {
	var all []N
	for _, r := range runs {
		all = append(all, figure(r))
	}
	return stats.Median(all)
}

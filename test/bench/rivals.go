package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// rival is a program that is measured.
type rival struct {
	name string
	// resident says that it starts once and then makes all checks. kubectl and jq
	// start for every check.
	resident bool
	// argv and env are its own; environment adds what all rivals have in common.
	argv func(*bench) []string
	env  func(*bench, podSet, world.Access) []string
	// interval writes an INTERVAL.
	interval func(time.Duration) string
	// reports is in standard output if the gate has passed and seen its pods.
	reports func(pods int) []string
}

// The names of the rivals, as tables and charts show them.
const (
	crashcheckName = "crashcheck"
	kubectlName    = "kubectl | jq"
	typedName      = "typed clientset"
	floorName      = "bare HTTP"
)

// gateSettings are what every rival is told.
type gateSettings struct {
	checks   int
	interval time.Duration
	limit    int
}

const (
	// noLimit is a number of crashes that is never reached.
	noLimit = 1 << 30
	// pause is the shortest INTERVAL that crashcheck accepts.
	pause = 10 * time.Millisecond
)

var crashcheckRival = rival{
	name: crashcheckName, resident: true, interval: time.Duration.String,
	argv:    func(b *bench) []string { return []string{b.program("crashcheck")} },
	env:     func(_ *bench, set podSet, _ world.Access) []string { return []string{"HASH=" + set.Hash} },
	reports: func(pods int) []string { return []string{`"verdict":"pass"`, fmt.Sprintf(`"pods":%d,`, pods)} },
}

var kubectlRival = rival{
	name: kubectlName,
	// A pause of 10 ms would cost one more process.
	interval: func(interval time.Duration) string {
		if interval <= pause {
			return "0"
		}
		return fmt.Sprint(interval.Seconds())
	},
	argv: func(b *bench) []string { return []string{"bash", filepath.Join(b.folder, "programs", "kubectl-jq.sh")} },
	// kubectl keeps its discovery cache in HOME.
	env: func(b *bench, _ podSet, _ world.Access) []string {
		return []string{"KUBECTL=" + b.world.Kubectl, "HOME=" + b.world.Work}
	},
	reports: func(int) []string { return []string{`{ "Crashes": 0 }`} },
}

var typedRival = rival{
	name: typedName, resident: true, interval: time.Duration.String,
	argv:    func(b *bench) []string { return []string{b.program("typed")} },
	reports: func(pods int) []string { return []string{fmt.Sprintf(`"pods":%d}`, pods)} },
}

var floorRival = rival{
	name: floorName, resident: true, interval: time.Duration.String,
	argv: func(b *bench) []string { return []string{b.program("floor")} },
	env: func(_ *bench, _ podSet, access world.Access) []string {
		return []string{"SERVER=" + access.Server, "TOKEN=" + access.Token, "CA_FILE=" + access.CAFile}
	},
	reports: func(int) []string { return nil },
}

// rivals are all of them, the product first.
var rivals = []rival{crashcheckRival, kubectlRival, typedRival, floorRival}

// command runs the gate for a number of checks, or until limit crashes.
func (r rival) command(b *bench, set podSet, access world.Access, gate gateSettings) child.Command {
	env := []string{
		"KUBECONFIG=" + access.Kubeconfig, "NAMESPACE=" + set.ReplicaSet.Namespace,
		"COUNT=" + strconv.Itoa(gate.checks), "CRASH_LIMIT=" + strconv.Itoa(gate.limit), "INTERVAL=" + r.interval(gate.interval),
	}
	if r.name != crashcheckName { // for crashcheck, HASH says it
		env = append(env, "SELECTOR="+set.Selector())
	}
	if r.env != nil {
		env = append(env, r.env(b, set, access)...)
	}
	return child.Command{Launcher: b.program("launch"), Argv: r.argv(b), Env: env}
}

// checkReport makes sure that a gate has passed and has seen its pods: one that
// fails fast would win.
func (r rival) checkReport(pods int, stdout []byte) error {
	for _, text := range r.reports(pods) {
		if !bytes.Contains(stdout, []byte(text)) {
			return fmt.Errorf("the output of %s does not contain %s: %s", r.name, text, stdout)
		}
	}
	return nil
}

package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// rival is a program that is measured. All have the same variables.
type rival struct {
	name, program string
	// json says that the API server answers in JSON.
	json bool
	// report is in standard output if the gate has seen its pods, and no crash. PODS
	// stands for their number.
	report string
}

var (
	crashcheck     = rival{name: "crashcheck", program: "crashcheck", report: `"pods":PODS,`}
	crashcheckJSON = rival{name: "crashcheck, JSON", program: "crashcheck", json: true, report: `"pods":PODS,`}
	kubectlJQ      = rival{name: "kubectl | jq", program: "kubectl-jq.sh", report: `{ "Crashes": 0 }`}
	typed          = rival{name: "typed clientset", program: "typed", report: `"pods":PODS,`}
)

// gate is how a rival runs.
type gate struct {
	pods, checks int
	interval     time.Duration
	limit        int
}

// noLimit is a number of crashes that is never reached.
const noLimit = 1 << 30

// command runs a gate for a number of checks, or until its limit.
func (b *bench) command(r rival, g gate) child.Command {
	kubeconfig := b.world.Relayed
	if r.json {
		kubeconfig = b.world.JSON
	}
	return child.Command{
		Launcher: filepath.Join(b.temp, "launch"),
		Program:  filepath.Join(b.temp, r.program),
		Env: []string{
			"KUBECONFIG=" + kubeconfig,
			"NAMESPACE=" + namespace(g.pods),
			"HASH=" + world.Hash,
			"COUNT=" + strconv.Itoa(g.checks),
			"CRASH_LIMIT=" + strconv.Itoa(g.limit),
			fmt.Sprintf("INTERVAL=%gs", g.interval.Seconds()), // for sleep and Go alike
			"KUBECTL=" + b.world.Kubectl,
			"HOME=" + b.temp, // for kubectl's discovery cache
		},
	}
}

// checkReport makes sure that a gate has seen its pods: one that fails early
// would seem cheap.
func (r rival) checkReport(pods int, stdout []byte) error {
	want := strings.ReplaceAll(r.report, "PODS", strconv.Itoa(pods))
	if !bytes.Contains(stdout, []byte(want)) {
		return fmt.Errorf("the output of %s does not contain %s: %s", r.name, want, stdout)
	}
	return nil
}

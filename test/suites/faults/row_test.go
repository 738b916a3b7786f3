package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// A row is one fault and the expected result.
type row struct {
	fault    string
	settings []string // in addition to usual; later ones take precedence
	options  []simcluster.Option
	prepare  func(b *bench) // before the run; nil: nothing
	during   func(b *bench) // in parallel to the run; nil: nothing
	verdict  string         // on standard output; "": that is broken
	exit     int
	allowed  time.Duration   // 0: window + API_GRACE + 10 s
	requests [2]int          // least and most that may reach the server; zero: any number
	says     string          // a regular expression that the log has to match
	warnings int             // how many lines may say that a check failed; 0: one
	check    func(b *bench)  // further checks at the end; nil: none
	command  func() []string // starts the binary; nil: directly

	streams func(b *bench) (stdout, stderr io.Writer) // nil: both are read
}

// usual is a run of a second, with a grace of one.
var usual = []string{"HASH=abc", "INTERVAL=250ms", "DURATION=1s", "CRASH_LIMIT=3", "API_GRACE=1s"}

const (
	// slack is added to the time limit for slow machines.
	slack = 20 * time.Second
	// patience bounds each wait of a row.
	patience = 60 * time.Second

	namespace = "shop"
)

// bench is the environment of one row.
type bench struct {
	*testing.T
	dir        string
	server     *simcluster.Server
	kubeconfig *clientcmdapi.Config // written to a file when the run starts
	process    *exec.Cmd
	stdout     sharedBuffer
	stderr     sharedBuffer
	started    time.Time
	signalled  time.Time // zero: never
	ended      chan struct{}

	line   line
	result result
}

// line holds the fields of the line on standard output that rows check.
type line struct {
	Crashes           *int64
	Verdict           string  `json:"verdict"`
	Reason            string  `json:"reason"`
	Checks            int     `json:"checks"`
	Pods              int     `json:"pods"`
	FailedChecks      int     `json:"failedChecks"`
	ElapsedSeconds    float64 `json:"elapsedSeconds"`
	LongestGapSeconds float64 `json:"longestGapSeconds"`
}

// result is the content of a row in the table.
type result struct {
	verdict  string
	exit     int
	took     time.Duration
	allowed  time.Duration
	requests int
}

// sharedBuffer is a buffer for two goroutines.
type sharedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *sharedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(text)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// failedLine is a warning that a check failed.
var failedLine = regexp.MustCompile(`(?m)^\S+ WRN check failed`)

// newBench makes a healthy server with two healthy pods.
func newBench(t *testing.T, opts ...simcluster.Option) *bench {
	b := &bench{T: t, dir: t.TempDir(), server: simcluster.Start(opts...), ended: make(chan struct{})}
	t.Cleanup(b.server.Close)
	b.server.Deploy(simcluster.Release{Namespace: namespace, Hash: "abc", Replicas: 2, Age: time.Minute})
	b.pointAt(b.server.URL())
	return b
}

// pointAt makes a kubeconfig for an address.
func (b *bench) pointAt(url string) {
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: b.server.CA()}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u", Namespace: namespace}
	config.CurrentContext = "x"
	b.kubeconfig = config
}

func (b *bench) cluster() *clientcmdapi.Cluster { return b.kubeconfig.Clusters["c"] }
func (b *bench) user() *clientcmdapi.AuthInfo   { return b.kubeconfig.AuthInfos["u"] }

// file writes a file of the bench, atomically, and returns its path.
func (b *bench) file(name, content string) string {
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		b.Error(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.Error(err)
	}
	return path
}

// until waits for a condition. It returns false if the run ends before, or after patience.
func (b *bench) until(what string, holds func() bool) bool {
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-b.ended:
			b.Errorf("the run ended before %s", what)
			return false
		case <-deadline:
			b.Errorf("no %s within %v", what, patience)
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true
}

// untilRequests waits until the server has received this many requests.
func (b *bench) untilRequests(n int) bool {
	return b.until(fmt.Sprintf("request %d", n), func() bool { return len(b.server.Requests()) >= n })
}

// untilLogged waits until the log contains a text.
func (b *bench) untilLogged(text string) bool {
	return b.until(fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(b.stderr.String(), text) })
}

// signal sends a signal to the process.
func (b *bench) signal(s os.Signal) {
	if b.signalled.IsZero() {
		b.signalled = time.Now()
	}
	if err := b.process.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.Errorf("send %v: %v", s, err)
	}
}

// run runs the binary and checks the result.
func (b *bench) run(r row) {
	if r.prepare != nil {
		r.prepare(b)
	}
	path := filepath.Join(b.dir, "kubeconfig")
	if _, err := os.Stat(path); err != nil { // unless the row has made its own
		if err := clientcmd.WriteToFile(*b.kubeconfig, path); err != nil {
			b.Fatal(err)
		}
	}
	settings := append(append([]string{"KUBECONFIG=" + path}, usual...), r.settings...)
	command := []string{binary}
	if r.command != nil {
		command = r.command()
	}
	b.process = exec.Command(command[0], command[1:]...)
	b.process.Env = settings
	b.process.Stdout, b.process.Stderr = &b.stdout, &b.stderr
	if r.streams != nil {
		b.process.Stdout, b.process.Stderr = r.streams(b)
	}
	b.process.WaitDelay = patience
	b.started = time.Now()
	if err := b.process.Start(); err != nil {
		b.Fatal(err)
	}
	beside := make(chan struct{})
	go func() {
		defer close(beside)
		if r.during != nil {
			r.during(b)
		}
	}()
	b.result.allowed = b.allowed(r, settings)
	killed := time.AfterFunc(b.result.allowed+slack, func() { _ = b.process.Process.Kill() })
	err := b.process.Wait()
	if !killed.Stop() {
		b.Errorf("it hung and was killed")
	}
	ended := time.Now()
	close(b.ended)
	<-beside
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		b.Errorf("wait for it: %v", err)
	}
	b.result.took = ended.Sub(b.started)
	if !b.signalled.IsZero() {
		b.result.took = ended.Sub(b.signalled)
	}
	b.result.exit = b.process.ProcessState.ExitCode()
	b.result.requests = len(b.server.Requests())
	b.judge(r)
}

// allowed is the time limit of the run; after a signal, it counts from the signal.
func (b *bench) allowed(r row, settings []string) time.Duration {
	if r.allowed > 0 {
		return r.allowed
	}
	cfg, err := config.Parse(settings)
	if err != nil {
		b.Fatal(err)
	}
	window := cfg.Duration
	if cfg.Count > 0 {
		window = cfg.MaxDuration
	}
	return window + cfg.APIGrace + 10*time.Second
}

func (b *bench) judge(r row) {
	log := b.stderr.String()
	if b.result.exit != r.exit {
		b.Errorf("exit code %d, want %d", b.result.exit, r.exit)
	}
	if b.result.took > b.result.allowed+slack {
		b.Errorf("it took %v, the limit is %v", b.result.took, b.result.allowed)
	}
	b.result.verdict = r.verdict
	if r.verdict != "" {
		b.readLine()
		if b.result.verdict = b.line.Verdict; b.line.Verdict != r.verdict {
			b.Errorf("the verdict is %q, want %q", b.line.Verdict, r.verdict)
		}
		if took := b.line.ElapsedSeconds; r.allowed == 0 && took > b.result.allowed.Seconds() { // without slack: a second of it is for the report
			b.Errorf("it says that it took %v s, the limit is %v", took, b.result.allowed)
		}
	}
	if n := b.result.requests; n < r.requests[0] || r.requests[1] != 0 && n > max(r.requests[1], 0) {
		b.Errorf("%d requests, want %d to %d", n, r.requests[0], r.requests[1])
	}
	if !regexp.MustCompile(r.says).MatchString(log) {
		b.Errorf("the log does not match %q", r.says)
	}
	n, most := len(failedLine.FindAllString(log, -1)), max(r.warnings, 1)
	if n > most {
		b.Errorf("%d lines say that a check failed, want at most %d: one for each streak", n, most)
	}
	if n == 0 && b.line.FailedChecks > 1 && log != "" {
		b.Errorf("%d checks failed, and the log does not say so", b.line.FailedChecks)
	}
	if strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		b.Errorf("it panicked")
	}
	if r.check != nil {
		r.check(b)
	}
	if b.Failed() {
		b.Logf("standard output:\n%s\nstandard error:\n%s", b.stdout.String(), log)
	}
}

// readLine reads the one line on standard output.
func (b *bench) readLine() {
	out := b.stdout.String()
	if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\n") || !strings.HasPrefix(out, `{"Crashes":`) {
		b.Errorf("standard output is not one line that starts with Crashes: %q", out)
		return
	}
	if err := json.Unmarshal([]byte(out), &b.line); err != nil {
		b.Errorf("standard output: %v", err)
	}
}

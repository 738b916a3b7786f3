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
	inject   simcluster.Fault // into each request; nil: none
	prepare  func(b *bench)   // before the run; nil: nothing
	during   func(b *bench)   // in parallel to the run; nil: nothing
	streams  func(b *bench) (stdout, stderr io.Writer)

	verdict string
	exit    int            // 0: that of the verdict
	allowed time.Duration  // 0: window + API_GRACE + 10 s
	says    string         // a regular expression that the log has to match
	check   func(b *bench) // further checks at the end; nil: none

	result result
}

// usual is a run of a second, with a grace of one.
var usual = []string{"HASH=abc", "INTERVAL=250ms", "DURATION=1s", "CRASH_LIMIT=3", "API_GRACE=1s"}

var exitCodes = map[string]int{"pass": 0, "fail": 1, "invalid": 2, "inconclusive": 3, "interrupted": 143}

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
	signalled  time.Time // zero: never
	ended      chan struct{}

	// line holds the fields of the line on standard output that rows check.
	line struct {
		Crashes           *int64
		Verdict           string
		Checks            int
		FailedChecks      int
		ElapsedSeconds    float64
		LongestGapSeconds float64
	}
}

// result is the content of a row in the table.
type result struct {
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

// newBench makes a healthy server with two healthy pods.
func newBench(t *testing.T, opts ...simcluster.Option) *bench {
	b := &bench{T: t, dir: t.TempDir(), server: simcluster.Start(opts...), ended: make(chan struct{})}
	t.Cleanup(b.server.Close)
	b.server.Deploy(simcluster.Release{Namespace: namespace, Hash: "abc", Replicas: 2, Age: time.Minute})
	b.kubeconfig = b.server.Kubeconfig(namespace)
	return b
}

func (b *bench) cluster() *clientcmdapi.Cluster { return b.kubeconfig.Clusters[simcluster.ConfigName] }
func (b *bench) user() *clientcmdapi.AuthInfo   { return b.kubeconfig.AuthInfos[simcluster.ConfigName] }

// file writes a file of the bench, atomically, and returns its path.
func (b *bench) file(name, content string) string {
	path := filepath.Join(b.dir, name)
	if err := errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path)); err != nil {
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

// untilLogged waits until the log contains a text.
func (b *bench) untilLogged(text string) bool {
	return b.until(fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(b.stderr.String(), text) })
}

// logged does something once the log contains a text.
func logged(text string, then func(b *bench)) func(b *bench) {
	return func(b *bench) {
		if b.untilLogged(text) {
			then(b)
		}
	}
}

// found does something once the first check has found pods.
func found(then func(b *bench)) func(b *bench) { return logged(" found: ", then) }

// received does something once the server has received this many requests.
func received(n int, then func(b *bench)) func(b *bench) {
	return func(b *bench) {
		if b.until(fmt.Sprintf("request %d", n), func() bool { return len(b.server.Requests()) >= n }) {
			then(b)
		}
	}
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
func (b *bench) run(r *row) {
	if r.inject != nil {
		b.server.Handle(r.inject)
	}
	if r.prepare != nil {
		r.prepare(b)
	}
	path := filepath.Join(b.dir, "kubeconfig")
	if _, err := os.Stat(path); err != nil { // unless the row has made its own
		if err := clientcmd.WriteToFile(*b.kubeconfig, path); err != nil {
			b.Fatal(err)
		}
	}
	b.process = exec.Command(binary)
	b.process.Env = append(append([]string{"KUBECONFIG=" + path}, usual...), r.settings...)
	b.process.Stdout, b.process.Stderr = &b.stdout, &b.stderr
	if r.streams != nil {
		b.process.Stdout, b.process.Stderr = r.streams(b)
	}
	b.process.WaitDelay = patience
	allowed := r.limit(b)
	started := time.Now()
	if err := b.process.Start(); err != nil {
		b.Fatal(err)
	}
	var beside sync.WaitGroup
	beside.Go(func() {
		if r.during != nil {
			r.during(b)
		}
	})
	killed := time.AfterFunc(allowed+slack, func() { _ = b.process.Process.Kill() })
	err := b.process.Wait()
	if !killed.Stop() {
		b.Errorf("it hung and was killed")
	}
	ended := time.Now()
	close(b.ended)
	beside.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		b.Errorf("wait for it: %v", err)
	}
	if !b.signalled.IsZero() {
		started = b.signalled
	}
	r.result = result{b.process.ProcessState.ExitCode(), ended.Sub(started), allowed, len(b.server.Requests())}
	b.judge(r)
}

// limit is the time limit of the run; after a signal, it counts from the signal.
func (r *row) limit(b *bench) time.Duration {
	if r.allowed > 0 {
		return r.allowed
	}
	cfg, err := config.Parse(b.process.Env)
	if err != nil {
		b.Fatal(err)
	}
	window := cfg.Duration
	if cfg.Count > 0 {
		window = cfg.MaxDuration
	}
	return window + cfg.APIGrace + 10*time.Second
}

func (b *bench) judge(r *row) {
	log := b.stderr.String()
	want := r.exit
	if want == 0 {
		want = exitCodes[r.verdict]
	}
	if r.result.exit != want {
		b.Errorf("exit code %d, want %d", r.result.exit, want)
	}
	if r.result.took > r.result.allowed+slack {
		b.Errorf("it took %v, the limit is %v", r.result.took, r.result.allowed)
	}
	if b.process.Stdout == &b.stdout {
		b.readLine()
		if b.line.Verdict != r.verdict {
			b.Errorf("the verdict is %q, want %q", b.line.Verdict, r.verdict)
		}
	}
	if b.process.Stderr == &b.stderr && !regexp.MustCompile(r.says).MatchString(log) {
		b.Errorf("the log does not match %q", r.says)
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

// requests checks how many requests the server has received.
func requests(want int) func(*bench) {
	return func(b *bench) {
		if got := len(b.server.Requests()); got != want {
			b.Errorf("%d requests, want %d", got, want)
		}
	}
}

// crashes checks the number of crashes on standard output.
func crashes(want int64) func(*bench) {
	return func(b *bench) {
		if b.line.Crashes == nil || *b.line.Crashes != want {
			b.Errorf("the number of crashes is %v, want %d", b.line.Crashes, want)
		}
	}
}

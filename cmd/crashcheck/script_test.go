package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"crashcheck": func() { os.Exit(program{terminationLog: os.Getenv("TEST_TERMINATION_LOG")}.main()) },
	})
}

// TestScripts runs the program as its users do: as a process, with an environment, against an API server.
// The commands that the scripts have besides those of testscript:
//
//	simcluster [SPEED]       start a simulated API server whose time goes at this speed (0: it stands still), and set KUBECONFIG
//	deploy FIELD=VALUE...    add a release to it: name, hash, label, replicas, age; app, init and sidecar are lives, see
//	                         parseLife; workload=KIND gives it a workload, paused and aborted (=true) say what that is;
//	                         gone, observed, superseded, scaled and deleted are ages at which its pods or its workload change
//	advance DURATION REQUESTS
//	                         move its time forward once it has received this many requests
//	fault hang               let no request be answered from now on
//	fault CODE [PART]        let requests fail with this HTTP status (200: let responses be empty), or only those whose
//	                         URL contains the part
//	exit CODE CMD ARG...     run a command that has to end with this exit code
//	verdict VERDICT [FILE]   stdout (or the file) has to be the one line of JSON, with this verdict, and nothing else
//	interrupt SIGNAL CODE [TEXT]
//	                         run crashcheck and send it the signal once its log has the text (or pods were found);
//	                         it has to end with the code
//	terminal WIDTH SIGNAL CODE
//	                         the same with a terminal as standard error; what it was sent goes to the file tty, what
//	                         it shows in the end to the file screen
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TEST_TERMINATION_LOG", env.WorkDir+"/termination-log") // it counts only where a script makes it
			env.Setenv("TZ", "UTC")
			env.Values[serverKey{}] = new(*simcluster.Server)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"simcluster": startCluster, "deploy": deploy, "advance": advance, "fault": fault,
			"exit": exit, "verdict": verdict, "interrupt": interrupt, "terminal": terminal,
		},
	})
}

// serverKey is where a script keeps its *simcluster.Server, once it has one.
type serverKey struct{}

func clusterOf(ts *testscript.TestScript) *simcluster.Server {
	server := *ts.Value(serverKey{}).(**simcluster.Server)
	if server == nil {
		ts.Fatalf("no simcluster is started")
	}
	return server
}

// eventually is how long to wait for events that must happen. The results of tests do not depend on it.
const eventually = time.Minute

func startCluster(ts *testscript.TestScript, neg bool, args []string) {
	speed := 0.0
	if len(args) > 0 {
		var err error
		speed, err = strconv.ParseFloat(args[0], 64)
		ts.Check(err)
	}
	server := simcluster.Start(simcluster.WithTLS(), simcluster.WithToken("s3cr3t-token"), simcluster.WithSpeed(speed))
	ts.Defer(server.Close)
	kubeconfig := ts.MkAbs("kubeconfig")
	ts.Check(server.WriteKubeconfig(kubeconfig, "shop"))
	ts.Setenv("KUBECONFIG", kubeconfig)
	*ts.Value(serverKey{}).(**simcluster.Server) = server
}

func deploy(ts *testscript.TestScript, neg bool, args []string) {
	release := simcluster.Release{Namespace: "shop", Name: "web"}
	texts := map[string]*string{"name": &release.Name, "hash": &release.Hash, "label": &release.HashLabel, "workload": &release.Workload.Kind}
	flags := map[string]*bool{"paused": &release.Workload.Paused, "aborted": &release.Workload.Aborted}
	ages := map[string]*time.Duration{
		"age": &release.Age, "gone": &release.DeleteAfter, "observed": &release.Workload.ObservedAfter, "superseded": &release.Workload.SupersededAfter,
		"scaled": &release.Workload.ScaledToZeroAfter, "deleted": &release.Workload.DeletedAfter,
	}
	for _, arg := range args {
		field, value, _ := strings.Cut(arg, "=")
		var err error
		switch {
		case texts[field] != nil:
			*texts[field] = value
		case flags[field] != nil:
			*flags[field], err = strconv.ParseBool(value)
		case ages[field] != nil:
			*ages[field], err = time.ParseDuration(value)
		case field == "replicas":
			release.Replicas, err = strconv.Atoi(value)
		case field == "app":
			release.App, err = parseLife(ts, value)
		case field == "init", field == "sidecar":
			var life simcluster.Life
			life, err = parseLife(ts, value)
			if field == "init" {
				release.Init = &life
			} else {
				release.Sidecar = &life
			}
		default:
			err = errors.New("unknown field " + field)
		}
		ts.Check(err)
	}
	clusterOf(ts).Deploy(release)
}

// parseLife reads crash:AFTER:CODE[:REASON[:FILE]], where the file holds a termination message in Go's syntax of
// strings, or waits:REASON:MESSAGE.
func parseLife(ts *testscript.TestScript, text string) (simcluster.Life, error) {
	parts := strings.Split(text, ":")
	switch {
	case parts[0] == "waits" && len(parts) == 3:
		return simcluster.NeverStarts(parts[1], parts[2]), nil
	case parts[0] != "crash" || len(parts) < 3:
		return simcluster.Life{}, errors.New("unknown life " + text)
	}
	after, err := time.ParseDuration(parts[1])
	if err != nil {
		return simcluster.Life{}, err
	}
	code, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil {
		return simcluster.Life{}, err
	}
	life := simcluster.CrashLoop(after, int32(code))
	if len(parts) > 3 {
		life.Reason = parts[3]
	}
	if len(parts) > 4 {
		life.Message, err = strconv.Unquote(strings.TrimSpace(ts.ReadFile(parts[4])))
	}
	return life, err
}

func advance(ts *testscript.TestScript, neg bool, args []string) {
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	requests, err := strconv.Atoi(args[1])
	ts.Check(err)
	server := clusterOf(ts)
	for deadline := time.Now().Add(eventually); len(server.Requests()) < requests; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%d requests, want %d", len(server.Requests()), requests)
		}
	}
	server.Advance(by)
}

func fault(ts *testscript.TestScript, neg bool, args []string) {
	server := clusterOf(ts)
	if args[0] == "hang" {
		server.Handle(simcluster.Hang())
		return
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	fault := simcluster.Fail(code, 0)
	if code == http.StatusOK {
		fault = simcluster.Answer(code, "text/plain", "")
	}
	if len(args) > 1 {
		fault = simcluster.Only(args[1], fault)
	}
	server.Handle(fault)
}

func exit(ts *testscript.TestScript, neg bool, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended := (*exec.ExitError)(nil)
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func verdict(ts *testscript.TestScript, neg bool, args []string) {
	file := "stdout"
	if len(args) > 1 {
		file = args[1]
	}
	text := ts.ReadFile(file)
	line, isLine := strings.CutSuffix(text, "\n")
	var result struct {
		Crashes *int64
		Verdict string
		Reason  string
	}
	switch err := json.Unmarshal([]byte(line), &result); {
	case !isLine || strings.Contains(line, "\n"):
		ts.Fatalf("not one line: %q", text)
	case err != nil:
		ts.Fatalf("%v: %s", err, text)
	case !strings.HasPrefix(line, `{"Crashes":`):
		ts.Fatalf("the first key is not Crashes: %s", text)
	case report.Escape(line) != line:
		ts.Fatalf("not printable as it is: %q", text)
	case result.Verdict != args[0] || result.Reason == "":
		ts.Fatalf("verdict %q, reason %q, want %s", result.Verdict, result.Reason, args[0])
	}
}

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	sign := " found: "
	if len(args) > 2 {
		sign = args[2]
	}
	log := &recorder{enough: func(text string) bool { return strings.Contains(text, sign) }, seen: make(chan struct{})}
	command := gateCommand(ts)
	command.Stdout, command.Stderr = ts.Stdout(), io.MultiWriter(ts.Stderr(), log)
	ts.Check(command.Start())
	endBySignal(ts, command, log.seen, args[0], args[1])
}

func terminal(ts *testscript.TestScript, neg bool, args []string) {
	width, err := strconv.ParseUint(args[0], 10, 16)
	ts.Check(err)
	ours, theirs, err := pty.Open()
	ts.Check(err)
	defer ours.Close()
	ts.Check(pty.Setsize(theirs, &pty.Winsize{Cols: uint16(width), Rows: 24}))
	command := gateCommand(ts)
	command.Stdout, command.Stderr = ts.Stdout(), theirs
	ts.Check(command.Start())
	ts.Check(theirs.Close())

	// The log has been there, and after it two progress lines, each in the place of the one before.
	sent := &recorder{enough: func(text string) bool {
		_, text, ok := strings.Cut(text, " found: ")
		return ok && (strings.Count(text, eraseLine) > 2 || ts.Getenv("TERM") == "dumb")
	}, seen: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(sent, ours) // it ends with an error when the last one has closed the other side
		close(read)
	}()
	endBySignal(ts, command, sent.seen, args[1], args[2])
	<-read
	ts.Check(os.WriteFile(ts.MkAbs("tty"), sent.text.Bytes(), 0o600))
	var shown strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(sent.text.String(), "\r\n", "\n")) {
		if i := strings.LastIndex(line, eraseLine); i >= 0 {
			line = line[i+len(eraseLine):]
		}
		shown.WriteString(line)
	}
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(shown.String()), 0o600))
}

const eraseLine = "\r\x1b[2K"

// gateCommand is crashcheck with the environment of the script, not yet started.
func gateCommand(ts *testscript.TestScript) *exec.Cmd {
	command := exec.Command("crashcheck")
	command.Dir = ts.MkAbs(".")
	names := []string{"HOME", "KUBECONFIG", "TZ", "TERM", "NO_COLOR", "TEST_TERMINATION_LOG"}
	for _, variable := range config.Variables {
		names = append(names, variable.Name)
	}
	for _, name := range names {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	return command
}

// endBySignal signals a command once something has been seen, and checks its exit code.
func endBySignal(ts *testscript.TestScript, command *exec.Cmd, seen <-chan struct{}, signal, code string) {
	number := unix.SignalNum("SIG" + signal)
	if number == 0 {
		ts.Fatalf("unknown signal %s", signal)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	tooLong := time.AfterFunc(eventually, func() { _ = command.Process.Kill() })
	defer tooLong.Stop()
	select {
	case <-seen:
	case err := <-ended:
		ts.Fatalf("it ended by itself: %v", err)
	}
	ts.Check(command.Process.Signal(number))
	<-ended
	if got := command.ProcessState.ExitCode(); strconv.Itoa(got) != code {
		ts.Fatalf("exit code %d, want %s", got, code)
	}
}

// recorder keeps what is written to it, and closes seen once enough accepts the text.
type recorder struct {
	text   bytes.Buffer
	enough func(text string) bool
	seen   chan struct{}
	told   bool
}

func (r *recorder) Write(text []byte) (int, error) {
	r.text.Write(text)
	if !r.told && r.enough(r.text.String()) {
		r.told = true
		close(r.seen)
	}
	return len(text), nil
}

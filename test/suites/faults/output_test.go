package faults

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// redirected starts the binary with redirections of the shell.
func redirected(redirection string) func() []string {
	return func() []string { return []string{"/bin/sh", "-c", `exec "$0" ` + redirection, binary} }
}

// stuck is a full pipe that nobody reads.
func stuck(b *bench) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close(); w.Close() })
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 4096)); err != nil {
		b.Fatal(err)
	}
	return w
}

// brokenPipe is a pipe without a reader.
func brokenPipe(b *bench) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	r.Close()
	b.Cleanup(func() { w.Close() })
	return w
}

func outputRows() []row {
	loud := []string{"DEBUG=1", "INTERVAL=10ms"}
	out := func(fault string, r row) row {
		r.fault, r.settings = fault, loud
		return r
	}
	crashing := func(b *bench) { b.server.SetPods(restarted("a", 3)) }
	readsLog := func(stdout func(*bench) *os.File) func(*bench) (io.Writer, io.Writer) {
		return func(b *bench) (io.Writer, io.Writer) { return stdout(b), &b.stderr }
	}
	readsLine := func(stderr func(*bench) *os.File) func(*bench) (io.Writer, io.Writer) {
		return func(b *bench) (io.Writer, io.Writer) { return &b.stdout, stderr(b) }
	}
	both := func(file func(*bench) *os.File) func(*bench) (io.Writer, io.Writer) {
		return func(b *bench) (io.Writer, io.Writer) { return file(b), file(b) }
	}
	return []row{
		out("standard output closed", row{command: redirected(">&-"), exit: 0, says: "PASS"}),
		out("standard output closed, and the limit reached", row{command: redirected(">&-"), exit: 1, says: "FAIL", prepare: crashing}),
		out("standard output on a full disk", row{command: redirected(">/dev/full"), exit: 0, says: "PASS"}),
		out("standard output on a full disk, and the limit reached", row{command: redirected(">/dev/full"), exit: 1, says: "FAIL", prepare: crashing}),
		out("standard output a broken pipe", row{streams: readsLog(brokenPipe), exit: 0, says: "PASS"}),
		out("standard output a pipe that nobody reads", row{streams: readsLog(stuck), exit: 0, says: "PASS"}),
		out("standard error closed", row{command: redirected("2>&-"), verdict: "pass", exit: 0}),
		out("standard error on a full disk", row{command: redirected("2>/dev/full"), verdict: "pass", exit: 0}),
		out("standard error a broken pipe", row{streams: readsLine(brokenPipe), verdict: "pass", exit: 0}),
		out("standard error a pipe that nobody reads", row{streams: readsLine(stuck), verdict: "pass", exit: 0}),
		out("standard error a pipe that nobody reads, and the limit reached", row{streams: readsLine(stuck), verdict: "fail", exit: 1, prepare: crashing}),
		out("both closed", row{command: redirected(">&- 2>&-"), exit: 0}),
		out("both on a full disk, and the limit reached", row{command: redirected(">/dev/full 2>&1"), exit: 1, prepare: crashing}),
		out("both broken pipes", row{streams: both(brokenPipe), exit: 0}),
		out("both pipes that nobody reads", row{streams: both(stuck), exit: 0}),
		out("both pipes that nobody reads, and the limit reached", row{streams: both(stuck), exit: 1, prepare: crashing}),
		func() row {
			r := interrupted(hangs("SIGTERM, and both pipes that nobody reads", 1, syscall.SIGTERM), 143, "")
			r.verdict, r.streams = "", both(stuck)
			return r
		}(),
		func() row {
			r := rejects("{}, and standard error a pipe that nobody reads", 200, asJSON, `{}`, "")
			r.streams = readsLine(stuck)
			return r
		}(),
	}
}

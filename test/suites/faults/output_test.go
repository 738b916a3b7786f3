package faults

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// stuck is a full pipe that nobody reads.
func stuck(b *bench) io.Writer {
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
func brokenPipe(b *bench) io.Writer {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	r.Close()
	b.Cleanup(func() { w.Close() })
	return w
}

// fullDisk is a file on a disk without space.
func fullDisk(b *bench) io.Writer {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	return file
}

// The scripts of cmd/crashcheck close the streams.
func outputRows() []row {
	var rows []row
	for _, broken := range []struct {
		title  string
		stream func(*bench) io.Writer
	}{{"a full disk", fullDisk}, {"a broken pipe", brokenPipe}, {"a pipe that nobody reads", stuck}} {
		toStdout := func(b *bench) (io.Writer, io.Writer) { return broken.stream(b), &b.stderr }
		toStderr := func(b *bench) (io.Writer, io.Writer) { return &b.stdout, broken.stream(b) }
		toBoth := func(b *bench) (io.Writer, io.Writer) { return broken.stream(b), broken.stream(b) }
		crashing := func(b *bench) { b.server.SetPods(restarted("a", 3)) }
		interrupted := interrupted(hangs("both "+broken.title+", and SIGTERM", 1, syscall.SIGTERM), 143, "SIGTERM")
		interrupted.streams = toBoth
		for _, r := range []row{
			{fault: "standard output " + broken.title, streams: toStdout, verdict: "pass", says: "PASS"},
			{fault: "standard error " + broken.title, streams: toStderr, verdict: "pass"},
			{fault: "both " + broken.title, streams: toBoth, verdict: "pass"},
			{fault: "both " + broken.title + ", and the limit reached", streams: toBoth, verdict: "fail", prepare: crashing},
			{fault: "standard error " + broken.title + ", and {}", streams: toStderr, verdict: "inconclusive", inject: simcluster.Answer(200, asJSON, `{}`)},
			interrupted,
		} {
			r.settings = append(r.settings, "DEBUG=1", "INTERVAL=10ms")
			rows = append(rows, r)
		}
	}
	return rows
}

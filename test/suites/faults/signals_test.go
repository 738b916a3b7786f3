package faults

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// interrupted is a row whose run ends within a second of a signal.
func interrupted(r row, exit int, says string) row {
	r.verdict, r.exit, r.says, r.allowed = "interrupted", exit, says, time.Second
	r.settings = append([]string{"DURATION=1h", "API_GRACE=1h"}, r.settings...)
	return r
}

// hangs makes requests hang from the n-th on, and sends signals when that one has arrived.
func hangs(fault string, n int64, signals ...os.Signal) row {
	return row{
		fault: fault, prepare: broken(from(n, simcluster.Hang())),
		during: func(b *bench) {
			if b.untilRequests(int(n)) {
				for _, s := range signals {
					b.signal(s)
				}
			}
		},
		requests: exactly(int(n)),
	}
}

func signalRows() []row {
	const term, intr = "INTERRUPTED .*: ended by SIGTERM", "INTERRUPTED .*: ended by SIGINT"
	final := hangs("SIGTERM in the final check", 3, syscall.SIGTERM)
	final.settings = []string{"INTERVAL=1h", "DURATION=1s"}
	return []row{
		interrupted(beforeTheFirstCheck("SIGTERM before the first check", syscall.SIGTERM), 143, term),
		interrupted(beforeTheFirstCheck("SIGINT before the first check", syscall.SIGINT), 130, intr),
		interrupted(hangs("SIGTERM in the first request", 1, syscall.SIGTERM), 143, term),
		interrupted(hangs("SIGINT in the first request", 1, syscall.SIGINT), 130, intr),
		interrupted(hangs("SIGTERM in a later request", 4, syscall.SIGTERM), 143, term),
		interrupted(hangs("SIGTERM twice", 1, syscall.SIGTERM, syscall.SIGTERM), 143, term),
		interrupted(hangs("SIGINT twice", 1, syscall.SIGINT, syscall.SIGINT), 130, intr),
		interrupted(final, 143, term),
		interrupted(row{
			fault: "SIGTERM between checks", settings: []string{"INTERVAL=1h"},
			during: func(b *bench) {
				if b.untilLogged("found") {
					b.signal(syscall.SIGTERM)
				}
			},
		}, 143, term),
		interrupted(row{
			fault: "SIGTERM in back-off", prepare: status(-1, 503, time.Hour),
			during: func(b *bench) {
				if b.untilLogged("check failed") {
					b.signal(syscall.SIGTERM)
				}
			}, requests: exactly(1),
		}, 143, term),
		interrupted(row{
			fault: "SIGINT in back-off", prepare: status(-1, 503, time.Hour),
			during: func(b *bench) {
				if b.untilLogged("check failed") {
					b.signal(syscall.SIGINT)
				}
			}, requests: exactly(1),
		}, 130, intr),
		interrupted(row{
			fault: "SIGTERM before a connection is established", prepare: func(b *bench) { b.pointAt("http://" + blackhole(b.T)) },
			during: func(b *bench) {
				if b.untilLogged("watching pods") {
					b.signal(syscall.SIGTERM)
				}
			},
		}, 143, term),
	}
}

// beforeTheFirstCheck sends a signal while the program reads its kubeconfig, a named pipe to which nothing is written.
func beforeTheFirstCheck(fault string, signal os.Signal) row {
	var pipe string
	return row{
		fault: fault,
		prepare: func(b *bench) {
			pipe = filepath.Join(b.dir, "kubeconfig")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				b.Fatal(err)
			}
		},
		during: func(b *bench) {
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // it returns when the program has opened its end
			if err != nil {
				b.Error(err)
				return
			}
			defer w.Close()
			b.signal(signal)
			<-b.ended
		},
		requests: [2]int{0, -1},
	}
}

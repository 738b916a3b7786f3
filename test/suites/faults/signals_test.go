package faults

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// interrupted is a row whose run ends within a second of a signal.
func interrupted(r row, exit int, name string) row {
	r.verdict, r.exit, r.says, r.allowed = "interrupted", exit, "INTERRUPTED .*: ended by "+name, time.Second
	r.settings = append([]string{"DURATION=1h", "API_GRACE=1h"}, r.settings...)
	return r
}

// send sends signals.
func send(signals ...os.Signal) func(*bench) {
	return func(b *bench) {
		for _, s := range signals {
			b.signal(s)
		}
	}
}

// hangs makes requests hang from the n-th on, and sends signals when that one has arrived.
func hangs(fault string, n int, signals ...os.Signal) row {
	return row{
		fault: fault, inject: simcluster.From(int64(n), simcluster.Hang()), during: received(n, send(signals...)), check: requests(n),
	}
}

// beforeTheFirstCheck sends a signal while the program reads its kubeconfig, a named pipe to which nothing is written.
func beforeTheFirstCheck(fault string, signal os.Signal) row {
	return row{
		fault: fault,
		prepare: func(b *bench) {
			if err := syscall.Mkfifo(filepath.Join(b.dir, "kubeconfig"), 0o600); err != nil {
				b.Fatal(err)
			}
		},
		during: func(b *bench) {
			w, err := os.OpenFile(filepath.Join(b.dir, "kubeconfig"), os.O_WRONLY, 0) // it returns when the program has opened its end
			if err != nil {
				b.Error(err)
				return
			}
			defer w.Close()
			b.signal(signal)
			<-b.ended
		},
		check: requests(0),
	}
}

func signalRows() []row {
	final := hangs("SIGTERM in the final check", 3, syscall.SIGTERM)
	final.settings = []string{"INTERVAL=1h", "DURATION=1s"}
	return []row{
		interrupted(beforeTheFirstCheck("SIGTERM before the first check", syscall.SIGTERM), 143, "SIGTERM"),
		interrupted(hangs("SIGTERM in the first request", 1, syscall.SIGTERM), 143, "SIGTERM"),
		interrupted(hangs("SIGTERM in a later request", 4, syscall.SIGTERM), 143, "SIGTERM"),
		interrupted(hangs("SIGTERM twice", 1, syscall.SIGTERM, syscall.SIGTERM), 143, "SIGTERM"),
		interrupted(hangs("SIGINT twice", 1, syscall.SIGINT, syscall.SIGINT), 130, "SIGINT"),
		interrupted(final, 143, "SIGTERM"),
		interrupted(row{fault: "SIGTERM between checks", settings: []string{"INTERVAL=1h"},
			during: found(send(syscall.SIGTERM))}, 143, "SIGTERM"),
		interrupted(row{fault: "SIGTERM in back-off", inject: simcluster.Fail(503, time.Hour),
			during: logged("check failed", send(syscall.SIGTERM)), check: requests(1)}, 143, "SIGTERM"),
		interrupted(row{fault: "SIGTERM before a connection is established", prepare: func(b *bench) { b.cluster().Server = "http://" + blackhole(b.T) },
			during: logged("watching pods", send(syscall.SIGTERM))}, 143, "SIGTERM"),
	}
}

// Package faults is the fault suite: it holds crashcheck to its two promises, never to pass falsely and never to hang,
// on the worst days of an API server.
//
// Each row of its table is a fault: what breaks, with which settings, and the verdict, the exit code and the time that
// follow. The real binary runs as a process of its own against a simulated API server, with a TCP proxy in between where
// the network is what breaks. A row passes if verdict, exit code and time are as they should be, if standard output is
// one line of JSON, and if the log names the fault, once.
//
//	go test ./test/faults                                            # all rows
//	cd test/faults && go test -count=1 -run TestFaults -args -table   # and print them as a Markdown table
//	cd test/faults && go test -count=1 -run TestSoak -args -soak 30s   # hundreds of runs, faults at random
//
// The longest allowed time is worked out from the settings: window + API_GRACE + 10 s, or as the row says. Tests add
// slack to it for slow machines; the table shows the time that it took.
//
// Some faults are not here. Those of real servers (killed, stopped, etcd gone) are in test/e2e. The wall clock is not
// set: that would harm the machine; the runner reads the monotonic clock alone. HTTP/2 is not spoken by crashcheck, so
// that a dead connection of it cannot be met (a test of pkg/kube holds that). /var/run/secrets is not made: where rows
// need a token file or a CA file, a kubeconfig names it; the service account's own are tested in pkg/kube.
package faults

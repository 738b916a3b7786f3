// Package faults tests crashcheck's two guarantees, no false pass and no hang, under simulated faults of the API server,
// the network and the cluster.
//
// Each row of its table is a fault: what fails, with which settings, and the expected verdict, exit code and time limit. The
// real binary runs as a separate process against a simulated API server, with a TCP proxy in between for faults of the
// network. A row passes if verdict, exit code and time are as expected, if standard output is one line of JSON, and if the
// log names the fault, once.
//
//	cd test/suites/faults && go test -run TestFaults -args -table      # all rows, printed as a Markdown table
//	cd test/suites/faults && go test -run TestSoak -v -args -soak 30s  # hundreds of runs with random faults
//
// The time limit follows from the settings: window + API_GRACE + 10 s, or as the row says. Tests add slack for slow
// machines; the table shows the time that the run took.
//
// Some faults are not simulated here. test/e2e kills and stops real servers. The tests of pkg/kube cover the service
// account's own token and CA files; rows name such files in a kubeconfig. The wall clock is not changed: that would affect
// the whole machine, and the runner uses only the monotonic clock.
package faults

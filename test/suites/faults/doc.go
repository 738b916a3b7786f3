// Package faults tests crashcheck's two guarantees, no false pass and no hang, under simulated faults of the API server,
// the network and the cluster.
//
// Each row of its table is a fault: what fails, with which settings, and the expected verdict and time limit. The real binary
// runs as a separate process against a simulated API server. A row passes if verdict, exit code and time are as expected, if
// standard output is one line of JSON, and if the log names the fault.
//
//	cd test/suites/faults && go test -run TestFaults -args -table      # all rows, printed as a Markdown table
//	cd test/suites/faults && go test -run TestSoak -v -args -soak 30s  # hundreds of runs with random faults
//
// The time limit follows from the settings: window + API_GRACE + 10 s, or as the row says. Tests add slack for slow
// machines; the table shows the time that the run took.
//
// The rows show that the binary handles each kind of fault. The tests of pkg/kube show which responses are errors, those of
// pkg/runner when a run ends and how. test/e2e kills and stops real servers.
package faults

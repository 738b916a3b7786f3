// Package simcluster is a simulated Kubernetes API server, in process, whose pods crash the way real pods do.
//
// The demo and the tests talk to it over real HTTP on the loopback interface, so that everything between a client and the
// network takes part: content negotiation, TLS, tokens, connections that no longer work.
//
// A [Server] serves the pods of releases, of recorded traces, and fixed ones. A [Release] is what a ReplicaSet would run:
// replicas of one pod template under one hash. A [Life] says what each of its containers does: stay up, crash and be
// restarted under the kubelet's back-off, or never start. A Release may have a [Workload] that releases it. A [Trace] is a
// recorded stream of pod events from a real kubelet, replayed.
//
// Simulated time is the time since Start on the server's clock. The clock runs at a speed (WithSpeed) and can be moved
// forward (Advance). A Release or a Trace has its own time, which begins when the server is given it. Its pods are a pure
// function of that time.
//
// A [Fault] answers in the server's place. Stop and Restart make an outage of the server itself.
//
// Watches, field selectors, paging and writes are not simulated, nor is any resource except those above and logs. A request
// for one of them gets an error. Controllers are not simulated either: a Workload and its Release's pods do not affect each
// other.
package simcluster

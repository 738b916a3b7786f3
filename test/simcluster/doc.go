// Package simcluster is a simulated Kubernetes API server, in process, whose pods crash the way real pods do.
//
// The demo, the tests of faults and the benchmarks talk to it over real HTTP on the loopback interface, so that
// everything between a client and the wire takes part: paging, content negotiation, TLS, tokens, dead connections.
//
// # Vocabulary
//
// A Server serves the pods of its workloads. A workload is a Release, a recorded Trace or a fixed set of pods.
//
// A Release is what a ReplicaSet would run: replicas of one pod template under one hash. What each of its
// containers does is a Life: to stay up, to crash and be restarted under the kubelet's back-off, to never start.
//
// A Trace is a recorded stream of pod events from a real kubelet, replayed.
//
// Simulated time is the time since Start on the server's clock. The clock runs at a speed (WithSpeed) and can be
// moved by hand (Advance). A workload lives in its own time, which begins when the server is given it. Pods are a
// pure function of that time: Release.Pods and Trace.Pods can be tested without a server and without waiting.
//
// A snapshot is what a list sees: all pods of a namespace at one instant. All pages of a list come from one
// snapshot, which its resourceVersion names: simulated milliseconds, plus one.
//
// A fault is a Middleware that answers in the server's place. An outage is the server's own: GoAway, ComeBack.
//
// # What is not simulated
//
// Watches, field selectors, writes and every resource but pods and their logs. A request for one of them gets an
// error, never a silent approximation.
package simcluster

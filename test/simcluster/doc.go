// Package simcluster is a simulated Kubernetes API server, in process, whose pods crash the way real pods do.
//
// The demo and the tests talk to it over real HTTP on the loopback interface, so that everything between a client and the
// network takes part: content negotiation, compression, TLS, tokens, connections that no longer work.
//
// # Vocabulary
//
// A Server serves the pods of its sources. A source is a Release, a recorded Trace or a fixed set of pods.
//
// A Release is what a ReplicaSet would run: replicas of one pod template under one hash. A Life says what each of its
// containers does: stay up, crash and be restarted under the kubelet's back-off, or never start. The pods can also be
// deleted, replaced or evicted, or lose their node, at a given age.
//
// A Release may have a Workload: the Deployment, StatefulSet, DaemonSet or Rollout that releases it. The server derives the
// workload's object and its ReplicaSets or ControllerRevisions from the Release. Rollouts exist as a resource once there is one.
//
// A Trace is a recorded stream of pod events from a real kubelet, replayed.
//
// Simulated time is the time since Start on the server's clock. The clock runs at a speed (WithSpeed) and can be
// moved forward (Advance). A source has its own time, which begins when the server is given it. Pods are a
// pure function of that time: tests of Release.Pods and Trace.Pods need neither a server nor waiting.
//
// A fault is a Middleware that answers in the server's place. Stop and Restart make an outage of the server itself.
//
// # What is not simulated
//
// Watches, field selectors, paging, writes and every resource except those above and logs. A request for one of them gets
// an error, never a silent approximation. Controllers, too: a Workload and its Release's pods do not affect each other.
package simcluster

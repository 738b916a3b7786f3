// Package checker counts the container crashes of the pods that a label selector matches.
//
// # Vocabulary
//
//   - A crash is a container termination after which the kubelet restarts, or should restart, the container.
//   - A pending crash is one that restartCount does not include yet. The kubelet adds a termination to restartCount only
//     when the next container starts, which back-off delays by up to 5 minutes.
//   - A discount is a termination in restartCount that is known not to be a crash.
//   - The [Ledger] keeps the crashes of each container of each pod, by pod UID. Its total never falls.
//   - A check reads one list of pods and enters it in the ledger, completely or not at all. Its result is a [Tally].
//   - A pod has run once each of its main containers has started at least once.
//
// # Guarantees
//
//   - A check that returns no error has seen every matching pod, in one consistent list.
//   - Crashes stay counted when a pod is deleted or replaced, and when its restartCount is reset.
//   - No check uses an empty selector.
//
// The ledger is pure arithmetic over [corev1.Pod] values. It can be used without a [Checker].
package checker

// Package checker counts the crashes of the pods that a label selector matches.
//
// # Vocabulary
//
//   - A crash is the end of a container that the kubelet restarts, or ought to.
//   - A pending crash is one that restartCount does not hold yet: the kubelet adds an end to restartCount only when the
//     next container starts, which back-off delays by up to minutes.
//   - The [Ledger] keeps the crashes of each container of each pod, by pod UID. Its total never falls.
//   - A check reads every page of one pod list and enters it in the ledger, whole or not at all. Its result is a [Tally].
//
// # Promises
//
//   - A check that returns no error has seen every matching pod, in one consistent list.
//   - Nothing that was counted is forgotten when a pod is deleted, replaced or reset.
//   - No check is made with an empty selector.
//
// The ledger is pure arithmetic over [Pod] values, apart from the fetching; both can be used alone.
package checker

// Package runner makes checks on a schedule, within a window of time, and reaches a verdict.
//
// # Vocabulary
//
//   - The window is the time for which the pods are watched over. It ends by time (Duration, MaxDuration) or with the
//     last of Count checks.
//   - The closing check is the one that ends the window: the Count-th, or one begun at the window's end.
//   - A streak of failures begins at the start of its first failed attempt, and ends with a success.
//   - The grace (APIGrace) is how long a streak may last before the run gives up.
//   - The [Outcome] is all there is to say at the end; its [Verdict] is the answer.
//
// # Promises
//
//   - A pass needs a closing check that succeeded. What could not be observed is not vouched for.
//   - A run ends within its window + APIGrace + 10 s. One of Count checks without MaxDuration has no window: it ends
//     within Count × (Interval + APIGrace + 10 s).
//   - When the context ends, the request in flight is cancelled and the run ends at once, never with a pass that it had
//     not reached before.
//
// Time is monotonic: a wall clock that is set changes nothing.
package runner

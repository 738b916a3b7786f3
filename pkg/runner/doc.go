// Package runner makes checks on a schedule, within a window of time, and reaches a verdict.
//
// # Vocabulary
//
//   - The window is the time during which the pods are watched. It ends by time (Duration, MaxDuration) or with the last of
//     Count checks.
//   - The final check is the one that ends the window: the Count-th, or one that begins at the window's end or later.
//   - A streak of failures begins at the start of its first failed attempt, and ends with a success.
//   - The grace (APIGrace) is how long a streak may last before the run gives up.
//   - The [Outcome] has all facts about a run. Its [Verdict] decides the exit code, its [Cause] says why there is no other
//     verdict. Package report turns it into sentences.
//
// # Guarantees
//
//   - A pass requires a final check that succeeded and that found pods of the release running and observed.
//   - A run ends within its window + APIGrace + 10 s. A run of Count checks without MaxDuration has no window: it ends
//     within Count × (Interval + APIGrace + 10 s).
//   - When the context ends, the run cancels the request in flight and ends at once. It never passes then, unless it had
//     already reached that verdict.
//
// Times are monotonic: setting the wall clock changes nothing.
package runner

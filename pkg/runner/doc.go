// Package runner makes checks on a schedule, within a window of time, and reaches a verdict.
//
// # Vocabulary
//
//   - The window is the time during which the pods are watched. It ends by time (Duration, MaxDuration) or with the last of
//     Count checks.
//   - The final check is the check that ends the window: the last of Count checks, or one that begins at the window's end or
//     later.
//   - A streak of failures begins at the start of its first failed attempt, and ends with a success.
//   - The grace (APIGrace) is how long a streak may last before the run gives up.
//   - The [Outcome] has all facts about a run. Its [Verdict] determines the exit code. Its [Cause] says why the verdict is
//     [Inconclusive] or [NotReady]. Package report turns the outcome into sentences.
//
// # Guarantees
//
//   - A pass requires a successful final check that found pods of the release that have run and whose nodes report.
//   - A run ends within its window + APIGrace + 10 s. A run of Count checks without MaxDuration has no fixed window: it ends
//     within Count × (Interval + APIGrace + 10 s).
//   - When the context ends, the run cancels the request in flight and ends immediately. It does not pass then, unless it
//     has already reached that verdict.
//
// Times are monotonic: changes of the wall clock have no effect.
package runner

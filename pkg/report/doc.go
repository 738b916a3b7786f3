// Package report describes a run, for people and for programs. It derives every sentence from the facts of a
// [runner.Outcome] and of the run's events.
//
//   - [Code] maps a verdict to the exit code. [ExitCodes] documents the exit codes.
//   - [Reason] returns the sentence that explains the verdict.
//   - [JSONLine] is the line on standard output, for programs.
//   - [Log] is the log on standard error: text or JSON.
//   - [Progress] is the line that is redrawn on a terminal.
//   - [TerminationMessage] is the text that kubectl describe pod shows.
//
// # Guarantees
//
//   - Text from the cluster is printed with control characters escaped. It cannot forge a log line or a terminal sequence.
//   - An output that fails, or that nobody reads, does not fail or block the run, see [Detached].
//
// # The JSON log
//
// Each line is a JSON object of log/slog: time, level, msg (the sentence of the text log), and for some lines event and
// keys that depend on it:
//
//	start                   version, namespace, workload (null: none), selector, limit
//	podsAppeared, podsGone  pods (how many there are now)
//	crash                   crashes (so far, of all containers), limit, crashed (as in containers of [JSONLine])
//	podFailed               pod, reason, message
//	cannotStart             pod, container (null: the whole pod), reason, message
//	notObserved             pod, node (which has stopped reporting)
//	checkFailed             error
//	checksRecovered
//	logLines                pod, container, log
//	configurationError
//	verdict                 verdict, exitCode, crashes, limit; always the last line
package report

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
// Each line is a JSON object of log/slog: time, level, msg (the sentence of the text log), event, and keys that depend on
// the event:
//
//	start               version, namespace, workload (null: none), selector, intervalSeconds, expectedSeconds, latestSeconds, limit
//	versionPending      reason (why the version of the workload is not known yet)
//	versionFound        version, selector
//	versionSource       source (how the version was found); only with DEBUG
//	podsAppeared        names (at most 20), pods (how many there are now)
//	podsGone            names (at most 20), pods
//	noPods
//	crash               crashes (so far, of all containers), limit, crashed
//	podFailed           pod, reason, message
//	cannotStart         pod, container (null: the whole pod), reason, message
//	notObserved         pod, node (which has stopped reporting)
//	omitted             lines (number of lines that were omitted because a check had too many of one kind)
//	checkFailed         error, failures (in a row), retrySeconds, giveUpSeconds
//	checksRecovered     failures, unobservedSeconds
//	check               check (its number), pods, ran, crashes, notReady, cannotStart, tookSeconds, final; only with DEBUG
//	logLines            pod, container, log
//	crashedContainer    crashed
//	summary             checks, failedChecks, pods, elapsedSeconds, longestGapSeconds
//	configurationError
//	verdict             verdict, exitCode, crashes, limit; always the last line
//	warning, advice, info, debug
//
// crashed is an object with the same keys as those in containers of [JSONLine].
package report

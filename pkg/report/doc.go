// Package report tells people and programs how a run goes and how it ended.
//
//   - [ExitCodes] maps each verdict to the exit code, which is the answer for the Job controller and for pipelines.
//   - [JSONLine] is the one line on standard output, for programs.
//   - [Log] is what people read on standard error: text or JSON.
//   - [TerminationMessage] is what kubectl describe pod shows.
//   - [Progress] is the line that a terminal shows meanwhile.
//
// # Promises
//
//   - Text that comes from the cluster is printed with control characters escaped: it can forge neither a line of the
//     log nor a terminal sequence.
//   - Output that is broken or stuck changes no verdict and delays the end of a run by seconds at most (less than one, if it was interrupted), see [Detached].
//
// # The log as JSON
//
// Each line is one object of log/slog: time, level, msg (the sentence that the text log shows) and event, which tells
// what the line is about. Events, and the keys that each may have besides:
//
//	start             version, namespace, selector, intervalSeconds, expectedSeconds, latestSeconds, limit
//	podsAppeared      appeared (names, at most 20), pods (how many there are now)
//	podsGone          gone (names, at most 20), pods
//	noPods            pods
//	crash             crashes (so far, of all containers), limit, pod, container, kind, containerCrashes, exitCode,
//	                  signal, reason, message, finishedAt
//	moreCrashes       crashes, limit, containers (how many more crashed at this check)
//	cannotStart       pod, container, reason, message
//	moreCannotStart   containers
//	checkFailed       error, failures (in a row), retrySeconds, giveUpSeconds
//	checksRecovered   failures, unobservedSeconds
//	check             check (its number), pods, crashes, notReady, tookSeconds, closing; only with DEBUG
//	lastWords         pod, container, log
//	crashedContainer  pod, container, kind, containerCrashes, exitCode, signal, reason, message, finishedAt
//	summary           checks, failedChecks, pods, elapsedSeconds, longestGapSeconds
//	verdict           verdict, exitCode, crashes, limit; always the last line
//	linesLost         lines
//	fault, warning, advice, info, debug
//
// Names and meanings of events and keys do not change; new ones may come. What is unknown is left out.
package report

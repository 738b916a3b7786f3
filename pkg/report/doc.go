// Package report tells people and programs how a run goes and how it ended.
//
//   - [ExitCodes] maps each verdict to the exit code, which is the answer for the Job controller and for pipelines.
//   - [JSONLine] is the one line on standard output, for programs.
//   - [Log] is what people read on standard error: text or JSON.
//   - [TerminationMessage] is what kubectl describe pod shows.
//
// # Promises
//
//   - Text that comes from the cluster is printed with control characters escaped: it can forge neither a line of the
//     log nor a terminal sequence.
//   - Output that is broken or stuck changes no verdict and delays no run, see [Detached].
package report

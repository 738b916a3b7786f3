package report

import (
	"fmt"
	"strings"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Result is an outcome together with what the program knows about the run.
type Result struct {
	runner.Outcome
	Namespace string // empty: unknown
	Workload  string // such as deployment/shop; empty: none

	// Errors are those of an invalid configuration, one sentence each. [Outcome.Err] may hold another error.
	Errors []string
}

// reason is the sentence of the verdict, or all configuration errors.
func (r Result) reason() string {
	if len(r.Errors) > 0 {
		return strings.Join(r.Errors, "; ")
	}
	return Reason(r.Outcome)
}

// shortReason is the reason, or only the number of configuration errors where each of them has its own line.
func (r Result) shortReason() string {
	if len(r.Errors) > 1 {
		return fmt.Sprintf("%d configuration errors; crashcheck --help explains the variables", len(r.Errors))
	}
	return r.reason()
}

// limit is the crash limit. nil: unknown.
func (r Result) limit() *int64 { return known(max(r.Plan.CrashLimit, 0)) }

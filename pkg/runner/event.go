package runner

import (
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Event is something that happens during a run: [Checked] or [CheckFailed].
type Event interface{ event() }

// Checked is a check that succeeded.
type Checked struct {
	Number  int64 // of the successful checks, from 1
	Tally   checker.Tally
	Elapsed time.Duration // since the start of the run
	Took    time.Duration
	Closing bool

	// Failures and Unobserved are the attempts that failed just before, and the time since the check before them (or the start of the run).
	Failures   int64
	Unobserved time.Duration
}

// CheckFailed is an attempt that failed.
type CheckFailed struct {
	Err      error
	Failures int64         // in a row, this one included
	Elapsed  time.Duration // since the start of the run
	RetryIn  time.Duration // until the next attempt; 0 if Final
	GiveUpIn time.Duration // until the run gives up, if nothing changes; 0 if Final
	Final    bool          // the run ends here
}

func (Checked) event()     {}
func (CheckFailed) event() {}

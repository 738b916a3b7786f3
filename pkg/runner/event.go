package runner

import (
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Event is what happens during a run: [Checked] or [CheckFailed].
type Event interface{ event() }

// Checked is a check that succeeded.
type Checked struct {
	Number  int64 // of the successful checks, from 1
	Tally   checker.Tally
	Elapsed time.Duration // since the start of the run
	Took    time.Duration

	// Failures is the number of attempts that failed just before, Unobserved the time since the last successful check
	// before them, or since the start of the run. Both are 0 if none failed.
	Failures   int64
	Unobserved time.Duration
}

// CheckFailed is an attempt that failed.
type CheckFailed struct {
	Err      error
	Elapsed  time.Duration // since the start of the run
	GiveUpIn time.Duration // until the run gives up if every attempt fails; 0 if GaveUp
	GaveUp   bool          // the run ends here
}

func (Checked) event()     {}
func (CheckFailed) event() {}

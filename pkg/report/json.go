package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Result is an outcome together with what it was about.
type Result struct {
	runner.Outcome
	Namespace string // empty: unknown
	Limit     int64  // CRASH_LIMIT; 0: unknown

	// Faults are those of a configuration, a sentence each, if that is why the verdict is Invalid.
	Faults []string
}

// mostContainers is the number of crashed containers in the JSON line.
const mostContainers = 20

// longestReasonText is in bytes; most reasons are a tenth of it.
const longestReasonText = 4000

// jsonLine is the line on standard output. Crashes comes first, as in the container that crashcheck replaces.
// A nil pointer is an unknown value.
type jsonLine struct {
	Crashes           int64           `json:"Crashes"`
	Verdict           runner.Verdict  `json:"verdict"`
	Reason            string          `json:"reason"`
	Limit             *int64          `json:"limit"`
	Checks            int64           `json:"checks"`
	FailedChecks      int64           `json:"failedChecks"`
	Pods              int             `json:"pods"`
	Namespace         *string         `json:"namespace"`
	Selector          *string         `json:"selector"`
	ElapsedSeconds    float64         `json:"elapsedSeconds"`
	LongestGapSeconds float64         `json:"longestGapSeconds"`
	Containers        []jsonContainer `json:"containers"`
}

type jsonContainer struct {
	Pod        string       `json:"pod"`
	Container  string       `json:"container"`
	Kind       checker.Kind `json:"kind"`
	Crashes    int64        `json:"crashes"`
	ExitCode   *int32       `json:"exitCode"`
	Signal     *int32       `json:"signal"`
	Reason     *string      `json:"reason"`
	Message    *string      `json:"message"`
	FinishedAt *time.Time   `json:"finishedAt"`
}

// JSONLine returns the result as one line of JSON, with its line end. Whatever the result holds, it is valid JSON.
func JSONLine(r Result) []byte {
	line := jsonLine{
		Crashes: r.Crashes, Verdict: r.Verdict, Reason: cut(r.Reason, longestReasonText), Limit: known(r.Limit),
		Checks: r.Checks, FailedChecks: r.FailedChecks, Pods: r.Pods,
		Namespace: known(r.Namespace), Selector: known(r.Selector),
		ElapsedSeconds: seconds(r.Elapsed), LongestGapSeconds: seconds(r.LongestGap),
		Containers: []jsonContainer{},
	}
	for _, c := range r.Containers[:min(len(r.Containers), mostContainers)] {
		out := jsonContainer{Pod: c.Pod, Container: c.Container, Kind: c.Kind, Crashes: c.Crashes}
		if end := c.End; end != nil {
			out.ExitCode = &end.ExitCode
			out.Signal, out.Reason, out.Message = known(end.Signal), known(end.Reason), known(strings.TrimSpace(end.Message))
			if !end.FinishedAt.IsZero() {
				out.FinishedAt = &end.FinishedAt
			}
		}
		line.Containers = append(line.Containers, out)
	}
	text := encodeLine(line)
	for len(text) > longestLine && len(line.Containers) > 0 {
		line.Containers = line.Containers[:len(line.Containers)-1]
		text = encodeLine(line)
	}
	return text
}

// longestLine is in bytes: what a pipe holds without being read. A line beyond it could be cut off.
const longestLine = 60_000

func encodeLine(line jsonLine) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		// Only a time that JSON cannot hold gets here (a year of five digits). The verdict must not be lost for it.
		for i := range line.Containers {
			line.Containers[i].FinishedAt = nil
		}
		b.Reset()
		_ = encoder.Encode(line)
	}
	return append(escapeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), '\n')
}

// known returns nil for the value that stands for an unknown one.
func known[T comparable](value T) *T {
	if zero := *new(T); value == zero {
		return nil
	}
	return &value
}

// seconds has a resolution of milliseconds.
func seconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1000) / 1000
}

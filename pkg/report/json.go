package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// jsonLine is the line on standard output. Crashes comes first, as in the container that crashcheck replaces. A nil pointer
// is an unknown value.
type jsonLine struct {
	Crashes           int64
	Verdict           runner.Verdict  `json:"verdict"`
	Reason            string          `json:"reason"`
	Limit             *int64          `json:"limit"`
	Checks            int64           `json:"checks"`
	FailedChecks      int64           `json:"failedChecks"`
	Pods              int             `json:"pods"`
	Namespace         *string         `json:"namespace"`
	Workload          *string         `json:"workload"`
	Selector          *string         `json:"selector"`
	ElapsedSeconds    float64         `json:"elapsedSeconds"`
	LongestGapSeconds float64         `json:"longestGapSeconds"`
	Containers        []jsonContainer `json:"containers"`
}

// jsonContainer is a crashed container, in the line and in the JSON log.
type jsonContainer struct {
	Pod        string       `json:"pod"`
	Container  *string      `json:"container"`
	Kind       checker.Kind `json:"kind"`
	Crashes    int64        `json:"crashes"`
	ExitCode   *int32       `json:"exitCode"`
	Signal     *int32       `json:"signal"`
	Reason     *string      `json:"reason"`
	Message    *string      `json:"message"`
	FinishedAt *time.Time   `json:"finishedAt"`
}

func newJSONContainer(c checker.ContainerCrashes) jsonContainer {
	out := jsonContainer{Pod: c.Pod, Container: known(c.Container), Kind: c.Kind, Crashes: c.Crashes}
	if t := c.Termination; t != nil {
		if c.Kind != checker.Pod {
			out.ExitCode = &t.ExitCode
		}
		out.Signal, out.Reason, out.Message = known(t.Signal), known(t.Reason), known(strings.TrimSpace(t.Message))
		if t.FinishedAt.Year() <= 9999 { // JSON cannot hold later times
			out.FinishedAt = known(t.FinishedAt)
		}
	}
	return out
}

const (
	// maxContainers is the number of crashed containers in the line.
	maxContainers = 20
	// maxReason and maxLine are in bytes. A pipe holds 64 KiB that nobody reads: a longer line could be truncated.
	maxReason, maxLine = 4000, 60_000
)

// JSONLine returns the result as one line of valid JSON, with its line end.
func JSONLine(r Result) []byte {
	line := jsonLine{
		Crashes: r.Crashes, Verdict: r.Verdict, Reason: cut(r.reason(), maxReason), Limit: r.limit(),
		Checks: r.Checks, FailedChecks: r.FailedChecks, Pods: r.Pods,
		Namespace: known(r.Namespace), Workload: known(r.Workload), Selector: known(r.Selector),
		ElapsedSeconds:    r.Elapsed.Round(time.Millisecond).Seconds(),
		LongestGapSeconds: r.LongestGap.Round(time.Millisecond).Seconds(),

		Containers: []jsonContainer{},
	}
	if r.Workload != "" {
		line.Selector = &r.Selector // empty until the version is known
	}
	for _, c := range r.Containers[:min(len(r.Containers), maxContainers)] {
		line.Containers = append(line.Containers, newJSONContainer(c))
	}
	text := line.encode()
	for len(text) > maxLine && len(line.Containers) > 0 {
		line.Containers = line.Containers[:len(line.Containers)-1]
		text = line.encode()
	}
	return text
}

func (l jsonLine) encode() []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(l) // this cannot fail
	return append(escapeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), '\n')
}

// known returns nil for the value that means unknown.
func known[T comparable](value T) *T {
	if value == *new(T) {
		return nil
	}
	return &value
}

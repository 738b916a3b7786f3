// Package metrics reads what the API server counts about itself.
package metrics

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Sum adds up a counter's series that have all these labels, given as
// name="value". The text is in Prometheus' exposition format.
func Sum(text []byte, counter string, labels ...string) (float64, error) {
	sum := 0.0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
series:
	for lines.Scan() {
		rest, found := strings.CutPrefix(lines.Text(), counter+"{")
		if !found {
			continue
		}
		end := strings.LastIndex(rest, "} ")
		if end < 0 {
			return 0, fmt.Errorf("read the line %q: it has no value", lines.Text())
		}
		has := "," + rest[:end] + ","
		for _, label := range labels {
			if !strings.Contains(has, ","+label+",") {
				continue series
			}
		}
		value, err := strconv.ParseFloat(rest[end+2:], 64)
		if err != nil {
			return 0, fmt.Errorf("read the line %q: %w", lines.Text(), err)
		}
		sum += value
	}
	return sum, lines.Err()
}

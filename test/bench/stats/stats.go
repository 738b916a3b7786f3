// Package stats has the arithmetic of the suite.
package stats

import (
	"cmp"
	"slices"
)

// Number is anything that can be averaged.
type Number interface {
	~int | ~int64 | ~float64
}

// Median is the value in the middle, or the mean of the two there. Of nothing
// it is 0.
func Median[N Number](values []N) N { return Quantile(values, 0.5) }

// Quantile is the value below which this part of the values lies, on a line
// between the two nearest ones.
func Quantile[N Number](values []N, part float64) N {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	at := part * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	rest := at - float64(below)
	return sorted[below] + N(rest*float64(sorted[below+1]-sorted[below]))
}

// Each is what one of the later checks costs, in a program whose run of n
// checks costs many and whose run of one check costs one: its start is left
// out. Noise cannot make it negative.
func Each[N Number](many, one N, n int) float64 {
	if n < 2 {
		return float64(one)
	}
	return max(0, float64(many-one)/float64(n-1))
}

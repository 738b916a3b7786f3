// Package stats has the arithmetic of the suite.
package stats

import (
	"cmp"
	"math"
	"slices"
)

// Number is anything that can be averaged.
type Number interface {
	~int | ~int64 | ~float64
}

// Median is the value in the middle, or the mean of the two in the middle. The
// median of no values is 0.
func Median[N Number](values []N) N {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Mean is the mean of values, 0 of none.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return sum / max(1, float64(len(values)))
}

// Error is the standard error of the mean of values, 0 for fewer than two.
func Error(values []float64) float64 {
	n, mean, squares := float64(len(values)), Mean(values), 0.0
	for _, value := range values {
		squares += (value - mean) * (value - mean)
	}
	return math.Sqrt(squares / max(1, (n-1)*n))
}

// Each is what each further check costs, if a run of n checks costs many and a
// run of one check costs one: the cost of the start is left out. Noise can make
// it negative. If n is 1, it is the cost of the run.
func Each[N Number](many, one N, n int) N {
	if n < 2 {
		return many
	}
	return N(float64(many-one) / float64(n-1))
}

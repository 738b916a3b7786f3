package stats

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []int
		want   int
	}{{nil, 0}, {[]int{7}, 7}, {[]int{9, 1, 5}, 5}, {[]int{4, 1, 3, 2}, 2}} {
		if got := Median(test.values); got != test.want {
			t.Errorf("the median of %v is %d, want %d", test.values, got, test.want)
		}
	}
	if got := Median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of an even number of values is %v, want 2.5", got)
	}
	values := []time.Duration{3, 1, 2}
	Median(values)
	if values[0] != 3 {
		t.Error("the values have been sorted in place")
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{10, 20, 30, 40, 50}
	for part, want := range map[float64]float64{0: 10, 0.25: 20, 0.9: 46, 1: 50} {
		if got := Quantile(values, part); got != want {
			t.Errorf("quantile %v is %v, want %v", part, got, want)
		}
	}
}

func TestEachLeavesOutTheStart(t *testing.T) {
	for _, test := range []struct {
		many, one time.Duration
		n         int
		want      float64
	}{{100, 10, 10, 10}, {7, 7, 1, 7}, {5, 6, 10, 0}} {
		if got := Each(test.many, test.one, test.n); got != test.want {
			t.Errorf("%d checks for %d after one for %d: each is %v, want %v", test.n, test.many, test.one, got, test.want)
		}
	}
}

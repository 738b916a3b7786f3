package stats

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []int
		want   int
	}{{nil, 0}, {[]int{7}, 7}, {[]int{9, 1, 5}, 5}, {[]int{4, 2, 4, 2}, 3}} {
		if got := Median(test.values); got != test.want {
			t.Errorf("the median of %v is %d, want %d", test.values, got, test.want)
		}
	}
	values := []time.Duration{3, 1, 2}
	Median(values)
	if values[0] != 3 {
		t.Error("the values have been sorted in place")
	}
}

func TestErrorShrinksWithTheNumberOfValues(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 0}, {[]float64{5, 5, 5}, 0}, {[]float64{2, 4}, 1}} {
		if got := Error(test.values); got != test.want {
			t.Errorf("the error of %v is %v, want %v", test.values, got, test.want)
		}
	}
	if two, four := Error([]float64{1, 3}), Error([]float64{1, 3, 1, 3}); four >= two {
		t.Errorf("it is %v of two values and %v of four", two, four)
	}
}

func TestEachLeavesOutTheStart(t *testing.T) {
	for _, test := range []struct {
		many, one time.Duration
		n         int
		want      time.Duration
	}{{100, 10, 10, 10}, {7, 7, 1, 7}, {1, 10, 10, -1}} {
		if got := Each(test.many, test.one, test.n); got != test.want {
			t.Errorf("%d checks for %d after one for %d: each is %v, want %v", test.n, test.many, test.one, got, test.want)
		}
	}
}

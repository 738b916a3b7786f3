package main

import (
	"time"

	"github.com/crashcheck/crashcheck/test/bench/markdown"
)

// figure is one thing that a check costs.
type figure struct {
	title string
	value func(Check) float64
	write func(float64) string
	// spread is the error of the value; nil if repetitions hardly differ.
	spread func(Check) float64
	// aim is what crashcheck should reach.
	aim func(Scenario) aim
}

// aim is a condition on the costs of the rivals.
type aim struct {
	text    string
	reached func(ours, kubectl, typed Check) mark
}

// mark says how far an aim is reached. The worst is the highest.
type mark int

const (
	yes mark = iota
	// level is a difference from a rival that is within the measurement's error.
	level
	no
)

func (m mark) String() string { return [...]string{"yes", "level", "**no**"}[m] }

const (
	gateShare = 80 // crashcheck's CPU is to be at most kubectl's and jq's divided by this
	// apiShareFrom is the number of pods from which the API server's CPU is to be
	// at most half of what it is with kubectl.
	apiShareFrom = 1000
	// etcdNone is what counts as no work for etcd. A consistent list from the API
	// server's cache asks it for its revision, which costs about 1 ms.
	etcdNone = 2 * time.Millisecond
	// sameBytes is the ratio to the typed clientset's bytes that counts as equal.
	sameBytes            = 1.03
	smallPeak, largePeak = 16 << 20, 18 << 20
)

var (
	gateCPU = figure{
		title: "CPU of the gate", value: func(c Check) float64 { return float64(c.Gate) }, write: duration,
		aim: func(Scenario) aim {
			return aim{"≤ 1/80 of kubectl | jq, < typed", func(ours, kubectl, typed Check) mark {
				return max(wanted(ours.Gate*gateShare <= kubectl.Gate), wanted(ours.Gate < typed.Gate))
			}}
		},
	}
	apiCPU = figure{
		title: "CPU of kube-apiserver", value: func(c Check) float64 { return float64(c.API) }, write: duration,
		spread: func(c Check) float64 { return float64(c.APIError) },
		aim: func(s Scenario) aim {
			if s.Pods < apiShareFrom {
				return aim{"< both", func(ours, kubectl, typed Check) mark { return max(lessAPI(ours, kubectl, 1), lessAPI(ours, typed, 1)) }}
			}
			return aim{"≤ 1/2 of kubectl | jq, < typed", func(ours, kubectl, typed Check) mark {
				return max(lessAPI(ours, kubectl, 2), lessAPI(ours, typed, 1))
			}}
		},
	}
	etcdCPU = figure{
		title: "CPU of etcd", value: func(c Check) float64 { return float64(c.Etcd) }, write: duration,
		spread: func(c Check) float64 { return float64(c.EtcdError) },
		aim: func(Scenario) aim {
			return aim{"≤ " + markdown.Duration(etcdNone), func(ours, _, _ Check) mark { return wanted(ours.Etcd <= etcdNone) }}
		},
	}
	wireBytes = figure{
		title: "bytes on the wire", value: func(c Check) float64 { return c.Bytes }, write: markdown.Bytes,
		aim: func(Scenario) aim {
			return aim{"< kubectl | jq, ≤ typed", func(ours, kubectl, typed Check) mark {
				return max(wanted(ours.Bytes < kubectl.Bytes), wanted(ours.Bytes <= sameBytes*typed.Bytes))
			}}
		},
	}
	peakMemory = figure{
		title: "peak memory", value: func(c Check) float64 { return float64(c.Peak) }, write: memory,
		aim: func(s Scenario) aim { return peakAim(mostPeak(s)) },
	}
	// jsonPeak is measured with JSON answers only.
	jsonPeak = figure{
		title: "peak memory, JSON answers", value: peakMemory.value, write: memory,
		aim: func(s Scenario) aim { return peakAim(2 * mostPeak(s)) },
	}
	checkFigures = []figure{gateCPU, apiCPU, etcdCPU, wireBytes, peakMemory}
)

func duration(ns float64) string  { return markdown.Duration(time.Duration(ns)) }
func memory(bytes float64) string { return markdown.Memory(int64(bytes)) }

func wanted(reached bool) mark {
	if reached {
		return yes
	}
	return no
}

// lessAPI requires crashcheck's use of the API server to be less than theirs divided by share. If theirs is less than its error,
// it is only a bound, and nothing can be compared with it.
func lessAPI(ours, theirs Check, share time.Duration) mark {
	if theirs.API < theirs.APIError {
		return level
	}
	difference := theirs.API/share - ours.API
	switch within := ours.APIError + theirs.APIError/share; {
	case difference > within:
		return yes
	case difference >= -within:
		return level
	}
	return no
}

func mostPeak(s Scenario) int64 {
	if s.Pods <= 10 {
		return smallPeak
	}
	return largePeak
}

func peakAim(most int64) aim {
	return aim{"≤ " + markdown.Memory(most), func(ours, _, _ Check) mark { return wanted(ours.Peak <= most) }}
}

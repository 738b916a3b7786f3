package simcluster

import (
	"sync"
	"time"
)

// clock is simulated time: the real time since its start, multiplied by a speed, plus the time that advance has added.
type clock struct {
	start time.Time
	speed float64

	mu    sync.Mutex
	added time.Duration
}

func newClock(speed float64) *clock {
	return &clock{start: time.Now(), speed: speed}
}

func (c *clock) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(float64(time.Since(c.start))*c.speed) + c.added
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added += d
}

// wall is the date on the simulated cluster's own clock.
func (c *clock) wall(elapsed time.Duration) time.Time {
	return c.start.Add(elapsed)
}

// Package watching is what the watch prototype and the suite say to each other.
package watching

import "time"

// Gate is one gate of many in a process.
type Gate struct{ Kubeconfig, Namespace, Selector string }

// Report is what all gates of a process have seen.
type Report struct {
	// Lists counts whole lists: one at the start, one at the end, and one
	// after each watch that broke.
	Lists, Events, Bookmarks, Broken, Failed int
	// Pods is the number of pods in the closing lists.
	Pods int
	// BookmarkGaps are the times from one bookmark to the next.
	BookmarkGaps []time.Duration
	// Silences are, for each gate, the longest time for which its watch has
	// said nothing, neither change nor bookmark.
	Silences []time.Duration
}

// Add adds another process's report.
func (r *Report) Add(other Report) {
	r.Lists += other.Lists
	r.Events += other.Events
	r.Bookmarks += other.Bookmarks
	r.Broken += other.Broken
	r.Failed += other.Failed
	r.Pods += other.Pods
	r.BookmarkGaps = append(r.BookmarkGaps, other.BookmarkGaps...)
	r.Silences = append(r.Silences, other.Silences...)
}

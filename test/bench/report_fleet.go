package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/markdown"
)

const (
	// thousand is the number of gates that figures are given for.
	thousand = 1000
	// usualWindow is the DURATION of the shipped manifests.
	usualWindow = 300 * time.Second
)

// fleetSection says what many gates at once cost, polling and watching.
func (r Results) fleetSection() string {
	f := r.Fleet
	if len(f.Costs) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## %s gates at once\n\n%s gates ran at once, on %d ReplicaSets of %d pods. ", markdown.Figure(thousand), markdown.Figure(float64(f.Gates)), f.ReplicaSets, f.Pods)
	if f.Gates < f.Wanted {
		fmt.Fprintf(&out, "%s at INTERVAL 5 s are more than this machine can hold, on which gates, API server and etcd share %d processors. ",
			markdown.Figure(float64(f.Wanted)), r.Machine.Processors)
	}
	fmt.Fprintf(&out, "What all gates cost together is scaled to %s; the API server's figure is without what it uses idle, and without the changes themselves (%s each).\n\n",
		markdown.Figure(thousand), markdown.Duration(f.ChangeAPI))
	table := markdown.NewTable("", "API server, processors", "etcd, processors", "gates, processors", "requests/s", "bytes/s", "failed requests")
	for _, c := range f.costs() {
		// What is less than the noise of an idle server may come out below nothing.
		table.Row(c.name(), markdown.Figure(max(0, c.API)*f.scale()), markdown.Figure(max(0, c.Store)*f.scale()), markdown.Figure(c.GateCPU*f.scale()),
			markdown.Figure(c.Requests*f.scale()), markdown.Bytes(c.Bytes*f.scale()), markdown.Figure(c.Errors))
	}
	out.WriteString(table.String())
	out.WriteString(f.gateTable())
	out.WriteString(f.watchTable())
	return out.String()
}

// costs are the measured ones, and polling once a minute by halving what it
// costs twice a minute.
func (f Fleet) costs() []FleetCost {
	all := []FleetCost{}
	for _, c := range f.Costs {
		all = append(all, c)
		if c.Way == "poll" && c.Interval == 30*time.Second {
			half := c
			half.Interval *= 2
			half.API, half.Store, half.GateCPU = c.API/2, c.Store/2, c.GateCPU/2
			half.Requests, half.Bytes = c.Requests/2, c.Bytes/2
			half.Way = "poll, halved"
			all = append(all, half)
		}
	}
	return all
}

// scale is by what to multiply what all gates cost together.
func (f Fleet) scale() float64 { return thousand / float64(f.Gates) }

func (c FleetCost) name() string {
	name := c.Way
	if c.Interval > 0 {
		name = strings.Replace(name, "poll", "poll every "+markdown.Duration(c.Interval), 1)
	}
	if c.Changes > 0 {
		return fmt.Sprintf("%s, %s changes/s", name, markdown.Figure(c.Changes))
	}
	return name + ", pods quiet"
}

// gateTable is about each of the polling gates.
func (f Fleet) gateTable() string {
	var out strings.Builder
	out.WriteString("Each gate is a process; a page of the binary that all of them map is memory of each in RSS, and a share of it in PSS.\n\n")
	table := markdown.NewTable("", "RSS", "PSS", "private", "failed checks", "longest gap between checks", "gave up", "no report")
	for _, c := range f.Costs {
		if c.Way == "poll" && c.Changes == 0 {
			table.Row(c.name(), markdown.Memory(c.Memory.RSS), markdown.Memory(c.Memory.PSS), markdown.Memory(c.Memory.Private),
				fmt.Sprint(c.FailedChecks), markdown.Duration(c.LongestGap), fmt.Sprint(c.GaveUp), fmt.Sprint(c.Silent))
		}
	}
	out.WriteString(table.String())
	return out.String()
}

// watchTable compares a whole run of one gate, and says what a watch can vouch for.
func (f Fleet) watchTable() string {
	w := f.Watch
	var out strings.Builder
	fmt.Fprintf(&out, "### Polling or watching: one gate's run of %.0f s\n\n", usualWindow.Seconds())
	out.WriteString("A watching gate lists at the start and at the end, and watches in between. What a list costs is taken from the polling gates.\n\n")
	poll, ok := f.find("poll", 5*time.Second, false)
	if !ok {
		return ""
	}
	listAPI := poll.API / poll.Requests
	listBytes := poll.Bytes / poll.Requests
	table := markdown.NewTable("", "against polling every 5 s", "CPU of the API server", "bytes", "requests")
	perGate := usualWindow.Seconds() / float64(f.Gates)
	row := func(name string, api, bytes, requests float64) {
		base := usualWindow.Seconds()/5 + 1
		table.Row(name, "**"+markdown.Ratio(api, base*listAPI)+"**", duration(api*float64(time.Second)), markdown.Bytes(bytes), markdown.Figure(requests))
	}
	for _, interval := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
		lists := usualWindow.Seconds()/interval.Seconds() + 1
		row("poll every "+markdown.Duration(interval), lists*listAPI, lists*listBytes, lists)
	}
	for _, changing := range []bool{false, true} {
		if c, ok := f.find("watch", 0, changing); ok {
			row(c.name(), 2*listAPI+max(0, c.API)*perGate, 2*listBytes+c.Bytes*perGate, 3)
		}
	}
	out.WriteString(table.String())
	fmt.Fprintf(&out, "%d watches broke and %d requests failed among %d gates. ", w.Broken, w.Failed, f.Gates)
	if w.Bookmarks > 0 {
		fmt.Fprintf(&out, "Bookmarks came every %.0f s (%.0f to %.0f s). ", w.MedianBookmarkGap.Seconds(), w.ShortestBookmarkGap.Seconds(), w.LongestBookmarkGap.Seconds())
	}
	fmt.Fprintf(&out, "The longest time for which a watch said nothing at all was %.0f s in the median gate, and %.0f s in the worst: for so long a gate that only watches has not observed anything.\n\n",
		w.MedianSilence.Seconds(), w.LongestSilence.Seconds())
	return out.String()
}

// find finds a cost by its way, interval and whether pods changed.
func (f Fleet) find(way string, interval time.Duration, changing bool) (FleetCost, bool) {
	for _, c := range f.Costs {
		if c.Way == way && c.Interval == interval && (c.Changes > 0) == changing {
			return c, true
		}
	}
	return FleetCost{}, false
}

// Package chart draws the suite's charts as SVG: on white, so that they can be
// read on dark pages too, with each line labelled at its end.
package chart

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Series is one line of a chart.
type Series struct {
	Name   string
	Points []Point
	Style  Style
}

// Point is a place in a chart, in the units of its axes.
type Point struct{ X, Y float64 }

// Style is how a line looks.
type Style struct {
	Color  string
	Width  float64
	Dashed bool
}

// The styles of the charts: the product's line is the heaviest. The colours can
// be told apart by people who see red and green alike.
var (
	Ours   = Style{Color: "#005fb0", Width: 3}
	Theirs = Style{Color: "#c84e00", Width: 2}
	Third  = Style{Color: "#007d5a", Width: 2}
	Least  = Style{Color: "#666666", Width: 1.5, Dashed: true}
	grid   = Style{Color: "#dddddd", Width: 1}
	ink    = "#222222"
)

// drawing is an SVG image. Its origin is at the top left.
type drawing struct {
	width, height float64
	body          strings.Builder
}

func (d *drawing) text(x, y, size float64, anchor, color, text string) {
	fmt.Fprintf(&d.body, `<text x="%.1f" y="%.1f" font-size="%g" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, size, anchor, color, html.EscapeString(text))
}

func (d *drawing) line(style Style, points ...Point) {
	var path []string
	for _, p := range points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", p.X, p.Y))
	}
	dashes := ""
	if style.Dashed {
		dashes = ` stroke-dasharray="5 4"`
	}
	fmt.Fprintf(&d.body, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%g"%s/>`+"\n", strings.Join(path, " "), style.Color, style.Width, dashes)
}

func (d *drawing) dot(style Style, p Point) {
	fmt.Fprintf(&d.body, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", p.X, p.Y, style.Color)
}

func (d *drawing) bytes() []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="Liberation Sans, Arial, Helvetica, sans-serif">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, d.width, d.height, d.body.String())
}

// scale maps the values low to high to the places from to to.
type scale struct{ low, high, from, to float64 }

func (s scale) at(value float64) float64 {
	return s.from + (value-s.low)/(s.high-s.low)*(s.to-s.from)
}

// LogLog draws lines between two logarithmic axes, whose numbers are written by
// these functions.
func LogLog(title, xLabel string, writeX, writeY func(float64) string, series []Series) []byte {
	d := &drawing{width: 720, height: 420}
	d.text(16, 28, 16, "start", ink, title)
	var xs, ys []float64
	for _, s := range series {
		for _, p := range s.Points {
			xs, ys = append(xs, math.Log10(p.X)), append(ys, math.Log10(p.Y))
		}
	}
	if len(xs) == 0 {
		return d.bytes()
	}
	x := scale{slices.Min(xs), slices.Max(xs), 80, 570}
	y := scale{math.Floor(slices.Min(ys)), math.Ceil(slices.Max(ys)), 370, 50}
	if x.low == x.high || y.low == y.high { // one point
		x.high, y.high = x.high+1, y.high+1
	}
	for decade := math.Ceil(x.low); decade <= x.high; decade++ {
		d.line(grid, Point{x.at(decade), y.from}, Point{x.at(decade), y.to})
		d.text(x.at(decade), y.from+18, 12, "middle", ink, writeX(math.Pow(10, decade)))
	}
	for decade := y.low; decade <= y.high; decade++ {
		d.line(grid, Point{x.from, y.at(decade)}, Point{x.to, y.at(decade)})
		d.text(x.from-10, y.at(decade)+4, 12, "end", ink, writeY(math.Pow(10, decade)))
	}
	d.text(x.to, y.from+38, 12, "end", ink, xLabel)
	var names []label
	for _, s := range series {
		var line []Point
		for _, p := range s.Points {
			line = append(line, Point{x.at(math.Log10(p.X)), y.at(math.Log10(p.Y))})
		}
		if len(line) == 0 {
			continue
		}
		d.line(s.Style, line...)
		for _, p := range line {
			d.dot(s.Style, p)
		}
		names = append(names, label{s.Name, line[len(line)-1].Y, s.Style.Color})
	}
	for _, name := range spread(names, 16) {
		d.text(x.to+12, name.y+4, 13, "start", name.color, name.text)
	}
	return d.bytes()
}

// label is the name of a line at this height.
type label struct {
	text  string
	y     float64
	color string
}

// spread moves labels apart, downward, by at least this distance.
func spread(labels []label, apart float64) []label {
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := 1; i < len(labels); i++ {
		labels[i].y = max(labels[i].y, labels[i-1].y+apart)
	}
	return labels
}

// Tile is one small chart among several: when each limit is seen, in two ways
// of counting. The limits are 1, 2, and so on.
type Tile struct {
	Title string
	// Ours and Theirs are the seconds at which the limits are seen.
	Ours, Theirs []float64
	// Ended is when the recording ends.
	Ended float64
}

// Steps draws tiles in rows of four, all with the same axes.
func Steps(title, ours, theirs string, limits int, tiles []Tile) []byte {
	const columns, width, height, head = 4, 200.0, 170.0, 60.0
	rows := (len(tiles) + columns - 1) / columns
	d := &drawing{width: columns * width, height: head + float64(rows)*height}
	d.text(16, 26, 15, "start", ink, title)
	d.text(16, 48, 13, "start", Ours.Color, ours)
	d.text(130, 48, 13, "start", Theirs.Color, theirs)
	longest := 0.0
	for _, t := range tiles {
		longest = max(longest, t.Ended)
	}
	for i, t := range tiles {
		left, top := float64(i%columns)*width, head+float64(i/columns)*height
		x := scale{0, longest, left + 30, left + width - 14}
		y := scale{0, float64(limits), top + height - 40, top + 30}
		d.text(left+30, top+18, 12, "start", ink, t.Title)
		for limit := range limits + 1 {
			d.line(grid, Point{x.from, y.at(float64(limit))}, Point{x.to, y.at(float64(limit))})
			d.text(x.from-6, y.at(float64(limit))+4, 10, "end", ink, fmt.Sprint(limit))
		}
		for seconds := 0.0; seconds <= longest; seconds += 100 {
			d.text(x.at(seconds), y.from+14, 10, "middle", ink, fmt.Sprint(seconds))
		}
		d.text(x.to, y.from+28, 10, "end", ink, "seconds")
		// The product's line is drawn last, above the other where both agree.
		for _, line := range []Series{{Points: stairs(t.Theirs, t.Ended), Style: Theirs}, {Points: stairs(t.Ours, t.Ended), Style: Ours}} {
			for i, p := range line.Points {
				line.Points[i] = Point{x.at(min(p.X, longest)), y.at(p.Y)}
			}
			d.line(line.Style, line.Points...)
		}
	}
	return d.bytes()
}

// stairs is the line that goes up by one at each of these times, until the end.
func stairs(times []float64, end float64) []Point {
	points := []Point{{0, 0}}
	for i, at := range times {
		points = append(points, Point{at, float64(i)}, Point{at, float64(i + 1)})
	}
	if last := points[len(points)-1]; last.X < end {
		points = append(points, Point{end, last.Y})
	}
	return points
}

// Package chart draws the suite's charts as SVG: on white, so that they can be
// read on dark pages too, with each line labelled at its end.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Series is one line.
type Series struct {
	Name   string
	Points []Point
	Style  Style
}

// Point is a place in a chart, in the units of its axes.
type Point struct{ X, Y float64 }

// Style is how a line looks. The colours can be told apart by people who see
// red and green alike.
type Style struct {
	Color  color.RGBA
	Width  vg.Length
	Dashed bool
}

// The styles of the charts: the product's is the heaviest.
var (
	Ours   = Style{Color: color.RGBA{0x00, 0x5f, 0xb0, 0xff}, Width: 2.5}
	Theirs = Style{Color: color.RGBA{0xc8, 0x4e, 0x00, 0xff}, Width: 1.5}
	Third  = Style{Color: color.RGBA{0x00, 0x7d, 0x5a, 0xff}, Width: 1.5}
	Least  = Style{Color: color.RGBA{0x66, 0x66, 0x66, 0xff}, Width: 1.2, Dashed: true}
)

func (s Style) line() draw.LineStyle {
	line := draw.LineStyle{Color: s.Color, Width: s.Width}
	if s.Dashed {
		line.Dashes = []vg.Length{4, 3}
	}
	return line
}

// Axis is the name of an axis, with its unit, and how its numbers are written.
type Axis struct {
	Label  string
	Format func(float64) string
}

// LogLog writes a chart with two logarithmic axes.
func LogLog(path, title string, x, y Axis, series []Series) error {
	p := newPlot("")
	p.X.Label.Text = x.Label
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{x.Format}, decades{y.Format}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)
	for _, s := range series {
		points := xys(s.Points)
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.LineStyle = s.Style.line()
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: s.Style.Color, Radius: 2.5, Shape: draw.CircleGlyph{}}
		p.Add(line, dots)
	}
	// Whole decades, and room at the right for the names.
	p.X.Min, p.X.Max = p.X.Min*0.8, p.X.Max*5
	p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(p.Y.Min))), math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
	p.Add(names(endLabels(series, math.Pow(p.Y.Max/p.Y.Min, 0.055))))
	canvas := vgsvg.New(18*vg.Centimeter, 11*vg.Centimeter)
	whole := onWhite(canvas)
	// The library leaves too much room beside a logarithmic axis that has a
	// name, and people read level text more easily.
	drawHead(whole, title, headPart{y.Label, color.RGBA{A: 0xff}})
	p.Draw(draw.Crop(whole, 6, -10, 6, -headHeight))
	return write(path, canvas)
}

// label is a text beside a point.
type label struct {
	text  string
	at    Point
	color color.RGBA
}

// endLabels are the names of the series, each at the end of its line, moved
// apart by at least this factor where lines end close together.
func endLabels(series []Series, apart float64) []label {
	var labels []label
	for _, s := range series {
		if len(s.Points) == 0 {
			continue
		}
		end := s.Points[len(s.Points)-1]
		labels = append(labels, label{s.Name, Point{end.X * 1.12, end.Y}, s.Style.Color})
	}
	for range labels { // each pass settles at least one
		for i := range labels {
			for j := range labels {
				a, b := &labels[i], &labels[j]
				if i != j && a.at.Y >= b.at.Y && a.at.Y < b.at.Y*apart {
					middle := math.Sqrt(a.at.Y * b.at.Y)
					a.at.Y, b.at.Y = middle*math.Sqrt(apart), middle/math.Sqrt(apart)
				}
			}
		}
	}
	return labels
}

// names draws labels, without asking for room around the plot.
type names []label

func (n names) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, l := range n {
		style := p.X.Label.TextStyle
		style.Color, style.Font.Size = l.color, 11
		style.XAlign, style.YAlign = text.XLeft, text.YCenter
		c.FillText(style, vg.Point{X: x(l.at.X), Y: y(l.at.Y)}, l.text)
	}
}

var faint = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}

func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.BackgroundColor = color.White
	p.Title.TextStyle.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 12}
	p.Title.Padding = 6
	for _, style := range []*text.Style{&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}
	}
	return p
}

func xys(points []Point) plotter.XYs {
	all := make(plotter.XYs, len(points))
	for i, p := range points {
		all[i] = plotter.XY{X: p.X, Y: p.Y}
	}
	return all
}

// decades puts a tick with a number at each power of ten, and small ones between.
type decades struct{ format func(float64) string }

func (d decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Ceil(math.Log10(high)); exponent++ {
		for digit := 1.0; digit < 10; digit++ {
			value := digit * math.Pow(10, exponent)
			if value < low*0.999 || value > high*1.001 {
				continue
			}
			tick := plot.Tick{Value: value}
			if digit == 1 {
				tick.Label = d.format(value)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// onWhite makes all of the canvas white, margins included.
func onWhite(canvas *vgsvg.Canvas) draw.Canvas {
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	return whole
}

// headHeight is the room for drawHead.
const headHeight = 50

// headPart is a piece of the line below the title.
type headPart struct {
	text  string
	color color.RGBA
}

// drawHead writes the title, and below it these parts in their colours.
func drawHead(c draw.Canvas, title string, parts ...headPart) {
	style := newPlot("").Title.TextStyle
	style.XAlign, style.YAlign = text.XLeft, text.YTop
	at := vg.Point{X: c.Min.X + 10, Y: c.Max.Y - 6}
	c.FillText(style, at, title)
	style.Font.Size = 10
	at.Y -= 20
	for _, part := range parts {
		style.Color = part.color
		c.FillText(style, at, part.text)
		at.X += style.Width(part.text) + 24
	}
}

func write(path string, canvas *vgsvg.Canvas) error {
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	// Where the font is missing, one of the same widths should take its place.
	svg := strings.ReplaceAll(out.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")
	return os.WriteFile(path, []byte(svg), 0o644)
}

package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Tile is one small chart among several: when each limit is seen, in two ways
// of counting. The limits are 1, 2, and so on.
type Tile struct {
	Title string
	// Ours and Theirs are the seconds at which the limits are seen.
	Ours, Theirs []float64
	// Ended is when the recording ends.
	Ended float64
}

// Steps writes tiles in rows of this many columns, all with the same axes.
func Steps(path, title, ours, theirs string, limits, columns int, tiles []Tile) error {
	rows := (len(tiles) + columns - 1) / columns
	plots := make([][]*plot.Plot, rows)
	longest := 0.0
	for _, t := range tiles {
		longest = max(longest, t.Ended)
	}
	for row := range plots {
		plots[row] = make([]*plot.Plot, columns)
		for column := range columns {
			i := row*columns + column
			if i >= len(tiles) {
				continue
			}
			p, err := tilePlot(tiles[i], limits, longest)
			if err != nil {
				return err
			}
			if row == rows-1 || i+columns >= len(tiles) {
				p.X.Label.Text = "seconds"
			}
			if column == 0 {
				p.Y.Label.Text = "limit seen"
			}
			plots[row][column] = p
		}
	}
	canvas := vgsvg.New(20*vg.Centimeter, vg.Length(rows)*5*vg.Centimeter+headHeight)
	whole := onWhite(canvas)
	drawHead(whole, title, headPart{ours, Ours.Color}, headPart{theirs, Theirs.Color})
	layout := draw.Tiles{Rows: rows, Cols: columns, PadX: 8, PadY: 10, PadTop: headHeight, PadBottom: 4, PadLeft: 4, PadRight: 10}
	for row, canvases := range plot.Align(plots, layout, whole) {
		for column, c := range canvases {
			if plots[row][column] != nil {
				plots[row][column].Draw(c)
			}
		}
	}
	return write(path, canvas)
}

func tilePlot(t Tile, limits int, longest float64) (*plot.Plot, error) {
	p := newPlot(t.Title)
	p.Title.TextStyle.Font.Size = 10
	p.X.Min, p.X.Max = 0, longest
	p.Y.Min, p.Y.Max = 0, float64(limits)+0.3
	p.Y.Tick.Marker = plot.ConstantTicks(wholeTicks(limits))
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)
	// The product's line is drawn last, above the other where both agree.
	for _, s := range []Series{{Points: stairs(t.Theirs, t.Ended), Style: Theirs}, {Points: stairs(t.Ours, t.Ended), Style: Ours}} {
		line, err := plotter.NewLine(xys(s.Points))
		if err != nil {
			return nil, err
		}
		line.LineStyle = s.Style.line()
		p.Add(line)
	}
	return p, nil
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

func wholeTicks(most int) []plot.Tick {
	var ticks []plot.Tick
	for i := 0; i <= most; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: string(rune('0' + i))})
	}
	return ticks
}

package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStairsGoUpAtEachTime(t *testing.T) {
	got := stairs([]float64{5, 5, 20}, 30)
	want := []Point{{0, 0}, {5, 0}, {5, 1}, {5, 1}, {5, 2}, {20, 2}, {20, 3}, {30, 3}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// The last check comes after the recording's end: the line does not go back.
	if got := stairs([]float64{30}, 28); got[len(got)-1] != (Point{30, 1}) {
		t.Errorf("it ends at %v", got[len(got)-1])
	}
}

func TestDecadesAreLabelled(t *testing.T) {
	var labelled []string
	for _, tick := range (decades{func(v float64) string { return fmt.Sprint(v) }}).Ticks(8, 1000) {
		if tick.Label != "" {
			labelled = append(labelled, tick.Label)
		}
	}
	if want := []string{"10", "100", "1000"}; !slices.Equal(labelled, want) {
		t.Errorf("the labels are %v, want %v", labelled, want)
	}
}

func TestLabelsDoNotCoverEachOther(t *testing.T) {
	var series []Series
	for i, y := range []float64{10, 10.1, 10.2, 500} {
		series = append(series, Series{Name: fmt.Sprint(i), Points: []Point{{1, y}}})
	}
	const apart = 1.3
	labels := endLabels(append(series, Series{Name: "empty"}), apart)
	if len(labels) != 4 {
		t.Fatalf("%d labels", len(labels))
	}
	if labels[3].at.Y != 500 {
		t.Errorf("a label that is alone has been moved to %v", labels[3].at.Y)
	}
	var heights []float64
	for _, l := range labels {
		heights = append(heights, l.at.Y)
	}
	slices.Sort(heights)
	for i := range heights[1:] {
		if heights[i+1] < heights[i]*apart*0.9 {
			t.Errorf("two labels are at %v and %v", heights[i], heights[i+1])
		}
	}
}

func TestChartsAreWholeAndNameTheirLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chart.svg")
	number := func(v float64) string { return fmt.Sprint(v) }
	err := LogLog(path, "A title", Axis{"pods", number}, Axis{"CPU", number}, []Series{
		{"one", []Point{{10, 1}, {100, 10}}, Ours}, {"two", []Point{{10, 40}, {100, 400}}, Least},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantTexts(t, path, "A title", "pods", "CPU", "one", "two", "100")
	err = Steps(path, "Another", "ours", "theirs", 6, 2, []Tile{
		{Title: "first", Ours: []float64{5, 10}, Theirs: []float64{5, 30}, Ended: 40}, {Title: "second", Ended: 20}, {Title: "third", Ended: 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantTexts(t, path, "Another", "ours", "theirs", "first", "second", "third", "seconds", "limit seen")
}

// wantTexts wants well-formed XML with these texts in it.
func wantTexts(t *testing.T, path string, texts ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	decoder := xml.NewDecoder(strings.NewReader(string(data)))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if characters, ok := token.(xml.CharData); ok {
			found = append(found, strings.TrimSpace(string(characters)))
		}
	}
	for _, text := range texts {
		if !slices.Contains(found, text) {
			t.Errorf("the text %q is not in the chart; these are: %q", text, found)
		}
	}
}

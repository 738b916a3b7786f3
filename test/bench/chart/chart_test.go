package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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

func TestLabelsDoNotCoverEachOther(t *testing.T) {
	var heights []float64
	for _, l := range spread([]label{{y: 300}, {y: 101}, {y: 100}, {y: 102}}, 16) {
		heights = append(heights, l.y)
	}
	if want := []float64{100, 116, 132, 300}; !slices.Equal(heights, want) {
		t.Errorf("they are at %v, want %v", heights, want)
	}
}

func TestChartsAreWellFormedAndNameTheirLines(t *testing.T) {
	number := func(v float64) string { return fmt.Sprint(v) }
	wantTexts(t, LogLog("A title", "pods", number, number, []Series{
		{"one", []Point{{10, 1}, {100, 10}}, Ours}, {"kubectl & jq", []Point{{10, 40}, {100, 400}}, Least}, {"none", nil, Third},
	}), "A title", "pods", "one", "kubectl & jq", "1000", "100")
	wantTexts(t, LogLog("Of one point", "pods", number, number, []Series{{"one", []Point{{10, 1}}, Ours}}), "one")
	wantTexts(t, LogLog("Of nothing", "pods", number, number, nil), "Of nothing")
	wantTexts(t, Steps("Another", "ours", "theirs", 6, []Tile{
		{Title: "first", Ours: []float64{5, 10}, Theirs: []float64{5, 30}, Ended: 40}, {Title: "second", Ended: 120},
	}), "Another", "ours", "theirs", "first", "second", "seconds", "6", "100")
}

// wantTexts wants well-formed XML without NaN and with these texts in it.
func wantTexts(t *testing.T, svg []byte, texts ...string) {
	t.Helper()
	if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
		t.Errorf("a place is no number in %s", svg)
	}
	var found []string
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
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

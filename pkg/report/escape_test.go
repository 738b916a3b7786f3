package report

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, test := range []struct{ claim, text, want string }{
		{"plain text stays as it is", `list pods: "a" \n <b> 'c'`, `list pods: "a" \n <b> 'c'`},
		{"letters of the world stay as they are", "Größe 東京 🚀", "Größe 東京 🚀"},
		{"line ends and other control characters", "a\r\nb\a\b\x00\t\x7f\x1b[31mred", `a\r\nb\a\b\x00\t\x7f\x1b[31mred`},
		{"one-byte control characters (C1)", "\u009b31m\u0085", `\u009b31m\u0085`},
		{"characters that turn the direction of text", "\u202eabc\u2066", `\u202eabc\u2066`},
		{"bytes that are no UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"the replacement character itself is a character", "\ufffd", "\ufffd"},
		{"an astral character that is not printable", "\U000e0041", `\U000e0041`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := Escape(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"aéééé", 6, "aé…"},
		{"éééé", 6, "é…"}, // not within a character
		{"éééé", 3, "…"},
		{"\x80\x80\x80\x80", 3, "…"},
		{"éééé", -1, "…"},
	} {
		if got := cut(test.text, test.most); got != test.want {
			t.Errorf("%q at %d bytes: got %q, want %q", test.text, test.most, got, test.want)
		}
	}
}

// hostile seeds the fuzzing; the seeds run with every go test.
var hostile = []string{
	"", "plain", "a\nb\rc\td", "\x1b[2J\x1b]0;title\a", "\u009b31m\u0090\u009d", "\u202e\u2066\u2069", "\u2028\u2029\u0085",
	"\xff\xfe\x80", "\xed\xa0\x80", "\U000e0001\U0010ffff", "\ufffd\ufeff\u200b", `\u009b "quoted" \`, "\x00\x7f", strings.Repeat("é", 600),
}

// isOnePrintableLine reports whether a terminal shows the text as it is, on one line.
func isOnePrintableLine(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool {
		return !strconv.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)
	}) < 0
}

func FuzzEscape(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Escape(text)
		if !isOnePrintableLine(got) {
			t.Errorf("%q becomes %q", text, got)
		}
		if again := Escape(got); again != got {
			t.Errorf("what is escaped is not left alone: %q becomes %q", got, again)
		}
	})
}

func FuzzEscapeJSON(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := json.Marshal(map[string]any{text: []string{text}})
		if err != nil {
			t.Fatal(err)
		}
		escaped := escapeJSON(plain)
		if !isOnePrintableLine(string(escaped)) {
			t.Errorf("%q becomes %s", text, escaped)
		}
		var want, got any
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the value changes: %q becomes %q, %v", want, got, err)
		}
	})
}

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
		{"plain text stays as it is", `list pods: "a" \n <b>`, `list pods: "a" \n <b>`},
		{"letters of the world stay as they are", "Größe 東京 🚀", "Größe 東京 🚀"},
		{"line ends", "a\r\nb", `a\r\nb`},
		{"the terminal's escape", "\x1b[31mred", `\x1b[31mred`},
		{"bell, backspace, NUL and tab", "\a\b\x00\t", `\a\b\x00\t`},
		{"DEL", "\x7f", `\x7f`},
		{"the one-byte control sequence introducer (C1)", "\u009b31m", `\u009b31m`},
		{"next line (C1)", "a\u0085b", `a\u0085b`},
		{"characters that turn the direction of text", "\u202eabc\u2066", `\u202eabc\u2066`},
		{"line and paragraph separators", "\u2028\u2029", `\u2028\u2029`},
		{"characters without a width", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"bytes that are no UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"a byte below 0x10 keeps two digits", "\x01", `\x01`},
		{"the replacement character itself is a character", "\ufffd", "\ufffd"},
		{"an astral character that is not printable", "\U000e0041", `\U000e0041`},
		{"nothing", "", ""},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := Escape(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestEscapeJSON(t *testing.T) {
	for _, test := range []struct{ claim, value, want string }{
		{"what is printable stays as it is", "Größe 🚀 <b>&", `"Größe 🚀 <b>&"`},
		{"C0 is escaped by encoding/json already", "a\n\x1b", `"a\n\u001b"`},
		{"DEL", "\x7f", `"\u007f"`},
		{"the one-byte control sequence introducer (C1)", "\u009b31m", `"\u009b31m"`},
		{"characters that turn the direction of text", "\u202e", `"\u202e"`},
		{"an astral character becomes a surrogate pair", "\U000e0041", `"\udb40\udc41"`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := string(escapeJSON(encode(t, test.value))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
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
		plain := encode(t, map[string]any{text: []string{text}})
		escaped := escapeJSON(plain)
		if !isOnePrintableLine(string(escaped)) {
			t.Errorf("%q becomes %s", text, escaped)
		}
		var want, got any
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &got); err != nil {
			t.Fatalf("%s: %v", escaped, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the value changes: %q becomes %q", want, got)
		}
	})
}

func FuzzCut(f *testing.F) {
	for i, text := range hostile {
		f.Add(text, i)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		most &= 0x3ff
		got := cut(text, most)
		if len(got) > most {
			t.Errorf("%q cut at %d bytes has %d", text, most, len(got))
		}
		if len(text) <= most && got != text {
			t.Errorf("%q fits in %d bytes, but becomes %q", text, most, got)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q is cut within a character: %q", text, got)
		}
	})
}

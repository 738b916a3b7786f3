package report

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape makes text from elsewhere safe to print: what is not printable (control characters, line ends, characters
// that turn the direction of text, invalid UTF-8) becomes an escape sequence of Go.
func Escape(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i])|0x100, 16)[1:])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func isPlain(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// escapeJSON escapes the unprintable characters that encoding/json leaves as they are, such as the terminal's one-byte
// control sequences: the value stays the same. In JSON they can only be parts of strings.
func escapeJSON(line []byte) []byte {
	var b []byte
	for _, r := range string(line) {
		switch {
		case strconv.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r <= 0xffff:
			b = appendHex(b, r)
		default:
			high, low := utf16.EncodeRune(r)
			b = appendHex(appendHex(b, high), low)
		}
	}
	return b
}

func appendHex(b []byte, r rune) []byte {
	return append(append(b, `\u`...), strconv.FormatUint(uint64(r)|0x10000, 16)[1:]...)
}

// cut shortens a text to a number of bytes, at a character's border.
func cut(text string, most int) string {
	const ellipsis = "…"
	switch {
	case len(text) <= most:
		return text
	case most < len(ellipsis):
		return ""
	}
	end := most - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape makes text from the cluster safe to print. It replaces what is not printable (control characters, line ends,
// characters that change the direction of text, invalid UTF-8) with Go escape sequences.
func Escape(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		_, size := utf8.DecodeRuneInString(text)
		char := text[:size]
		if char != `"` && char != `\` {
			quoted := strconv.Quote(char)
			char = quoted[1 : len(quoted)-1]
		}
		b.WriteString(char)
		text = text[size:]
	}
	return b.String()
}

// escapeJSON escapes the unprintable characters that encoding/json does not escape, such as one-byte terminal sequences
// (C1). The value stays the same: in JSON, these characters occur only in strings.
func escapeJSON(line []byte) []byte {
	var b []byte
	for _, r := range string(line) {
		if strconv.IsPrint(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			b = fmt.Appendf(b, `\u%04x`, unit)
		}
	}
	return b
}

// cut shortens a text to a number of bytes, between two characters.
func cut(text string, most int) string {
	const ellipsis = "…"
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:max(most-len(ellipsis), 0)], "") + ellipsis
}

package rfc4180

import (
	"strings"
	"testing"
)

func TestAppendField(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{" spaces ", " spaces "},
		{"\t'=+", "\t'=+"},
		{"Zoë 日本 \U0001F600", "Zoë 日本 \U0001F600"},
		{"\xff\x00", "\xff\x00"},
		{",", `","`},
		{"\r", "\"\r\""},
		{"\n", "\"\n\""},
		{"a\r\nb", "\"a\r\nb\""},
		{`"`, `""""`},
		{`a "b" c`, `"a ""b"" c"`},
	}
	for _, test := range tests {
		if got := string(AppendField([]byte("x"), test.text)); got != "x"+test.want {
			t.Errorf("AppendField(x, %q) = %q, want %q", test.text, got, "x"+test.want)
		}
	}
}

// Each byte, at each place around the eight that are looked at together.
func TestAppendFieldFindsEveryByte(t *testing.T) {
	for length := 1; length <= 26; length++ {
		for at := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("\xe9", length))
				text[at] = byte(c)
				want := strings.IndexByte(",\"\r\n", byte(c)) >= 0
				if got := AppendField(nil, string(text))[0] == '"'; got != want {
					t.Fatalf("byte %#x at %d of %d: quoted %t, want %t", c, at, length, got, want)
				}
			}
		}
	}
}

func TestAppendRecord(t *testing.T) {
	tests := []struct {
		fields []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, "\"\"\r\n"},
		{[]string{"", ""}, ",\r\n"},
		{[]string{"a", "b,c", ""}, "a,\"b,c\",\r\n"},
	}
	for _, test := range tests {
		if got := string(AppendRecord(nil, test.fields...)); got != test.want {
			t.Errorf("AppendRecord(%q) = %q, want %q", test.fields, got, test.want)
		}
	}
}

package evidence

import (
	"fmt"
	"strings"
	"testing"
)

func TestLogKeyForm(t *testing.T) {
	for i := range 200 { // some have a plus in their base64
		key, err := NewLogKey(testOrigin, testKey(t, ForLog, fmt.Sprint(i)).Public)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseLogKey([]byte(key.String() + "\n"))
		if err != nil || again.String() != key.String() || again.ID() != key.ID() || again.Origin() != testOrigin || again.Purpose() != ForLog {
			t.Fatalf("got %v, %v; want %v", again, err, key)
		}
	}
	for _, text := range []string{"", "a", "a+b+c", testOrigin + "+00000000+" + strings.Repeat("A", 44), strings.Repeat("x", 1<<20)} {
		if key, err := ParseLogKey([]byte(text)); err == nil {
			t.Errorf("%.40q: got %v, want an error", text, key)
		}
	}
}

func FuzzParseLogKey(f *testing.F) {
	key, err := NewLogKey(testOrigin, testLogKey(f).Public)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(key.String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParseLogKey(text)
		if err == nil && key.String() != strings.TrimSpace(string(text)) {
			t.Errorf("got %s, want %s", key, text)
		}
	})
}

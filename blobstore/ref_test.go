package blobstore

import (
	"regexp"
	"strings"
	"testing"
)

func TestParseRefRefuses(t *testing.T) {
	good := strings.Repeat("0a", 32)
	for _, name := range []string{
		"", ".", "..", "../" + good, "../../../../etc/passwd", good + "/", "/" + good, good[:62],
		good + "00", good[:61] + "\x00aa", good[:63] + "g", good[:62] + "..", good[:63] + "/",
		good[:63] + "\\", strings.ToUpper(good), " " + good[1:], good + "\n", "sha256:" + good,
	} {
		if ref, err := ParseRef(name); err == nil {
			t.Errorf("ParseRef(%q): got %s, want an error", name, ref)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add(strings.Repeat("0a", 32))
	f.Add(strings.Repeat("0A", 32))
	f.Add("../" + strings.Repeat("0a", 32)[3:])
	form := regexp.MustCompile(`\A[0-9a-f]{64}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		ref, err := ParseRef(name)
		if want := form.MatchString(name); (err == nil) != want {
			t.Errorf("ParseRef(%q): got %v, want accepted: %v", name, err, want)
		}
		if err == nil && ref.String() != name {
			t.Errorf("ParseRef(%q): got %s back", name, ref)
		}
	})
}

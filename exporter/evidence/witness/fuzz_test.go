package witness

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// A key is the one encoding of itself, and others read it too.
func FuzzParseKey(f *testing.F) {
	f.Add(keyOf(f, "w1.example").String())
	f.Add("w1.example+01234567+BAAA")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err != nil {
			return
		}
		if key.String() != text {
			t.Errorf("got %q, want %q", key, text)
		}
		v, err := formats.NewVerifierForCosignatureV1(text)
		if err != nil || v.Name() != key.Name() {
			t.Errorf("their reading: got %v, want %s", err, key.Name())
		}
	})
}

// What is read is written again the same but for strangers and the order, and
// each cosignature is one for others too.
func FuzzRead(f *testing.F) {
	keys := []Key{keyOf(f, "a"), keyOf(f, "b")}
	f.Add(marshal(f, cosignedBy(f, "a", "b")))
	f.Add(signed(f, cosigner(f, "stranger")))
	v := logVerifier(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Read(text, v, keys)
		if err != nil {
			return
		}
		again, err := c.Marshal()
		if err != nil {
			t.Fatalf("got %v, want it written", err)
		}
		if got, want := len(lines(text)), len(lines(again))+len(c.Strangers); got != want {
			t.Errorf("got %d lines, want %d", got, want)
		}
		for _, s := range c.By {
			theirs, err := torchwood.NewCosignatureVerifier(s.Witness.String())
			if err != nil {
				t.Fatal(err)
			}
			if opened, err := note.Open(again, note.VerifierList(theirs)); err != nil || len(opened.Sigs) != 1 {
				t.Errorf("torchwood: got %v, want the cosignature of %s", err, s.Witness.Name())
			}
		}
	})
}

func lines(text []byte) [][]byte { return bytes.Split(text, []byte("\n")) }

// What parses has one quorum; what this package takes, torchwood takes too.
func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(example(f)))
	f.Add([]byte("quorum none\n"))
	f.Add([]byte("witness a " + keyOf(f, "a").String() + "\ngroup g any a\nquorum g"))
	everybody := cosignedBy(f, "X1", "X2", "X3", "Y1", "Y2", "Y3", "a").By
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		if p.Quorum() != "" && p.Met(nil) {
			t.Errorf("got quorum %s met by nobody", p.Quorum())
		}
		known := slices.DeleteFunc(slices.Clone(everybody), func(c Cosignature) bool { return !slices.Contains(p.Witnesses(), c.Witness) })
		if len(known) == len(p.Witnesses()) && !p.Met(known) {
			t.Errorf("got quorum %s not met by everybody", p.Quorum())
		}
		if !theirsToo(p, text) {
			return
		}
		if _, err := torchwood.ParsePolicy(text); err != nil {
			t.Errorf("torchwood: got %v for a policy that this package takes: %q", err, text)
		}
	})
}

// theirsToo leaves out what torchwood does not know: keys of ML-DSA, a # within
// a word, and white space that is not ASCII within a name.
func theirsToo(p *Policy, text []byte) bool {
	for _, key := range p.Witnesses() {
		if key.public[0] != algorithmEd25519 {
			return false
		}
	}
	for line := range strings.Lines(string(text)) {
		if hash := strings.IndexByte(line, '#'); hash >= 0 && strings.Trim(line[:hash], " \t") != "" {
			return false
		}
	}
	return !slices.ContainsFunc([]rune(string(text)), func(r rune) bool { return r > 0x7f })
}

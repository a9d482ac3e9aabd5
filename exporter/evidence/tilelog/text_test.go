package tilelog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// soundProof is the proof of leaf 2 in a tree of 5.
func soundProof(t testing.TB) *Proof {
	t.Helper()
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 5)
	p, err := proveIn(l, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFormsByOthers(t *testing.T) {
	p, key := soundProof(t), ourKey(t)
	var theirs proof.TLogProof
	if err := theirs.Unmarshal(p.Marshal()); err != nil {
		t.Fatalf("their reading: got %v, want no error", err)
	}
	if got := theirs.Marshal(); !bytes.Equal(got, p.Marshal()) {
		t.Errorf("their writing: got %q, want %q", got, p.Marshal())
	}
	if theirs.Index != 2 || len(theirs.Hashes) != len(p.Path) {
		t.Errorf("their reading: got %+v, want %+v", theirs, p)
	}
	c, _, _, err := formats.ParseCheckpoint(theirs.Checkpoint, p.Origin, key)
	if err != nil || c.Size != 5 || !bytes.Equal(c.Hash, p.Root[:]) {
		t.Errorf("their checkpoint: got %+v, %v; want %+v", c, err, p.Checkpoint)
	}
	if got := string(c.Marshal()); got != p.text() {
		t.Errorf("their checkpoint: got %q, want %q", got, p.text())
	}
}

func TestCosignaturesArePassedOver(t *testing.T) {
	p, key := soundProof(t), ourKey(t)
	witness := keyNamed(t, "witness.example", "witness")
	opened, err := note.Open(p.Signed, note.VerifierList(key))
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := note.Sign(opened, witness)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := VerifyCheckpoint(cosigned, key); err != nil || got != p.Checkpoint {
		t.Errorf("got %+v, %v; want %+v", got, err, p.Checkpoint)
	}
	alone := signedBy(t, keyNamed(t, p.Origin, "theirs"), p.Checkpoint)
	if got, err := VerifyCheckpoint(alone, key); !errors.Is(err, ErrNotSigned) {
		t.Errorf("another key: got %+v, %v; want %v", got, err, ErrNotSigned)
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	sound := string(soundProof(t).Signed)
	lines := strings.SplitAfter(sound, "\n")
	root := strings.TrimSpace(lines[2])
	for name, text := range map[string]string{
		"empty":             "",
		"no signature":      strings.Join(lines[:4], ""),
		"no line end":       strings.TrimSuffix(sound, "\n"),
		"text behind":       sound + "x",
		"signature twice":   sound + lines[4],
		"extension line":    lines[0] + lines[1] + lines[2] + "more\n" + lines[3] + lines[4],
		"no origin":         "\n" + strings.Join(lines[1:], ""),
		"leading zero":      strings.Replace(sound, "\n5\n", "\n05\n", 1),
		"plus":              strings.Replace(sound, "\n5\n", "\n+5\n", 1),
		"negative":          strings.Replace(sound, "\n5\n", "\n-5\n", 1),
		"2^40+1 leaves":     strings.Replace(sound, "\n5\n", "\n1099511627777\n", 1),
		"2^62+1 leaves":     strings.Replace(sound, "\n5\n", "\n4611686018427387905\n", 1),
		"2^63 leaves":       strings.Replace(sound, "\n5\n", "\n9223372036854775808\n", 1),
		"root of nothing":   strings.Replace(sound, "\n5\n", "\n0\n", 1),
		"short root":        strings.Replace(sound, root, root[4:], 1),
		"root's other bits": strings.Replace(sound, root, otherBits(root), 1),
		"carriage return":   strings.ReplaceAll(sound, "\n", "\r\n"),
		"too long":          sound + strings.Repeat(lines[4], 200),
	} {
		if text == sound {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if c, err := ParseCheckpoint([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, c)
		}
	}
}

// otherBits is another text in base64 that lax readers take for the same 32 bytes.
func otherBits(hash string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := strings.IndexByte(alphabet, hash[42])
	return hash[:42] + alphabet[last|1:last|1+1] + "="
}

func TestParseProofRefuses(t *testing.T) {
	sound := string(soundProof(t).Marshal())
	hash := strings.Split(sound, "\n")[2]
	for name, change := range map[string][2]string{
		"another version": {"@v1", "@v2"},
		"extra data":      {"index", "extra AAAA\nindex"},
		"no index":        {"index 2\n", ""},
		"negative index":  {"index 2", "index -2"},
		"leading zero":    {"index 2", "index 02"},
		"index 2^40+1":    {"index 2", "index 1099511627777"},
		"beyond the tree": {"index 2", "index 5"},
		"short hash":      {hash, hash[4:]},
		"other bits":      {hash, otherBits(hash)},
		"a space":         {hash, hash + " "},
		"empty line":      {hash, hash + "\n"},
		"64 hashes":       {hash, strings.TrimSuffix(strings.Repeat(hash+"\n", 64), "\n")},
		"no checkpoint":   {sound[strings.Index(sound, "\n\n"):], "\n\n"},
		"too long":        {hash, strings.Repeat(hash+"\n", 1000)},
	} {
		text := strings.Replace(sound, change[0], change[1], 1)
		if text == sound {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if p, err := ParseProof([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, p)
		}
	}
}

// A flipped bit is refused by reading the proof, by its hashes, or by its
// signature; and a proof that was cut, by reading it.
func TestEveryFlippedBitOfAProof(t *testing.T) {
	p, key := soundProof(t), ourKey(t)
	text := p.Marshal()
	check := func(text []byte) error {
		p, err := ParseProof(text)
		if err == nil {
			_, err = VerifyCheckpoint(p.Signed, key)
		}
		if err == nil {
			err = p.Includes(leafOf(2))
		}
		return err
	}
	if err := check(text); err != nil {
		t.Fatalf("got %v, want it accepted", err)
	}
	for bit := range len(text) * 8 {
		flipped := bytes.Clone(text)
		flipped[bit/8] ^= 1 << (bit % 8)
		if check(flipped) == nil {
			t.Errorf("bit %d of byte %d: got it accepted, want an error", bit%8, bit/8)
		}
	}
	for n := range text {
		if check(text[:n]) == nil {
			t.Errorf("cut to %d bytes: got it accepted, want an error", n)
		}
	}
}

func TestHugeTreesEnd(t *testing.T) {
	key := ourKey(t)
	for _, size := range []int64{1<<40 + 1, 1 << 62, 1<<63 - 1} {
		c := Checkpoint{Origin: key.Name(), Size: size, Root: tlog.Hash{1}}
		text := pathText("index", size-1, nil, signedBy(t, key, c))
		if p, err := ParseProof(append([]byte(proofHeader), text...)); err == nil {
			t.Errorf("size %d: got %+v, want an error", size, p)
		}
	}
	largest := Checkpoint{Origin: key.Name(), Size: MaxSize, Root: tlog.Hash{1}}
	p, err := ParseProof(append([]byte(proofHeader), pathText("index", MaxSize-1, make([]tlog.Hash, 40), signedBy(t, key, largest))...))
	if err != nil {
		t.Fatalf("size %d: got %v, want a proof", largest.Size, err)
	}
	if err := p.Includes(nil); err == nil {
		t.Errorf("size %d: got a false proof accepted, want an error", largest.Size)
	}
}

func FuzzParseProof(f *testing.F) {
	p := soundProof(f)
	f.Add(p.Marshal())
	f.Add([]byte(proofHeader + "index 0\n\n" + base64.StdEncoding.EncodeToString(p.Root[:])))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			return
		}
		if got := p.Marshal(); !bytes.Equal(got, text) {
			t.Errorf("got %q, want %q", got, text)
		}
		_ = p.Includes(leafOf(2))
		var theirs proof.TLogProof
		if err := theirs.Unmarshal(text); err != nil || !bytes.Equal(theirs.Marshal(), text) {
			t.Errorf("their reading: got %+v, %v; want %q", theirs, err, text)
		}
	})
}

func FuzzParseConsistency(f *testing.F) {
	l := openTest(f, filepath.Join(f.TempDir(), "log"))
	grow(f, l, 5)
	c, err := consistentTo(l, 3, 5)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Marshal())
	old, err := l.HeadAt(3)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConsistency(text)
		if err != nil {
			return
		}
		if got := c.Marshal(); !bytes.Equal(got, text) {
			t.Errorf("got %q, want %q", got, text)
		}
		_ = c.Extends(old.Checkpoint)
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(soundProof(f).Signed)
	f.Add([]byte("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— a AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, signed []byte) {
		c, err := ParseCheckpoint(signed)
		if err != nil {
			return
		}
		if c.Size < 0 || c.Size > MaxSize || !bytes.HasPrefix(signed, fmt.Appendf(nil, "%s\n", c.text())) {
			t.Errorf("got %+v of %q, want what it says", c, signed)
		}
	})
}

// What is read of a tile of leaves is its beginning, to the bit.
func FuzzReadEntries(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x00\x00\x02bc"), 3)
	f.Add([]byte("\xff\xffa"), 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, tile []byte, leaves int) {
		leaves = min(max(leaves, 0), width)
		var again bytes.Buffer
		read := 0
		err := readEntries(bytes.NewReader(tile), leaves, func(i int, leaf []byte) error {
			if i != read {
				t.Errorf("got leaf %d, want %d", i, read)
			}
			read++
			return writeEntry(&again, leaf)
		})
		if (err == nil) != (read == leaves) || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %d of %d leaves, %v; want all, or an end that was not expected", read, leaves, err)
		}
		if !bytes.HasPrefix(tile, again.Bytes()) {
			t.Errorf("got %q again of %q, want its beginning", again.Bytes(), tile)
		}
	})
}

package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"licensekit/exporter/evidence/tilelog"
)

// What others sign is read, and what this package signs is read by others.
func TestCosignaturesOfOthers(t *testing.T) {
	t.Parallel()
	w1, w2 := keyOf(t, "w1.example"), keyOf(t, "w2.example")
	theirs, err := torchwood.NewCosignatureSigner("w2.example", secretOf("w2.example"))
	if err != nil {
		t.Fatal(err)
	}
	if got := theirs.Verifier().String(); got != w2.String() {
		t.Errorf("torchwood's key: got %s, want %s", got, w2)
	}
	before := time.Now().Add(-time.Second)
	c, err := Read(signed(t, cosigner(t, "w1.example"), theirs), logVerifier(t), []Key{w1, w2})
	if err != nil || len(c.By) != 2 || len(c.Strangers) != 0 || c.Size != 7 || c.Origin != testOrigin {
		t.Fatalf("got %+v, %v; want two cosignatures", c, err)
	}
	for i, want := range []Key{w1, w2} {
		if got := c.By[i]; got.Witness != want || got.At.Before(before) || got.At.After(time.Now()) {
			t.Errorf("got %s at %v, want %s just now", got.Witness, got.At, want)
		}
	}
	ours := marshal(t, cosignedBy(t, "w1.example"))
	mine, err := torchwood.NewCosignatureVerifier(w1.String())
	if err != nil {
		t.Fatal(err)
	}
	dev, err := formats.NewVerifierForCosignatureV1(w1.String())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]note.Verifier{"torchwood": mine, "transparency-dev": dev} {
		opened, err := note.Open(ours, note.VerifierList(v))
		if err != nil || len(opened.Sigs) != 1 {
			t.Fatalf("%s: got %+v, %v; want our cosignature verified", name, opened, err)
		}
		if at, err := torchwood.CosignatureTimestamp(opened.Sigs[0]); err != nil || at != noon.Unix() {
			t.Errorf("%s: got time %d, %v; want %d", name, at, err, noon.Unix())
		}
	}
}

func TestMLDSACosignatures(t *testing.T) {
	t.Parallel()
	skey, vkey, err := formats.GenerateMLDSAKey("pq.example")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(vkey)
	if err != nil {
		t.Fatalf("got %v, want a key", err)
	}
	signer, err := formats.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	text := signed(t, signer)
	if c, err := Read(text, logVerifier(t), []Key{key}); err != nil || len(c.By) != 1 || c.By[0].Witness.Name() != "pq.example" {
		t.Errorf("got %+v, %v; want its cosignature", c, err)
	}
	other := strings.Replace(string(text), "\n7\n", "\n8\n", 1)
	if c, err := read([]byte(other), logVerifier(t), []Key{key}); err == nil {
		t.Errorf("another size: got %+v, want an error", c)
	}
}

func TestStrangersAreKeptOut(t *testing.T) {
	t.Parallel()
	text := signed(t, cosigner(t, "w1.example"), cosigner(t, "stranger.example"))
	c, err := Read(text, logVerifier(t), []Key{keyOf(t, "w1.example"), keyOf(t, "silent.example")})
	if err != nil || len(c.By) != 1 || len(c.Strangers) != 1 || c.Strangers[0].Name != "stranger.example" {
		t.Fatalf("got %+v, %v; want one cosignature and one stranger", c, err)
	}
	if got := string(marshal(t, c)); strings.Contains(got, "stranger") || !strings.Contains(got, "w1.example") {
		t.Errorf("got %s, want it without the stranger", got)
	}
}

// A line that bears a known witness's name and key is right, or nothing is.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	w := keyOf(t, "w1.example")
	sound := string(marshal(t, cosignedBy(t, "w1.example")))
	lines := strings.SplitAfter(sound, "\n")
	line := lines[len(lines)-2]
	raw, err := base64.StdEncoding.DecodeString(strings.Fields(line)[2])
	if err != nil {
		t.Fatal(err)
	}
	with := func(raw []byte) string {
		return strings.Replace(sound, line, fmt.Sprintf("— w1.example %s\n", base64.StdEncoding.EncodeToString(raw)), 1)
	}
	at := func(seconds uint64) string { return with(binary.BigEndian.AppendUint64(raw[:4:4], seconds)[:12]) }
	flipped := bytes.Clone(raw)
	flipped[40] ^= 1
	timed := bytes.Clone(raw)
	timed[11] ^= 1
	for name, text := range map[string]string{
		"another signature":   with(flipped),
		"another time":        with(timed),
		"no signature":        at(uint64(noon.Unix())),
		"short":               with(raw[:6]),
		"long":                with(append(bytes.Clone(raw), 0)),
		"a second one":        sound + fmt.Sprintf("— w1.example %s\n", base64.StdEncoding.EncodeToString(flipped)),
		"another checkpoint":  strings.Replace(sound, "\n7\n", "\n8\n", 1),
		"without the log's":   strings.Replace(sound, lines[4], "", 1),
		"signed as the log's": strings.Replace(sound, line, strings.Replace(lines[4], testOrigin, "w1.example", 1), 1),
	} {
		if text == sound {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if c, err := Read([]byte(text), logVerifier(t), []Key{w}); err == nil && (name != "signed as the log's" || len(c.By) > 0) {
			t.Errorf("%s: got %+v, want an error", name, c)
		}
	}
	if _, err := Read(signed(t), logVerifierOf(t, "licensekit/lki_other"), nil); !errors.Is(err, tilelog.ErrNotSigned) {
		t.Errorf("another log's key: got %v, want %v", err, tilelog.ErrNotSigned)
	}
	for seconds, ok := range map[uint64]bool{latest: true, latest + 1: false, 1 << 63: false, 1<<64 - 1: false} {
		sig := signWith(secretOf("w1.example"))(fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, checkpointText()))
		timed := append(binary.BigEndian.AppendUint64(raw[:4:4], seconds), sig...)
		if got, err := Read([]byte(with(timed)), logVerifier(t), []Key{w}); (err == nil) != ok {
			t.Errorf("time %d: got %+v, %v; want it taken: %t", seconds, got, err, ok)
		}
	}
}

func logVerifierOf(t testing.TB, origin string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(logKey(t, origin))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMerge(t *testing.T) {
	t.Parallel()
	keys := []Key{keyOf(t, "a"), keyOf(t, "b"), keyOf(t, "c")}
	one, two := cosignedBy(t, "c", "a"), cosignedBy(t, "b")
	if err := two.Cosign(keys[0], signWith(secretOf("a")), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	older := cosignedBy(t)
	if err := older.Cosign(keys[2], signWith(secretOf("c")), noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	one.Merge(two)
	one.Merge(older)
	text := marshal(t, one)
	c, err := Read(text, logVerifier(t), keys)
	if err != nil || len(c.By) != 3 {
		t.Fatalf("got %+v, %v; want three cosignatures", c, err)
	}
	for i, want := range []time.Time{noon.Add(time.Hour), noon, noon} {
		if got := c.By[i]; got.Witness != keys[i] || !got.At.Equal(want) {
			t.Errorf("cosignature %d: got %s at %v, want %s at %v", i, got.Witness.Name(), got.At, keys[i].Name(), want)
		}
	}
	again := cosignedBy(t, "a", "c")
	again.Merge(two)
	if got := marshal(t, again); !bytes.Equal(got, text) {
		t.Errorf("merged in another order: got %s, want %s", got, text)
	}
}

func TestCosignRefusesAnothersSecret(t *testing.T) {
	t.Parallel()
	c := cosignedBy(t)
	if err := c.Cosign(keyOf(t, "w1.example"), signWith(secretOf("w2.example")), noon); err == nil || len(c.By) != 0 {
		t.Errorf("got %v and %d cosignatures, want an error and none", err, len(c.By))
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	sound := keyOf(t, "w1.example").String()
	_, vkey, err := note.GenerateKey(rand.Reader, "w1.example")
	if err != nil {
		t.Fatal(err)
	}
	last := sound[len(sound)-2]
	for name, text := range map[string]string{
		"empty":           "",
		"a log's key":     vkey,
		"another hash":    strings.Replace(sound, sound[11:19], "01234567", 1),
		"upper-case hash": sound[:11] + strings.ToUpper(sound[11:19]) + sound[19:],
		"a space":         "w1 " + sound,
		"short key":       sound[:len(sound)-4],
		"other bits":      sound[:len(sound)-2] + string(last+1) + "=",
		"line end":        sound + "\n",
		"no name":         sound[10:],
		"too long":        sound + strings.Repeat("A", maxKey),
		"unknown type":    "w1.example+01234567+Bw==",
	} {
		if text == sound {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if key, err := ParseKey(text); err == nil {
			t.Errorf("%s: got %s, want an error for %s", name, key, text)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\n", "\xff"} {
		if key, err := NewKey(name, secretOf("a").Public().(ed25519.PublicKey)); err == nil {
			t.Errorf("name %q: got %s, want an error", name, key)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	a, b := keyOf(t, "a"), keyOf(t, "b")
	keys, err := ParseKeys(fmt.Appendf(nil, "# our auditors\n\n%s\n  %s\n", a, b))
	if err != nil || len(keys) != 2 || keys[0].String() != a.String() || keys[1].String() != b.String() {
		t.Errorf("got %v, %v; want a and b", keys, err)
	}
	alias, err := NewKey("alias", secretOf("a").Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"twice": a.String() + "\n" + a.String(), "under two names": a.String() + "\n" + alias.String(), "no key": "hello\n",
	} {
		if keys, err := ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: got %v, %v; want an error that names the line", name, keys, err)
		}
	}
}

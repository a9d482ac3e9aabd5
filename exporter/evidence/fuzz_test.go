package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"licensekit/exporter/evidence/tilelog"
)

// Whatever parses is the one encoding of what was read.
func FuzzParseManifest(f *testing.F) {
	f.Add(freeze(f, testKey(f, ForExport, "a"), "rptx_1", "csv", 1).envelope.Manifest)
	f.Add(freeze(f, testKey(f, ForExport, "a"), "rptx_1", "json", 0).envelope.Manifest)
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{},{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		if again, err := m.Marshal(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("got %s, %v; want %s", again, err, text)
		}
		if _, err := readme(m, text); err != nil {
			t.Errorf("readme: got %v, want no error", err)
		}
	})
}

func FuzzParseEnvelope(f *testing.F) {
	text, err := freeze(f, testKey(f, ForExport, "a"), "rptx_1", "csv", 1).envelope.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseEnvelope(text)
		if err != nil {
			return
		}
		if again, err := e.Marshal(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("got %s, %v; want %s", again, err, text)
		}
	})
}

// A pinned key is what its own PEM says.
func FuzzParsePublicKey(f *testing.F) {
	f.Add(testKey(f, ForExport, "a").Public.PEM())
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParsePublicKey(ForExport, text)
		if err != nil {
			return
		}
		if again, err := ParsePublicKey(ForExport, key.PEM()); err != nil || again.ID() != key.ID() {
			t.Errorf("got %s, %v; want %s", again.ID(), err, key.ID())
		}
	})
}

// Nothing but the bundles that the key's holder made is VERIFIED, nothing
// panics, and no bytes are more than wrong.
func FuzzVerify(f *testing.F) {
	key := testKey(f, ForExport, "a")
	var sound [][]byte
	for _, format := range []string{"csv", "json"} {
		data := freeze(f, key, "rptx_1", format, 2).bundle(f)
		sound = append(sound, data)
		f.Add(data)
		f.Add(data[:len(data)/2])
		f.Add(append([]byte("PK\x03\x04"), data...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result := verifyBundle(t, data, pin(key))
		want := Invalid
		for _, bundle := range sound {
			if bytes.Equal(bundle, data) {
				want = Verified
			}
		}
		if result.Verdict != want {
			t.Errorf("got %s, want %s", result.Verdict, want)
		}
		verifyBundle(t, data, Trust{})
	})
}

// Whatever opens has the structure that its members ask for, and no other.
func FuzzOpenBundle(f *testing.F) {
	f.Add(freeze(f, testKey(f, ForExport, "a"), "rptx_1", "csv", 1).bundle(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := openBundle(&source{ctx: t.Context(), file: section(data)})
		if err != nil {
			return
		}
		var again bytes.Buffer
		for i, m := range b.members {
			again.Write(m.local())
			content := make([]byte, m.size)
			if _, err := b.content[i].ReadAt(content, 0); err != nil && m.size > 0 {
				t.Fatalf("read %s: got %v, want its bytes", m.name, err)
			}
			again.Write(content)
		}
		again.Write(directory(b.members))
		if !bytes.Equal(again.Bytes(), data) {
			t.Errorf("got %q, want %q", again.Bytes(), data)
		}
	})
}

// A key file that is read has a key for the purpose, and signs with it.
func FuzzParseKeyFile(f *testing.F) {
	seed := sha256.Sum256([]byte("a"))
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		f.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})
	f.Add(append([]byte(title(ForExport, 0)+"\n"), block...))
	f.Add(append([]byte(title(ForLog, 1767225600123)+"\n"), block...))
	f.Add(block)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := parseKey(text, ForExport, zeroTime)
		if err != nil {
			return
		}
		if signature := key.sign(pae(PayloadType, text)); !key.Public.signed(text, signature) || key.Public.usableFor(ForExport) != nil {
			t.Errorf("%q: got key %s, want one that signs exports", text, key.Public.ID())
		}
	})
}

// Only the restart that both keys signed is VERIFIED, whatever else is shown.
func FuzzVerifyRestart(f *testing.F) {
	key := testKey(f, ForExport, "a")
	h := sevenExports(f, key)
	at := headAt(f, h.log, 5)
	sound := restartOf(f, at, at)
	trust := inLog(f, pin(key))
	trust.LogKeys = append(trust.LogKeys, named(f, nextOrigin, nextLogKey(f)))
	trust.Last = [][]byte{at.Signed}
	leaf, proof, _ := bytes.Cut(sound, []byte("\n"))
	for _, text := range [][]byte{sound, leaf, append(bytes.Clone(leaf), '\n'), proof, append([]byte("{}\n"), proof...), sound[:len(sound)-1]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		result, err := VerifyRestart(t.Context(), text, trust)
		if err != nil {
			t.Fatalf("got error %v, want a result", err)
		}
		if (result.Verdict == Verified) != bytes.Equal(text, sound) {
			t.Errorf("%q: got %s, want VERIFIED for the sound one alone", text, result.Verdict)
		}
	})
}

// A witness signs nothing but what the log's key did, whatever it is asked.
func FuzzCosignRequest(f *testing.F) {
	key := testKey(f, ForExport, "a")
	h := sevenExports(f, key)
	trust := inLog(f, pin(key))
	trust.Last = [][]byte{h.checkpoint(f, 4)}
	for _, sizes := range [][2]int64{{4, 7}, {4, 4}, {0, 7}, {2, 4}, {1, 3}} {
		f.Add(h.consistency(f, sizes[0], sizes[1]))
	}
	f.Add(h.all[3].proof)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := newCheck(t.Context(), section(nil), trust)
		if err != nil {
			t.Fatal(err)
		}
		c.request, c.anchored = text, true
		result, err := c.walk(cosignSteps)
		if err != nil || result.Verdict != Verified {
			return
		}
		head, err := tilelog.VerifyCheckpoint(c.growth.Signed, trust.LogKeys[0].verifier)
		if err != nil || head.Size < 4 || head.Root != headAt(t, h.log, head.Size).Root {
			t.Errorf("%q: would sign %+v, %v; want a tree of the log, not older than the kept", text, head, err)
		}
	})
}

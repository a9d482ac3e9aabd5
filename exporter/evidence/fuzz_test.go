package evidence

import (
	"bytes"
	"testing"
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

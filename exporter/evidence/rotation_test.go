package evidence

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"licensekit/exporter/evidence/tilelog"
)

// rotations reads the rotations in a log, and wants each leaf to tell its type.
func rotations(t testing.TB, l *tilelog.Log) (all []*Rotation) {
	t.Helper()
	err := l.Walk(t.Context(), 0, func(index int64, leaf []byte) error {
		kind, err := LeafType(leaf)
		if err != nil || kind != RotationType {
			return err
		}
		r, err := ParseRotation(leaf)
		if err == nil && r.Log != (LogPosition{testOrigin, index}) {
			t.Errorf("leaf %d: got a rotation at %+v, want it there", index, r.Log)
		}
		all = append(all, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRotate(t *testing.T) {
	dir, l := t.TempDir(), openTestLog(t)
	first, err := LoadOrCreate(dir, ForExport, born)
	if err != nil {
		t.Fatal(err)
	}
	before := logged(t, l, first, "rptx_before")
	errNoRoom := errors.New("no room")
	if _, err := Rotate(t.Context(), dir, l, "lki_1", born, func(context.Context, []byte) error { return errNoRoom }); !errors.Is(err, errNoRoom) || l.Size() != 1 {
		t.Errorf("rotate without room for the leaf: got %v, log of %d; want %v, 1", err, l.Size(), errNoRoom)
	}
	var leaf []byte
	second, err := Rotate(t.Context(), dir, l, "lki_1", born, func(_ context.Context, made []byte) error { leaf = made; return nil })
	if err != nil || second.Public.ID() == first.Public.ID() {
		t.Fatalf("rotate: got %v, %v; want another key than %s", second, err, first.Public.ID())
	}
	after := logged(t, l, second, "rptx_after")
	if r, err := ParseRotation(leaf); err != nil || r.New.ID() != second.Public.ID() {
		t.Errorf("to be kept: got %q, %v; want the rotation", leaf, err)
	}
	got := rotations(t, l)
	if len(got) != 1 || got[0].Old.ID() != first.Public.ID() || got[0].New.ID() != second.Public.ID() || got[0].Instance != "lki_1" {
		t.Fatalf("got rotations %+v, want the one from %s to %s", got, first.Public.ID(), second.Public.ID())
	}
	for f, key := range map[*frozen]*SigningKey{before: first, after: second} {
		if result := verifyBundle(t, f.bundle(t), inLog(t, pin(key))); result.Verdict != Verified {
			t.Errorf("%s: got %s, %+v; want VERIFIED", f.manifest.ExportID, result.Verdict, result.Failed())
		}
	}
	wantRetired(t, dir, first)
	if again, err := FinishRotation(t.Context(), dir, l, "lki_1", born, kept); err != nil || again.Public.ID() != second.Public.ID() || l.Size() != 3 {
		t.Errorf("nothing to finish: got %v, %v, log of %d; want the same key and 3", again, err, l.Size())
	}
}

func wantRetired(t *testing.T, dir string, key *SigningKey) {
	t.Helper()
	records, err := RetiredKeys(dir)
	if err != nil || len(records) != 1 || records[0].KID != key.Public.ID() || records[0].Status != Retired ||
		records[0].CreatedAt != key.CreatedAt || records[0].Purpose != ForExport {
		t.Errorf("got retired keys %+v, %v; want %s", records, err, key.Public.ID())
	}
	if _, err := os.Stat(nextPath(dir, ForExport)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next key: got %v, want %v", err, fs.ErrNotExist)
	}
}

// Wherever a rotation is cut short, it is finished with the same new key, and
// stands once in the log.
func TestRotationCutShort(t *testing.T) {
	for name, cut := range map[string]func(dir string, l *tilelog.Log, old *SigningKey){
		"before the leaf": func(string, *tilelog.Log, *SigningKey) {},
		"after the leaf": func(dir string, l *tilelog.Log, old *SigningKey) {
			logRotation(t, dir, l, old)
		},
		"after the record": func(dir string, l *tilelog.Log, old *SigningKey) {
			logRotation(t, dir, l, old)
			if err := old.retire(dir); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir, l := t.TempDir(), openTestLog(t)
		old, err := LoadOrCreate(dir, ForExport, born)
		if err == nil {
			err = createKey(nextPath(dir, ForExport), ForExport, born)
		}
		if err != nil {
			t.Fatal(err)
		}
		next, err := readKey(nextPath(dir, ForExport), ForExport)
		if err != nil {
			t.Fatal(err)
		}
		cut(dir, l, old)
		for range 2 {
			key, err := FinishRotation(t.Context(), dir, l, "lki_1", born, kept)
			if err != nil || key.Public.ID() != next.Public.ID() {
				t.Fatalf("%s: got %v, %v; want key %s", name, key, err, next.Public.ID())
			}
		}
		if got := rotations(t, l); len(got) != 1 {
			t.Errorf("%s: got %d rotations, want 1", name, len(got))
		}
		wantRetired(t, dir, old)
	}
}

func kept(context.Context, []byte) error { return nil }

func logRotation(t *testing.T, dir string, l *tilelog.Log, old *SigningKey) {
	t.Helper()
	next, err := readKey(nextPath(dir, ForExport), ForExport)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Append(context.Background(), func(index int64) ([]byte, error) {
		r := Rotation{Instance: "lki_1", Old: old.Public, New: next.Public, Log: LogPosition{testOrigin, index}}
		return r.leaf(old.sign, next.sign)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testRotation(t testing.TB) (leaf []byte, r *Rotation) {
	t.Helper()
	old, next := testKey(t, ForExport, "a"), testKey(t, ForExport, "b")
	r = &Rotation{Instance: "lki_1", Old: old.Public, New: next.Public, Log: LogPosition{testOrigin, 7}}
	leaf, err := r.leaf(old.sign, next.sign)
	if err != nil {
		t.Fatal(err)
	}
	return leaf, r
}

func TestParseRotationRefuses(t *testing.T) {
	leaf, r := testRotation(t)
	if got, err := ParseRotation(leaf); err != nil || got.New.ID() != r.New.ID() {
		t.Fatalf("sound: got %+v, %v; want %+v", got, err, r)
	}
	for i := range leaf {
		flipped := bytes.Clone(leaf)
		flipped[i] ^= 1
		if got, err := ParseRotation(flipped); err == nil {
			t.Errorf("byte %d flipped: got %+v, want an error", i, got)
		}
	}
	old, next, thief := testKey(t, ForExport, "a"), testKey(t, ForExport, "b"), testKey(t, ForExport, "thief")
	for name, signers := range map[string][2]*SigningKey{"not by the old": {thief, next}, "not by the new": {old, thief}, "swapped": {next, old}} {
		forged, err := r.leaf(signers[0].sign, signers[1].sign)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseRotation(forged); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
	for name, change := range map[string]func(*Rotation){
		"to itself":       func(r *Rotation) { r.New = r.Old },
		"to another kind": func(r *Rotation) { r.New.purpose = ForLog },
		"no instance":     func(r *Rotation) { r.Instance = "" },
		"no log":          func(r *Rotation) { r.Log.Origin = "" },
	} {
		changed := *r
		change(&changed)
		if got, err := changed.leaf(old.sign, next.sign); err == nil {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
	if got, err := ParseRotation(freeze(t, old, "rptx_1", "csv", 1).envelope.Manifest); err == nil {
		t.Errorf("a manifest: got %+v, want an error", got)
	}
	if kind, err := LeafType(freeze(t, old, "rptx_1", "csv", 1).envelope.Manifest); err != nil || kind != PredicateType {
		t.Errorf("type of a manifest: got %q, %v; want %s", kind, err, PredicateType)
	}
	if kind, err := LeafType([]byte("leaf")); err == nil {
		t.Errorf("type of nonsense: got %q, want an error", kind)
	}
}

// A rotation is no manifest, though the same key signed both.
func TestRotationIsNoManifest(t *testing.T) {
	leaf, _ := testRotation(t)
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 1)
	wantFailed(t, "rotation as manifest", verifyBundle(t, rebuilt(t, f, ManifestName, leaf), pin(key)), 2)
}

func TestRetiredKeysRefuses(t *testing.T) {
	key := testKey(t, ForExport, "a").Public
	for name, text := range map[string]string{
		key.ID() + ".pem": string(key.PEM()), // no title
		"other.pem":       title(ForExport, 0) + "\n" + string(key.PEM()),
	} {
		dir := t.TempDir()
		if err := createDurably(filepath.Join(dir, retiredDir, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := RetiredKeys(dir); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func FuzzParseRotation(f *testing.F) {
	leaf, _ := testRotation(f)
	f.Add(leaf)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := ParseRotation(text); err == nil && !bytes.Equal(text, leaf) {
			t.Errorf("got %+v, want only the rotation that was signed", r)
		}
	})
}

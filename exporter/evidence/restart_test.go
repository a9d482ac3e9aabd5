package evidence

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"licensekit/exporter/evidence/tilelog"
)

const nextOrigin = testOrigin + "/2-a"

// nextLogKey signs for the log that follows the fixtures'.
func nextLogKey(t testing.TB) *SigningKey { return testKey(t, ForLog, "next log") }

func testRestart(t testing.TB) (r Restart, leaf []byte) {
	t.Helper()
	key, logKey := testKey(t, ForExport, "a"), testLogKey(t)
	r = Restart{
		Instance: "lki_1", At: 1767225600123, KeyID: key.Public.ID(), Closed: named(t, testOrigin, logKey), New: named(t, nextOrigin, nextLogKey(t)),
		Kept: signCheckpoint(t, logKey, testOrigin, 1, tlog.Hash{1}), Last: signCheckpoint(t, logKey, testOrigin, 2, tlog.Hash{2}),
	}
	leaf, err := r.leaf(key.sign, logKey.sign)
	if err != nil {
		t.Fatal(err)
	}
	return r, leaf
}

func named(t testing.TB, origin string, key *SigningKey) LogKey {
	t.Helper()
	k, err := NewLogKey(origin, key.Public)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParseRestart(t *testing.T) {
	want, leaf := testRestart(t)
	got, err := ParseRestart(leaf)
	if err != nil || !bytes.Equal(got.Kept, want.Kept) || !bytes.Equal(got.Last, want.Last) || got.At != want.At ||
		got.New.String() != want.New.String() || got.Closed.String() != want.Closed.String() {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
	if err := got.Check(testKey(t, ForExport, "a").Public); err != nil {
		t.Errorf("the key that signed: got %v, want no error", err)
	}
	for name, key := range map[string]PublicKey{"another": testKey(t, ForExport, "b").Public, "a log's": testKey(t, ForLog, "a").Public} {
		if got.Check(key) == nil {
			t.Errorf("%s key: got no error, want one", name)
		}
	}
	if kind, err := LeafType(leaf); err != nil || kind != RestartType {
		t.Errorf("type of leaf: got %q, %v; want %s", kind, err, RestartType)
	}
	for i := range leaf {
		flipped := bytes.Clone(leaf)
		flipped[i] ^= 1
		r, err := ParseRestart(flipped)
		if err == nil && r.Check(testKey(t, ForExport, "a").Public) == nil {
			t.Errorf("byte %d flipped: got %+v, want it refused", i, r)
		}
	}
	rotation, _ := testRotation(t)
	if r, err := ParseRestart(rotation); err == nil {
		t.Errorf("a rotation: got %+v, want an error", r)
	}
}

// Neither key's holder can begin a log alone.
func TestRestartTakesBothKeys(t *testing.T) {
	r, _ := testRestart(t)
	thief := testKey(t, ForLog, "thief")
	byThief, err := r.leaf(testKey(t, ForExport, "a").sign, thief.sign)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseRestart(byThief); err == nil {
		t.Errorf("closed by a thief: got %+v, want an error", got)
	}
	byThief, err = r.leaf(thief.sign, testLogKey(t).sign)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseRestart(byThief); err != nil || got.Check(testKey(t, ForExport, "a").Public) == nil {
		t.Errorf("signed by a thief: got %+v, %v; want it read, and found not to be signed by the export key", got, err)
	}
}

func TestRestartRefuses(t *testing.T) {
	sound, _ := testRestart(t)
	thief := testKey(t, ForLog, "thief")
	for name, change := range map[string]func(*Restart){
		"no instance":            func(r *Restart) { r.Instance = "" },
		"no checkpoint":          func(r *Restart) { r.Kept = nil },
		"no last":                func(r *Restart) { r.Last = []byte("checkpoint\n") },
		"kept by another key":    func(r *Restart) { r.Kept = signCheckpoint(t, thief, testOrigin, 1, tlog.Hash{1}) },
		"last by another key":    func(r *Restart) { r.Last = signCheckpoint(t, thief, testOrigin, 2, tlog.Hash{2}) },
		"kept of another log":    func(r *Restart) { r.Kept = signCheckpoint(t, testLogKey(t), testOrigin+"x", 1, tlog.Hash{1}) },
		"follows itself":         func(r *Restart) { r.New = named(t, testOrigin, nextLogKey(t)) },
		"last is of the new one": func(r *Restart) { r.Last = signCheckpoint(t, thief, nextOrigin, 2, tlog.Hash{2}) },
		"the same key":           func(r *Restart) { r.New = named(t, nextOrigin, testLogKey(t)) },
		"no new key":             func(r *Restart) { r.New = LogKey{} },
		"no closed key":          func(r *Restart) { r.Closed = LogKey{} },
		"no key":                 func(r *Restart) { r.KeyID = "" },
	} {
		r := sound
		change(&r)
		if leaf, err := r.leaf(testKey(t, ForExport, "a").sign, testLogKey(t).sign); err == nil {
			t.Errorf("%s: got %s, want an error", name, leaf)
		}
	}
	later := sound // what an anchor shows of a log that this directory never had
	later.Last = signCheckpoint(t, thief, testOrigin+"/2-z", 2, tlog.Hash{2})
	if _, err := later.leaf(testKey(t, ForExport, "a").sign, testLogKey(t).sign); err != nil {
		t.Errorf("last is of a log between: got %v, want no error", err)
	}
}

// begin begins the log of [testRestart] in a directory.
func begin(t testing.TB, dir string, key *SigningKey) error {
	t.Helper()
	r, _ := testRestart(t)
	return BeginLog(t.Context(), dir, nextOrigin, nextLogKey(t), testLogKey(t), key, r)
}

func TestBeginLog(t *testing.T) {
	dir, key := filepath.Join(t.TempDir(), "log"), testKey(t, ForExport, "a")
	if err := begin(t, dir, testKey(t, ForLog, "b")); err == nil {
		t.Error("signed by a key for logs: got no error, want one")
	}
	if err := begin(t, dir, key); err != nil {
		t.Fatalf("got %v, want a log", err)
	}
	if err := begin(t, dir, key); err == nil {
		t.Error("a log that was begun: got no error, want one")
	}
	l, err := OpenLog(dir, nextLogKey(t), nextOrigin)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	leaf, err := l.Entry(0)
	if err != nil || l.Size() != 1 {
		t.Fatalf("got %d entries, %v; want 1", l.Size(), err)
	}
	if got, err := ParseRestart(leaf); err != nil || got.Check(key.Public) != nil {
		t.Errorf("first leaf: got %+v, %v; want the restart", got, err)
	}
}

// An anchor goes over to a log that names what it holds, and to no other.
func TestAnchorOfRestartedLog(t *testing.T) {
	r, _ := testRestart(t)
	thief := testKey(t, ForLog, "thief")
	for name, test := range map[string]struct {
		held []byte
		want error
	}{
		"the last":            {r.Last, nil},
		"the kept":            {r.Kept, nil},
		"one between":         {signCheckpoint(t, testLogKey(t), testOrigin, 2, tlog.Hash{3}), tilelog.ErrRolledBack},
		"of another instance": {signCheckpoint(t, thief, "licensekit/lki_other", 2, tlog.Hash{2}), tilelog.ErrRolledBack},
		"by another key":      {signCheckpoint(t, thief, testOrigin, 2, tlog.Hash{2}), tilelog.ErrRolledBack},
		"this log's, forged":  {signCheckpoint(t, thief, nextOrigin, 1, tlog.Hash{2}), tilelog.ErrNotSigned},
	} {
		dir, anchor := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "anchor")
		if err := begin(t, dir, testKey(t, ForExport, "a")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(anchor, test.held, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := OpenRecalledLog(dir, nextLogKey(t), nextOrigin, anchor, nil)
		if !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		want := test.held
		if err == nil {
			want = l.Head().Signed
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := os.ReadFile(anchor); !bytes.Equal(got, want) {
			t.Errorf("%s: got %q in the anchor, want %q", name, got, want)
		}
	}
}

// A reviewer who pins both logs keeps a checkpoint of each.
func TestTrustStoreOfTwoLogs(t *testing.T) {
	key := testKey(t, ForExport, "a")
	dir, old := trustDir(t, key), sevenExports(t, key)
	l, err := OpenLog(filepath.Join(t.TempDir(), "log"), testLogKey(t), nextOrigin)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first, second := logged(t, l, key, "rptx_new_0"), logged(t, l, key, "rptx_new_1")
	if result := verifyBundle(t, first.bundle(t), openTrust(t, dir).Trust()); result.Verdict != Invalid {
		t.Errorf("before its key is pinned: got %s, want INVALID", result.Verdict)
	}
	next := named(t, nextOrigin, testLogKey(t))
	if err := os.WriteFile(filepath.Join(dir, "next.vkey"), []byte(next.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := openTrust(t, dir)
	for _, f := range []*frozen{old.all[2], first, old.all[1], old.all[2], first} {
		trust := store.Trust()
		trust.Consistency = [][]byte{old.consistency(t, 2, 3)}
		result := verifyBundle(t, f.bundle(t), trust)
		if err := store.Keep(result); err != nil || result.Verdict != Verified {
			t.Fatalf("%s: got %s, %+v, %v; want VERIFIED", f.manifest.ExportID, result.Verdict, result.Failed(), err)
		}
	}
	for name, size := range map[string]int64{"checkpoint": 3, "next.checkpoint": 1} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tilelog.ParseCheckpoint(text); err != nil || got.Size != size {
			t.Errorf("%s: got %+v, %v; want size %d", name, got, err, size)
		}
	}
	if got := openTrust(t, dir).Trust(); len(got.LogKeys) != 2 || len(got.Last) != 2 {
		t.Errorf("opened again: got %d keys and %d checkpoints, want 2 of each", len(got.LogKeys), len(got.Last))
	}
	if got := verifyBundle(t, second.bundle(t), openTrust(t, dir).Trust()).Steps[6]; got.Outcome != NotRun {
		t.Errorf("a newer one without a proof: got %+v, want step 7 not run", got)
	}
	for name, text := range map[string]string{"same.vkey": next.String(), "lone.checkpoint": string(l.Head().Signed)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := OpenTrust(dir); err == nil {
			t.Errorf("%s: got %+v, want an error", name, s.Trust())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzParseRestart(f *testing.F) {
	_, leaf := testRestart(f)
	f.Add(leaf)
	key := testKey(f, ForExport, "a").Public
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRestart(text)
		if err != nil {
			return
		}
		again, err := r.leaf(func([]byte) []byte { return r.signature }, testLogKey(t).sign)
		if r.Closed.ID() == testLogKey(t).Public.ID() && (err != nil || !bytes.Equal(again, text)) {
			t.Errorf("got %q, %v; want %q", again, err, text)
		}
		if r.Check(key) == nil && !bytes.Equal(text, leaf) {
			t.Errorf("got %+v, want only the restart that was signed", r)
		}
	})
}

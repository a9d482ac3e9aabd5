package evidence

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"licensekit/exporter/evidence/tilelog"
)

// trustDir is a reviewer's directory with an export key and a log key.
func trustDir(t testing.TB, key *SigningKey) string {
	t.Helper()
	dir := t.TempDir()
	logKey, err := NewLogKey(testOrigin, testLogKey(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"vendor.pem": key.Public.PEM(), "log.vkey": []byte(logKey.String() + "\n"), "notes.txt": []byte("called them")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openTrust(t testing.TB, dir string) *TrustStore {
	t.Helper()
	store, err := OpenTrust(dir)
	if err != nil {
		t.Fatalf("open trust: got %v, want it", err)
	}
	return store
}

// A reviewer's years: the first bundle, a newer one with its proof, one of
// before, and then another history.
func TestTrustStore(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h, dir := sevenExports(t, key), trustDir(t, key)
	for _, step := range []struct {
		export      int
		consistency []byte
		size        int64 // kept afterwards
	}{{2, nil, 3}, {5, h.consistency(t, 3, 6), 6}, {1, h.consistency(t, 2, 6), 6}, {6, nil, 6}} {
		store := openTrust(t, dir)
		trust := store.Trust()
		if step.consistency != nil {
			trust.Consistency = [][]byte{step.consistency}
		}
		result := verifyBundle(t, h.all[step.export].bundle(t), trust)
		if err := store.Keep(result); err != nil || result.Verdict != Verified {
			t.Fatalf("export %d: got %s, %v; want VERIFIED", step.export, result.Verdict, err)
		}
		kept, err := tilelog.ParseCheckpoint(openTrust(t, dir).Trust().Last[0])
		if err != nil || kept.Size != step.size {
			t.Errorf("export %d: got %+v, %v kept, want size %d", step.export, kept, err, step.size)
		}
	}
	forked := &history{log: openTestLog(t)}
	for i := range 6 {
		forked.all = append(forked.all, logged(t, forked.log, key, fmt.Sprint("rptx_other_", i)))
	}
	store := openTrust(t, dir)
	result := verifyBundle(t, forked.all[5].bundle(t), store.Trust())
	if err := store.Keep(result); err != nil || result.Verdict != Fork {
		t.Fatalf("another history: got %s, %v; want FORK", result.Verdict, err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "fork-*.txt"))
	if err != nil || len(found) != 1 {
		t.Fatalf("got evidence %q, %v; want one file", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil || !strings.Contains(string(text), result.Fork.Kept) || !strings.Contains(string(text), result.Fork.Seen) {
		t.Errorf("got evidence %s, %v; want both checkpoints", text, err)
	}
	if kept, err := tilelog.ParseCheckpoint(openTrust(t, dir).Trust().Last[0]); err != nil || kept.Size != 6 {
		t.Errorf("after the fork: got %+v, %v kept, want size 6", kept, err)
	}
}

func TestTrustStoreNoticesOthers(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h, dir := sevenExports(t, key), trustDir(t, key)
	one, two := openTrust(t, dir), openTrust(t, dir)
	first, second := verifyBundle(t, h.all[1].bundle(t), one.Trust()), verifyBundle(t, h.all[2].bundle(t), two.Trust())
	if err := one.Keep(first); err != nil {
		t.Fatalf("first: got %v, want no error", err)
	}
	if err := two.Keep(second); err == nil {
		t.Error("second: got no error, want it refused")
	}
	if got := openTrust(t, dir).Trust().Last[0]; !bytes.Equal(got, first.Checkpoints[0]) {
		t.Errorf("got %q kept, want %q", got, first.Checkpoints[0])
	}
}

func TestOpenTrustRefuses(t *testing.T) {
	key := testKey(t, ForExport, "a")
	for name, files := range map[string]map[string][]byte{
		"a private key":             {"x.pem": []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
		"no log key":                {"log.vkey": []byte("hello\n")},
		"a checkpoint of another":   {"checkpoint": signCheckpoint(t, testKey(t, ForLog, "thief"), testOrigin, 1, tlog.Hash{})},
		"an empty checkpoint":       {"checkpoint": {}},
		"a checkpoint and no key":   {"checkpoint": signCheckpoint(t, testLogKey(t), testOrigin, 1, tlog.Hash{}), "log.vkey": nil},
		"a checkpoint without end":  {"checkpoint": make([]byte, 1<<20)},
		"a log key that is too big": {"log.vkey": make([]byte, 1<<20)},
	} {
		dir := trustDir(t, key)
		for file, content := range files {
			path := filepath.Join(dir, file)
			err := os.WriteFile(path, content, 0o600)
			if content == nil {
				err = os.Remove(path)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if store, err := OpenTrust(dir); err == nil {
			t.Errorf("%s: got %+v, want an error", name, store.Trust())
		}
	}
	if store, err := OpenTrust(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Errorf("no directory: got %+v, want an error", store.Trust())
	}
}

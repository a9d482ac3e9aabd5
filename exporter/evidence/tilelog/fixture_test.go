package tilelog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// testKey is an Ed25519 key made from its name.
type testKey struct {
	note.Verifier
	secret ed25519.PrivateKey
}

func (k testKey) Sign(message []byte) ([]byte, error) { return ed25519.Sign(k.secret, message), nil }

func keyNamed(t testing.TB, origin, seed string) testKey {
	t.Helper()
	sum := sha256.Sum256([]byte(seed))
	secret := ed25519.NewKeyFromSeed(sum[:])
	text, err := note.NewEd25519VerifierKey(origin, secret.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return testKey{verifier, secret}
}

func ourKey(t testing.TB) testKey { return keyNamed(t, "licensekit/lki_1", "ours") }

func openTest(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(dir, ourKey(t))
	if err != nil {
		t.Fatalf("open: got %v, want a log", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// leafOf is the leaf that tests put at an index.
func leafOf(index int64) []byte { return fmt.Appendf(nil, "leaf %d of %s", index, "test") }

func makeLeaf(index int64) ([]byte, error) { return leafOf(index), nil }

// grow appends up to a size, many at a time.
func grow(t testing.TB, l *Log, size int64) {
	t.Helper()
	for l.Size() < size {
		n := min(size-l.Size(), maxBatch)
		leaves := make([][]byte, n)
		for i := range leaves {
			leaves[i] = leafOf(l.Size() + int64(i))
		}
		if err := l.write(leaves); err != nil {
			t.Fatalf("write: got %v, want no error", err)
		}
	}
}

func appendOne(t testing.TB, l *Log) Entry {
	t.Helper()
	e, err := l.Append(t.Context(), makeLeaf)
	if err != nil {
		t.Fatalf("append: got %v, want an entry", err)
	}
	return e
}

// rootOf computes the root of the first leaves by RFC 6962's own recursion.
func rootOf(from, to int64) tlog.Hash {
	switch n := to - from; n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leafOf(from)...))
	default:
		k := int64(1)
		for k*2 < n {
			k *= 2
		}
		left, right := rootOf(from, from+k), rootOf(from+k, to)
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

// wantWhole wants a log to hold the test's leaves up to its size, which is at
// least that given, and to be able to prove the newest.
func wantWhole(t testing.TB, what string, l *Log, size int64) {
	t.Helper()
	if l.Size() < size {
		t.Fatalf("%s: got size %d, want at least %d", what, l.Size(), size)
	}
	next := int64(0)
	err := l.Walk(context.Background(), 0, func(index int64, leaf []byte) error {
		if index != next || !bytes.Equal(leaf, leafOf(index)) {
			t.Fatalf("%s: got leaf %d %q, want leaf %d %q", what, index, leaf, next, leafOf(next))
		}
		next++
		return nil
	})
	if err != nil || next != l.Size() {
		t.Fatalf("%s: walk: got %d leaves, %v; want %d", what, next, err, l.Size())
	}
	if next == 0 {
		return
	}
	proof, err := l.Prove(next-1, l.Head())
	if err == nil {
		err = proof.Includes(leafOf(next - 1))
	}
	if err != nil {
		t.Fatalf("%s: prove leaf %d: got %v, want a proof", what, next-1, err)
	}
}

// files reads a directory into memory, by path.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// lay writes files into a new directory.
func lay(t testing.TB, contents map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range contents {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// proveIn proves a leaf in the tree of a size.
func proveIn(l *Log, index, size int64) (*Proof, error) {
	at, err := l.HeadAt(size)
	if err != nil {
		return nil, err
	}
	return l.Prove(index, at)
}

// consistentTo proves that the tree of a size begins with an older one.
func consistentTo(l *Log, old, size int64) (*Consistency, error) {
	at, err := l.HeadAt(size)
	if err != nil {
		return nil, err
	}
	return l.Consistency(old, at)
}

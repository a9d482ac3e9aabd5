package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func testHeal(t *testing.T, s *Store, dir string) {
	ref := put(t, s, "right bytes")
	for range 2 { // the second time the same damage is in quarantine already
		damage(t, dir, ref, false)
		if again := put(t, s, "right bytes"); again != ref {
			t.Errorf("commit onto a corrupt blob: got %s, want %s", again, ref)
		}
		wantContent(t, s, ref, "right bytes")
	}
	bad := Ref(sha256.Sum256([]byte("right byter")))
	kept := quarantineDir + "/" + ref.String() + "." + bad.String()
	wantTree(t, s, dir, ref.path(), kept)
	got, err := os.ReadFile(filepath.Join(dir, kept))
	if string(got) != "right byter" || err != nil {
		t.Errorf("quarantine: got %q, %v; want the bad bytes", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, ref.path())); err != nil || info.Mode() != 0o400 {
		t.Errorf("healed blob: got %v, %v; want -r--------", info, err)
	}
}

func testFlip(t *testing.T, s *Store, dir string) {
	// Before the first read, with nothing but the bytes changed.
	ref := put(t, s, "bytes")
	damage(t, dir, ref, true)
	wantCorrupt(t, s, ref, sha256.Sum256([]byte("byter")))

	// After it, where a later look at the file shows the change.
	seen := put(t, s, "seen bytes")
	wantContent(t, s, seen, "seen bytes")
	damage(t, dir, seen, false)
	wantCorrupt(t, s, seen, sha256.Sum256([]byte("seen byter")))

	// Cut short.
	short := put(t, s, "short")
	wantContent(t, s, short, "short")
	path := filepath.Join(dir, short.path())
	if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 2)); err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, s, short, sha256.Sum256([]byte("sh")))
}

func wantCorrupt(t *testing.T, s *Store, ref, got Ref) {
	t.Helper()
	blob, err := s.Open(t.Context(), ref)
	if err == nil {
		blob.Close()
	}
	for call, err := range map[string]error{"open": err, "verify": s.Verify(t.Context(), ref)} {
		corrupt, ok := errors.AsType[*CorruptError](err)
		if !ok || corrupt.Ref != ref || corrupt.Got != got {
			t.Errorf("%s of a corrupt blob: got %v, want a CorruptError for %s with %s", call, err, ref, got)
		}
	}
}

// testRemembers holds the store to both halves of its promise: no second hash
// for an unchanged file, and none trusted that Verify found bad.
func testRemembers(t *testing.T, s *Store, dir string) {
	ref := put(t, s, "bytes")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Open(cancelled, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("first open, which hashes: got %v, want context.Canceled", err)
	}
	wantContent(t, s, ref, "bytes")
	blob, err := s.Open(cancelled, ref)
	if err != nil {
		t.Fatalf("second open, which does not hash: got %v, want a blob", err)
	}
	blob.Close()

	damage(t, dir, ref, true)
	wantContent(t, s, ref, "byter") // the documented limit
	if err := s.Verify(t.Context(), ref); err == nil {
		t.Error("verify: got no error, want a CorruptError")
	}
	wantCorrupt(t, s, ref, sha256.Sum256([]byte("byter")))
}

func TestVerifiedIsBounded(t *testing.T) {
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var v verified
	for i := range maxVerified + 100 {
		v.add(Ref{byte(i), byte(i >> 8), byte(i >> 16)}, info)
	}
	if n := len(v.files); n != maxVerified {
		t.Errorf("remembered: got %d, want %d", n, maxVerified)
	}
}

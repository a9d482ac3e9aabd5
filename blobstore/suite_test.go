package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestStore runs the contract once per way of staging a file.
func TestStore(t *testing.T) {
	for name, open := range stagings {
		t.Run(name, func(t *testing.T) { testStore(t, open) })
	}
}

// stagings opens the store as it comes, and as it is where the OS needs a name
// for a staged file.
var stagings = map[string]func(*testing.T, string) *Store{
	"default": func(t *testing.T, dir string) *Store {
		t.Helper()
		s, err := Open(dir)
		return opened(t, s, err)
	},
	"named": func(t *testing.T, dir string) *Store {
		t.Helper()
		s, err := open(dir)
		return opened(t, s, err)
	},
}

func opened(t *testing.T, s *Store, err error) *Store {
	t.Helper()
	if err != nil {
		t.Fatalf("open: got %v, want a store", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// testStore is what every store of blobs in a directory must do.
func testStore(t *testing.T, open func(t *testing.T, dir string) *Store) {
	story := func(name string, tell func(t *testing.T, s *Store, dir string)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data", "blobs")
			tell(t, open(t, dir), dir)
		})
	}
	story("round trip", testRoundTrip)
	story("survives reopening", func(t *testing.T, s *Store, dir string) {
		ref := put(t, s, "kept")
		wantContent(t, open(t, dir), ref, "kept")
	})
	story("empties tmp", func(t *testing.T, s *Store, dir string) {
		leftover := filepath.Join(dir, tmpDir, "leftover")
		if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantTree(t, open(t, dir), dir)
	})
	story("large and small pieces", testPieces)
	story("limit", testLimit)
	story("abort leaves nothing", testAbort)
	story("cancelled writer fails", testCancelled)
	story("one digest, many writers", testManyWriters)
	story("heals a corrupt blob", testHeal)
	story("finds a flipped bit", testFlip)
	story("remembers what was hashed", testRemembers)
	story("scrubs", testScrub)
	story("walks in order", testWalk)
	story("serves ranges", testRanges)
	story("refuses what is not a file", testNotRegular)
	story("collects in steps", testCollectSteps)
	story("collection spares what is wanted again", testCollectSpares)
	story("collection against writers", testCollectRace)
}

func testRoundTrip(t *testing.T, s *Store, dir string) {
	for _, content := range []string{"", "a", strings.Repeat("0123456789", 100_000)} {
		ref := put(t, s, content)
		if want := Ref(sha256.Sum256([]byte(content))); ref != want {
			t.Errorf("commit of %d bytes: got %s, want %s", len(content), ref, want)
		}
		if again := put(t, s, content); again != ref {
			t.Errorf("second commit: got %s, want %s", again, ref)
		}
		wantContent(t, s, ref, content)
		if err := s.Verify(t.Context(), ref); err != nil {
			t.Errorf("verify: got %v, want no error", err)
		}
		info, err := os.Lstat(filepath.Join(dir, ref.path()))
		if err != nil || info.Mode() != 0o400 {
			t.Errorf("mode of %s: got %v, %v; want -r--------", ref, info.Mode(), err)
		}
	}
	missing := Ref{1}
	if _, err := s.Open(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a missing blob: got %v, want fs.ErrNotExist", err)
	}
	if err := s.Verify(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("verify of a missing blob: got %v, want fs.ErrNotExist", err)
	}
}

// testPieces writes a blob of several write-backs in pieces of all sizes, the
// buffer of which is used again at once.
func testPieces(t *testing.T, s *Store, dir string) {
	content := make([]byte, 2*writebackStep+writebackStep/3)
	rand.NewChaCha8([32]byte{}).Read(content)
	w := create(t, t.Context(), s, int64(len(content)))
	buffer := make([]byte, 5*sideBySide)
	for rest, n := content, 1; len(rest) > 0; n = n*7%len(buffer) + 1 {
		piece := buffer[:copy(buffer[:n], rest)]
		if got, err := w.Write(piece); got != len(piece) || err != nil {
			t.Fatalf("write of %d bytes: got %d, %v", len(piece), got, err)
		}
		clear(piece)
		rest = rest[len(piece):]
	}
	ref, size, err := w.Commit()
	if want := Ref(sha256.Sum256(content)); ref != want || size != int64(len(content)) || err != nil {
		t.Fatalf("commit: got %s, %d bytes, %v; want %s, %d", ref, size, err, want, len(content))
	}
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Errorf("verify: got %v, want no error", err)
	}
}

func testLimit(t *testing.T, s *Store, dir string) {
	w := create(t, t.Context(), s, 4)
	if n, err := io.WriteString(w, "four"); n != 4 || err != nil {
		t.Fatalf("write up to the limit: got %d, %v; want 4", n, err)
	}
	if n, err := io.WriteString(w, "5"); n != 0 || !errors.Is(err, ErrTooLarge) {
		t.Errorf("write past the limit: got %d, %v; want 0, ErrTooLarge", n, err)
	}
	if _, err := w.Write(nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("write after that: got %v, want ErrTooLarge again", err)
	}
	if _, _, err := w.Commit(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("commit after that: got %v, want ErrTooLarge", err)
	}
	wantTree(t, s, dir)
}

func testAbort(t *testing.T, s *Store, dir string) {
	w := create(t, t.Context(), s, 100)
	io.WriteString(w, "gone")
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("abort: got %v, want no error", err)
		}
	}
	if _, _, err := w.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("commit after abort: got %v, want os.ErrClosed", err)
	}
	wantTree(t, s, dir)

	w = create(t, t.Context(), s, 100)
	io.WriteString(w, "stays")
	ref, size, err := w.Commit()
	if size != 5 || err != nil {
		t.Fatalf("commit: got %d bytes, %v; want 5", size, err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort after commit: got %v, want no error", err)
	}
	wantTree(t, s, dir, ref.path())
}

func testCancelled(t *testing.T, s *Store, dir string) {
	ctx, cancel := context.WithCancel(t.Context())
	writing, committing := create(t, ctx, s, 100), create(t, ctx, s, 100)
	io.WriteString(committing, "all of it")
	cancel()
	if _, err := io.WriteString(writing, "more"); !errors.Is(err, context.Canceled) {
		t.Errorf("write: got %v, want context.Canceled", err)
	}
	if _, _, err := committing.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: got %v, want context.Canceled", err)
	}
	if _, err := s.Create(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("create: got %v, want context.Canceled", err)
	}
	if err := writing.Abort(); err != nil {
		t.Errorf("abort: got %v, want no error", err)
	}
	wantTree(t, s, dir)
}

func testManyWriters(t *testing.T, s *Store, dir string) {
	content := strings.Repeat("shared ", 50_000)
	ref := Ref(sha256.Sum256([]byte(content)))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w, err := s.Create(t.Context(), math.MaxInt64)
			if err != nil {
				t.Errorf("create: got %v", err)
				return
			}
			defer w.Abort()
			_, err = io.WriteString(w, content)
			got, _, commitErr := w.Commit()
			if err := errors.Join(err, commitErr); got != ref || err != nil {
				t.Errorf("commit: got %s, %v; want %s", got, err, ref)
			}
			wantContent(t, s, ref, content)
		})
	}
	all.Wait()
	wantTree(t, s, dir, ref.path())
	if n := len(s.locks.held); n != 0 {
		t.Errorf("locks left: got %d, want 0", n)
	}
}

func testWalk(t *testing.T, s *Store, dir string) {
	var want []Ref
	for _, content := range []string{"one", "two", "three", "four", "five"} {
		want = append(want, put(t, s, content))
	}
	slices.SortFunc(want, func(a, b Ref) int { return bytes.Compare(a[:], b[:]) })
	elsewhere := filepath.Join(dir, shard(want[0][0]+1), want[0].String())
	for _, stranger := range []string{elsewhere, filepath.Join(dir, blobDir, "00", ".part")} {
		if err := os.WriteFile(stranger, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []Ref
	err := s.Walk(t.Context(), func(ref Ref, size int64) error {
		if size < 3 || size > 5 {
			t.Errorf("size of %s: got %d, want 3 to 5", ref, size)
		}
		got = append(got, ref)
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("walk: got %v, %v; want %v", got, err, want)
	}
	stop := errors.New("stop")
	if err := s.Walk(t.Context(), func(Ref, int64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("walk: got %v, want the visitor's error", err)
	}
}

func testRanges(t *testing.T, s *Store, _ string) {
	ref := put(t, s, "0123456789")
	blob, err := s.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if blob.Size() != 10 {
		t.Errorf("size: got %d, want 10", blob.Size())
	}
	at := make([]byte, 3)
	if _, err := blob.ReadAt(at, 4); string(at) != "456" || err != nil {
		t.Errorf("read at 4: got %q, %v; want 456", at, err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+ref.String()+`"`)
		http.ServeContent(w, r, "blob.csv", zeroTime, blob)
	}))
	defer server.Close()
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	request.Header.Set("Range", "bytes=2-5")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusPartialContent || string(body) != "2345" || err != nil {
		t.Errorf("range 2-5: got %d %q, %v; want 206 2345", response.StatusCode, body, err)
	}
}

func testNotRegular(t *testing.T, s *Store, dir string) {
	ref := Ref(sha256.Sum256([]byte("linked")))
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("linked"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, ref.path())); err != nil {
		t.Fatal(err)
	}
	if blob, err := s.Open(t.Context(), ref); err == nil {
		blob.Close()
		t.Error("open of a symbolic link: got a blob, want an error")
	}
	w := create(t, t.Context(), s, 100)
	io.WriteString(w, "linked")
	if _, _, err := w.Commit(); err == nil {
		t.Error("commit onto a symbolic link: got no error, want one")
	}
}
